"""The process: quick to answer, silent on standard output, gone when it should be."""

import asyncio
import sys
from pathlib import Path

import pytest
from tests.support.lsp_process import SERVER, running

#: A server around a scripted engine, for what the real one would only make slow. `load` runs before it.
SCRIPTED = """
import asyncio, sys
from impetus.lsp import stdio
from tests.support.scripted_session import Script, ScriptedEngine

def load():
    {load}
    async def create(settings, problems):
        return ScriptedEngine(Script(), settings)
    return create

sys.exit(stdio.run(load))
"""


def command(load: str = "pass") -> list[str]:
    return [sys.executable, "-c", SCRIPTED.format(load=load)]


def paths() -> str:
    return f"{SERVER}:{SERVER.parent}"


#: What has no place before `initialize` is answered.
HEAVY = ("chromadb", "mlx", "mlx_lm", "numpy", "httpx", "typer", "rich", "fastapi", "uvicorn", "tree_sitter")

IMPORTED = f"""
import sys
import impetus.cli.lsp, impetus.lsp.server, impetus.lsp.stdio
print([name for name in {HEAVY} if name in sys.modules])
"""


async def test_the_surface_imports_nothing_heavy() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IMPORTED, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(SERVER)}
    )
    output, _ = await process.communicate()
    assert output.decode().strip() == "[]"


async def test_standard_input_and_output_belong_to_the_protocol_alone(tmp_path: Path) -> None:
    noise = (
        "import os; print('from Python', flush=True); os.write(1, b'from a library\\n'); os.system('echo from a child')"
    )
    greedy = "assert sys.stdin.read() == '' and os.system('cat') == 0"
    async with running(tmp_path, command(f"{noise}; {greedy}"), PYTHONPATH=paths()) as server:
        await server.initialize()
        await server.request("impetus/reindex")
        await server.leave()
        assert await server.exit_code() == 0
        log = await server.log()
    for line in ("from Python", "from a library", "from a child"):
        assert line in log


@pytest.mark.parametrize("ending", ["exit", "end of input"])
async def test_leaving_without_shutdown_is_a_failure(ending: str, tmp_path: Path) -> None:
    async with running(tmp_path, command(), PYTHONPATH=paths()) as server:
        await server.initialize()
        if ending == "exit":
            server.notify("exit")
        else:
            await server.hang_up()
        assert await server.exit_code() == 1


async def test_the_log_follows_its_setting_and_holds_no_messages(tmp_path: Path) -> None:
    async with running(tmp_path, command(), PYTHONPATH=paths()) as server:
        await server.initialize(initializationOptions={"log": {"level": "debug"}})
        server.open("untitled:a", "very private")
        await server.request("impetus/reindex")
        server.send({"jsonrpc": "2.0", "id": "x", "result": "an answer to nothing"})
        await server.barrier()
        await server.leave()
        log = await server.log()
    assert "Ignored an answer" in log
    assert "very private" not in log


async def test_a_bad_setting_of_the_port_keeps_the_engine_down_and_says_why(tmp_path: Path) -> None:
    async with running(tmp_path, command(), PYTHONPATH=paths()) as server:
        await server.initialize(initializationOptions={"http": {"port": "many"}})
        status = await server.notification("impetus/statusChanged", lambda params: params["health"] == "error")
        assert "http.port" in status["message"]
        await server.leave()
        assert await server.exit_code() == 0


async def test_files_instead_of_pipes_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"")
    with (tmp_path / "in").open("rb") as incoming, (tmp_path / "out").open("wb") as outgoing:
        process = await asyncio.create_subprocess_exec(
            *command(), stdin=incoming, stdout=outgoing, stderr=asyncio.subprocess.PIPE, env={"PYTHONPATH": paths()}
        )
        _, said = await process.communicate()
    assert process.returncode == 2
    assert b"through pipes" in said
    assert (tmp_path / "out").read_bytes() == b""
