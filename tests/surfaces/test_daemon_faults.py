"""What must not hurt the engine, its editors or the index, with real processes."""

import asyncio
import contextlib
import json
import os
import resource
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine_home import SHIM, EngineHome, engine_home
from tests.support.lsp_client import PATIENCE_S, LspError, framed
from tests.support.lsp_process import running

from impetus.adapters import store
from impetus.daemon.state import resident

MB = 1024 * 1024


@pytest.fixture
def home() -> Iterator[EngineHome]:
    with engine_home() as home:
        home.write("retry.py", "def retry_with_backoff(call):\n    return call()\n")
        yield home


async def paths(client: Any, query: str) -> set[str]:
    return {hit["path"] for hit in (await client.request("impetus/search", {"query": query}))["hits"]}


async def test_three_editors_outlive_an_engine_that_is_killed(home: EngineHome) -> None:
    async with home.editor() as first, home.editor() as second, home.editor() as third:
        editors = (first, second, third)
        question = second.start("impetus/search", {"query": "retry_with_backoff"})
        await second.response(question)
        home.kill()
        for editor in editors:
            assert await editor.exit_code() == 3
            assert "was killed or has crashed; start the language server again" in await editor.log()
    assert home.has_socket  # left behind
    home.write("added.py", "def zebra_crossing(): pass\n")
    async with home.editor() as client:
        assert await paths(client, "zebra_crossing") >= {"added.py"}
        assert await paths(client, "retry_with_backoff") >= {"retry.py"}


async def test_a_shim_that_is_killed_takes_nobody_with_it(home: EngineHome) -> None:
    async with home.editor() as stays:
        async with home.editor(opens=False) as leaves:
            leaves.process.kill()
            await leaves.exit_code()
            await leaves.ended()
        assert await paths(stays, "retry_with_backoff") == {"retry.py"}
        while len((await home.state())["sessions"]) > 1:
            await stays.barrier()


async def test_the_engine_is_nobodys_child(home: EngineHome) -> None:
    """Editors end the whole tree of processes below what they started."""
    async with home.editor(opens=False) as client:
        assert os.getsid(home.pid) != os.getsid(client.process.pid)
        assert home.parent() != client.process.pid


async def test_a_client_that_reads_nothing_is_cut_off(home: EngineHome) -> None:
    async with home.editor() as watcher:
        before = resident(home.pid)
        reader, writer = await asyncio.open_unix_connection(home.socket, limit=1024)
        writer.write(f"impetus {(await home.state())['version']} lsp 1 0\n".encode())
        number = (await reader.readline()).split()[3].decode()
        # Each of these is answered with an error that names the method.
        flood = framed({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}})
        flood += framed({"jsonrpc": "2.0", "id": 2, "method": "x" * MB}) * 100
        with contextlib.suppress(ConnectionError):
            writer.write(flood)
            await asyncio.wait_for(writer.drain(), PATIENCE_S)
        assert await paths(watcher, "retry_with_backoff") == {"retry.py"}
        reader2, writer2 = await asyncio.open_unix_connection(home.socket)
        writer2.write(f"impetus {(await home.state())['version']} ended {number}\n".encode())
        told = (await asyncio.wait_for(reader2.readline(), PATIENCE_S)).decode()
        assert "bytes unread" in told
        writer2.close()
        writer.close()
        assert resident(home.pid) - before < 160 * MB
    assert "reads no more" in home.log()


@pytest.mark.parametrize(
    "noise",
    [
        b'Content-Length: 500\r\n\r\n{"half":',
        b"Content-Length: 999999999999\r\n\r\n" + b"x" * 100_000,
        os.urandom(200_000),
        b"Content-Length: 5\r\n\r\n12{]}" * 1000,
    ],
    ids=["half a message", "a huge one", "garbage", "no JSON"],
)
async def test_noise_harms_nobody_else(home: EngineHome, noise: bytes) -> None:
    async with home.editor() as watcher:
        async with home.editor(opens=False) as noisy:
            noisy.send_bytes(noise)
            assert await paths(watcher, "retry_with_backoff") == {"retry.py"}
        assert await paths(watcher, "retry_with_backoff") == {"retry.py"}
        assert len((await home.state())["sessions"]) == 1


async def test_ten_thousand_cancels(home: EngineHome) -> None:
    async with home.editor() as busy, home.editor() as watcher:
        search = {"query": "retry_with_backoff"}
        asked = [busy.start("impetus/search", search) for _ in range(100)]
        for number in range(10_000):
            busy.cancel(asked[number % 100] if number % 2 else number + 1_000_000)
        assert await paths(watcher, "retry_with_backoff") == {"retry.py"}
        await asyncio.gather(*(busy.response(number) for number in asked), return_exceptions=True)
        await busy.barrier()
        answers = [response["id"] for response in busy.responses]
        assert sorted(answers) == sorted(set(answers))
        assert set(asked) <= set(answers)


async def test_fifty_connections(home: EngineHome) -> None:
    async with home.editor() as first:

        async def fifty() -> int:
            """Files that the engine has open once they have come and gone."""
            async with contextlib.AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(home.connection()) for _ in range(50)]
                await asyncio.gather(*(home.begin(client) for client in clients))
                results = await asyncio.gather(*(paths(client, "retry_with_backoff") for client in clients))
                assert results == [{"retry.py"}] * 50
                assert len((await home.state())["sessions"]) == 51
            while len((await home.state())["sessions"]) > 1:
                await first.barrier()
            return home.open_files()

        # Each thread of the engine keeps a few open once it has worked, and any round may be a thread's first; what
        # leaks grows in all of them.
        rounds = [await fifty() for _ in range(4)]
        assert any(later <= earlier + 2 for earlier, later in pairwise(rounds)), rounds


async def test_both_directions_full_at_once_is_no_deadlock(home: EngineHome) -> None:
    """A client that writes megabytes before it reads what comes back."""
    async with running(home.path, SHIM, IMPETUS_HTTP_PORT="0") as client:
        await home.begin(client, opens=False)
        asked = [client.start("y" * 100_000) for _ in range(200)]
        for msg_id in asked:
            with pytest.raises(LspError, match="There is no request"):
                await client.response(msg_id)


async def test_a_full_disk_fails_in_words_and_heals(home: EngineHome) -> None:
    """No file of the engine may grow past a limit, which SQLite meets like the end of the disk."""
    for number in range(40):
        body = "".join(f"def function_{number}_{each}(argument):\n    return argument * {each}\n" for each in range(60))
        home.write(f"module_{number}.py", body)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    process = await asyncio.create_subprocess_exec(
        *SHIM[:-1], "serve", "--port", "0", "-w", str(home.project), "--json",
        env=home.environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, preexec_fn=limit,
    )  # fmt: skip
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
    async with home.connection() as client:
        await home.begin(client, opens=False)
        client.notify(
            "workspace/didChangeWorkspaceFolders",
            {"event": {"added": [{"uri": home.project.as_uri(), "name": "p"}], "removed": []}},
        )
        status = await client.notification(
            "impetus/statusChanged", lambda status: any(index["phase"] == "failed" for index in status["indexes"])
        )
        assert status["health"] == "error"
        assert status["message"]
    process.terminate()
    await asyncio.wait_for(process.communicate(), PATIENCE_S)
    async with home.editor() as client:
        assert "module_39.py" in await paths(client, "function_39_7")


async def test_a_catalog_that_another_program_locks(home: EngineHome) -> None:
    async with home.editor() as client:
        catalog = store.folder_for(home.path, home.project) / store.CATALOG
        with contextlib.closing(sqlite3.connect(catalog, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            saved = home.write("locked.py", "def zebra_crossing(): pass\n")
            client.notify("textDocument/didSave", {"textDocument": {"uri": saved.as_uri()}})
            assert await paths(client, "retry_with_backoff") == {"retry.py"}
            other.execute("ROLLBACK")
        await client.notification("impetus/statusChanged", lambda status: '"files": 2' in json.dumps(status))
        assert await paths(client, "zebra_crossing") >= {"locked.py"}


@asynccontextmanager
async def older_engine(home: EngineHome) -> AsyncIterator["asyncio.subprocess.Process"]:
    """An engine that says it is of another version."""
    code = "import impetus, sys; impetus.__version__ = '0.0.9'; from impetus.__main__ import main; sys.exit(main())"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, "serve", "--port", "0", "-w", str(home.project), "--json",
        env=home.environment(), stdout=pipe, stderr=pipe,
    )  # fmt: skip
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_an_older_engine_that_is_idle_is_replaced(home: EngineHome) -> None:
    async with older_engine(home) as older, home.editor() as client:
        assert await asyncio.wait_for(older.wait(), PATIENCE_S) == 3  # a service is started again, as the newer one
        assert await paths(client, "retry_with_backoff") == {"retry.py"}
        assert len(home.engines()) == 1


async def test_an_older_engine_in_use_is_left_to_finish(home: EngineHome) -> None:
    async with older_engine(home) as older:
        its_socket = str(Path(home.run) / "engine-0.0.9.sock")
        old = await home.connect("0.0.9", its_socket)
        await home.begin(old)
        async with home.editor(opens=False) as new:
            await new.request("impetus/status")
            assert {engine.version for engine in home.engines()} == {"0.0.9", "0.1.0"}
            assert await paths(old, "retry_with_backoff") == {"retry.py"}
            assert older.returncode is None
            await old.leave()
            assert await asyncio.wait_for(older.wait(), PATIENCE_S) == 3
            await old.hang_up()
            await new.request("impetus/status")


async def test_what_lies_where_the_socket_belongs_is_replaced(home: EngineHome) -> None:
    home.leave_behind(b"no socket")
    async with home.editor() as client:
        assert await paths(client, "retry_with_backoff") == {"retry.py"}


def test_no_interval_is_measured_with_a_clock_that_people_set() -> None:
    """A clock set back must not stop anything. These few write down a point in time and measure nothing."""
    server = Path(__file__).parents[2] / "server" / "impetus"
    wall = ("time.time()", "datetime.now", "time.time_ns()", "datetime.utcnow")
    found = {
        str(file.relative_to(server)) for file in server.rglob("*.py") if any(word in file.read_text() for word in wall)
    }
    assert found <= WALL_CLOCK


#: file → why it may look at the wall clock
WALL_CLOCK = {
    "adapters/chat_template.py",  # templates may print today's date
    "adapters/sqlite_catalog_writer.py",  # since when a content is unused has to outlast the process
    "web/chat.py",  # `created` of the OpenAI protocol, and in the next four
    "web/completions.py",
    "web/fim.py",
    "web/responses.py",
    "web/routes.py",
}
