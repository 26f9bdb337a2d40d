"""One engine for several editors, as real processes: how it starts, what they share, how it ends."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.support.engine_home import SHIM, EngineHome, engine_home
from tests.support.lsp_client import PATIENCE_S, LspError
from tests.support.lsp_process import ServerProcess, running
from tests.support.upstream import Upstream

from impetus import __version__
from impetus.daemon import address, control
from impetus.daemon.greeting import Refused, Silent, call


@pytest.fixture
def home() -> Iterator[EngineHome]:
    with engine_home() as home:
        home.write("retry.py", "def retry_with_backoff(call):\n    return call()\n")
        yield home


async def found(client: ServerProcess, query: str) -> set[str]:
    result = await client.request("impetus/search", {"query": query})
    return {hit["path"] for hit in result["hits"]}


async def impetus(home: EngineHome, *arguments: str) -> tuple[int, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *SHIM[:-1], *arguments, env=home.environment(), stdout=pipe, stderr=pipe
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def serving(home: EngineHome) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """`impetus serve` in the foreground; its URL."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *SHIM[:-1], "serve", "--port", "0", "-w", str(home.project), "--json",
        env=home.environment(), stdout=pipe, stderr=pipe,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))["url"], process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.communicate(), PATIENCE_S)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.close()


async def test_shims_that_start_at_once_start_one_engine(home: EngineHome) -> None:
    async def come_and_go() -> int:
        async with home.editor(opens=False):
            return home.pid

    assert len(set(await asyncio.gather(*(come_and_go() for _ in range(4))))) == 1
    modes = [file.stat().st_mode & 0o777 for file in (Path(home.run), Path(home.socket))]
    assert modes == [0o700, 0o600]


async def test_editors_share_the_index_and_keep_their_unsaved_text(home: EngineHome) -> None:
    uri = (home.project / "draft.py").as_uri()
    async with home.editor() as first, home.editor() as second:
        first.open(uri, "")
        change = {
            "textDocument": {"uri": uri, "version": 2},
            "contentChanges": [{"text": "def zebra_crossing(): pass"}],
        }
        first.notify("textDocument/didChange", change)
        assert await found(first, "zebra_crossing") == {"draft.py"}
        assert "draft.py" not in await found(second, "zebra_crossing")
        assert "retry.py" in await found(second, "retry_with_backoff")
        state = await home.state()
        assert [session["editor"] for session in state["sessions"]] == ["Test 1", "Test 1"]
        assert [index["root"] for index in state["indexes"]] == [str(home.project)]
        home.write("draft.py", "def zebra_crossing(): pass")
        first.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await second.notification("impetus/statusChanged", lambda status: '"files": 2' in json.dumps(status))
        assert "draft.py" in await found(second, "zebra_crossing")


async def test_an_editor_sees_the_status_of_its_own_folders(home: EngineHome) -> None:
    async with home.editor() as first, home.editor(opens=False) as second:
        assert len((await first.request("impetus/status"))["indexes"]) == 1
        assert (await second.request("impetus/status"))["indexes"] == []


@pytest.mark.parametrize(("orderly", "code"), [(True, 0), (False, 1)])
async def test_the_shim_ends_with_the_code_of_its_session(home: EngineHome, orderly: bool, code: int) -> None:
    async with home.editor(opens=False) as client:
        if orderly:
            await client.leave()
        else:
            client.notify("exit")
        assert await client.exit_code() == code
        assert await client.log() == ""
    async with home.editor(opens=False) as client:
        await client.request("impetus/status")


async def test_settings_of_an_editor_are_its_own_and_those_of_the_engine_are_refused(home: EngineHome) -> None:
    async with home.editor(opens=False, IMPETUS_SEARCH_LIMIT="many") as first:
        shown = await first.notification("window/showMessage")
        assert "'search.limit' is not usable" in shown["message"]
        async with home.editor(opens=False, IMPETUS_LOG_LEVEL="debug") as second:
            shown = await second.notification("window/showMessage")
            assert "'log.level' belongs to the engine" in shown["message"]
        assert "log.level" not in str(await first.request("impetus/status"))


async def test_status_and_stop_from_the_command_line(home: EngineHome) -> None:
    async with home.editor() as client:
        code, text, _ = await impetus(home, "status", "-w", str(home.project))
        assert code == 0
        assert f"process {home.pid}, up" in text
        assert f"Test 1  {home.project}" in text
        assert "/v1" in text
        code, text, _ = await impetus(home, "search", "retry_with_backoff", "-w", str(home.project))
        assert (code, "retry.py" in text) == (0, True)
        pid = home.pid
        code, text, _ = await impetus(home, "stop")
        assert (code, text) == (0, f"Stopped the engine of Impetus {__version__} (process {pid})\n")
        assert await client.exit_code() == 3
        assert "the engine has ended: `impetus stop` ended it" in await client.log()
    assert not home.has_socket
    assert (await impetus(home, "stop"))[1] == "No engine runs\n"
    assert "none runs" in (await impetus(home, "status", "-w", str(home.project)))[1]


async def test_an_engine_whose_socket_was_deleted_is_shown_and_stopped(home: EngineHome) -> None:
    async with home.editor(opens=False) as client:
        pid = home.pid
        home.take_its_socket()
        shown = (await impetus(home, "status", "-w", str(home.project)))[1]
        assert f"process {pid} cannot be reached: its socket was deleted" in shown
        code, text, _ = await impetus(home, "stop")
        assert (code, text) == (0, f"Stopped the engine of Impetus {__version__} (process {pid})\n")
        assert await client.exit_code() == 3
        assert "told to by SIGTERM" in await client.log()
    async with home.editor(opens=False) as client:
        await client.request("impetus/status")


async def test_an_engine_that_was_stopped_has_let_go_of_its_lock(home: EngineHome) -> None:
    """So that `impetus stop && impetus serve` works."""
    async with home.editor():
        (engine,) = home.engines()
        assert await asyncio.to_thread(control.stop, engine, PATIENCE_S)
        assert home.engines() == []


async def test_an_answer_over_http_ends_with_the_reason(home: EngineHome, upstream: Upstream) -> None:
    upstream.hold()
    home.path.mkdir(parents=True)
    (home.path / "settings.toml").write_text(
        f'[chat]\nbase_url = "{upstream.url}"\nmodel = "scripted"\n[http]\nrequire_key = false\n'
    )
    body = {"model": "impetus-plain", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    async with (
        serving(home) as (url, process),
        httpx.AsyncClient(base_url=url) as http,
        http.stream("POST", "/chat/completions", json=body) as answer,
    ):
        lines = answer.aiter_lines()
        while "content" not in await anext(lines):
            pass
        process.terminate()
        rest = [line.removeprefix("data: ") async for line in lines if line]
        told = next(json.loads(line) for line in rest if "error" in line)
        assert told["error"]["code"] == "SHUTTING_DOWN"
        assert "shutting down" in told["error"]["message"]
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0


async def test_an_answer_under_way_ends_with_the_reason(home: EngineHome) -> None:
    """The chat model is a server of ours that takes the question and never answers."""
    asked = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        asked.set()
        await reader.read()
        writer.close()

    model = await asyncio.start_server(never, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{model.sockets[0].getsockname()[1]}/v1"
    variables = {"IMPETUS_CHAT_BASE_URL": url, "IMPETUS_CHAT_MODEL": "none"}
    async with model, home.editor(**variables) as client:
        question = client.start("impetus/ask", {"question": "How is retry_with_backoff done?"})
        await asyncio.wait_for(asked.wait(), PATIENCE_S)
        home.kill(signal.SIGTERM)
        with pytest.raises(LspError, match="The engine of Impetus has ended: it was told to by SIGTERM") as refused:
            await client.response(question)
        assert refused.value.code == -32802
        assert await client.exit_code() == 3
        assert len([each for each in client.responses if each["id"] == question]) == 1


async def test_an_engine_that_nobody_uses_leaves(home: EngineHome) -> None:
    async with home.editor(IMPETUS_ENGINE_IDLE_EXIT_MINUTES="0.002") as client:
        await client.request("impetus/status")
        assert home.engines()
    await home.gone()
    assert "nobody used it" in address.farewell(home.run, __version__)


async def test_a_port_that_is_taken_harms_no_editor(home: EngineHome) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with home.editor(opens=False, IMPETUS_HTTP_PORT=port) as client:
            status = await client.notification("impetus/statusChanged", lambda status: bool(status["problems"]))
            assert status["problems"][0]["subject"] == "http"
            assert f"127.0.0.1:{port} cannot be opened" in status["problems"][0]["message"]
            assert await found(client, "anything") == set()


async def test_an_engine_that_cannot_start_says_why(home: EngineHome, tmp_path: Path) -> None:
    broken = tmp_path / "pygls"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('a broken installation')\n")
    path = f"{tmp_path}:{home.environment()['PYTHONPATH']}"
    async with running(home.path, SHIM, PYTHONPATH=path) as client:
        assert await client.exit_code() == 3
        said = await client.log()
    assert "the engine could not be started" in said
    assert "a broken installation" in said


async def test_a_shim_without_a_log_says_why(home: EngineHome) -> None:
    home.path.mkdir()
    (home.path / "logs").write_text("not a folder")
    async with running(home.path, SHIM) as client:
        assert await client.exit_code() == 3
        said = await client.log()
    assert said.startswith(f"impetus: no engine can be reached or started under {home.path}: ")
    assert f"File exists: '{home.path / 'logs'}'" in said


def test_a_home_with_a_long_path_gets_a_short_socket(
    home: EngineHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home.project))
    long = home.project / ("x" * 120)
    folder = address.runtime_folder(str(long))
    assert Path(folder).parent == home.project
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    assert address.runtime_folder(str(long)) == folder
    Path(folder).chmod(0o755)
    address.runtime_folder(str(long))
    assert Path(folder).stat().st_mode & 0o777 == 0o700
    Path(folder).rmdir()
    Path(folder).symlink_to(tmp_path)
    with pytest.raises(PermissionError, match="not safe"):
        address.runtime_folder(str(long))


async def test_who_does_not_greet_is_refused(home: EngineHome) -> None:
    async with home.editor(opens=False):
        with pytest.raises(Refused, match=f"of Impetus {__version__}, not of 0.0.1"):
            await asyncio.to_thread(call, home.socket, "0.0.1", "state")
        with pytest.raises(Refused, match="no greeting"):
            await asyncio.to_thread(call, home.socket, __version__, "sing")
        with pytest.raises(Refused, match="too large"):
            await asyncio.to_thread(call, home.socket, __version__, "lsp", "1", "99999999")


async def test_an_engine_that_hangs_is_not_waited_for(home: EngineHome) -> None:
    async with home.editor(opens=False):
        home.kill(signal.SIGSTOP)
        try:
            with pytest.raises(Silent):
                await asyncio.to_thread(call, home.socket, __version__, "state", patience=0.2)
        finally:
            home.kill(signal.SIGCONT)


async def test_the_log_holds_no_text_and_no_keys(home: EngineHome) -> None:
    marks = {"document": "XYZZY_document", "question": "XYZZY_question", "key": "XYZZY_key", "code": "XYZZY_code"}
    home.write("code.py", f"def {marks['code']}(): pass\n")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    variables = {
        "IMPETUS_CHAT_BASE_URL": url, "IMPETUS_CHAT_MODEL": "none", "IMPETUS_CHAT_API_KEY_ENV": "A_KEY",
        "A_KEY": marks["key"], "IMPETUS_LOG_LEVEL": "debug",
    }  # fmt: skip
    async with home.editor(**variables) as client:
        client.open((home.project / "new.py").as_uri(), f"def {marks['document']}():\n    return 1 +\n")
        client.send_bytes(b"Content-Length: 14\r\n\r\nXYZZY_document")
        await client.request("impetus/ask", {"question": marks["question"]})
        with pytest.raises(LspError):
            await client.request("impetus/search", {"query": marks["question"], "limit": "XYZZY_question"})
        position = {"line": 1, "character": 14}
        document = {"uri": (home.project / "new.py").as_uri()}
        await client.request("impetus/complete", {"textDocument": document, "position": position})
        await impetus(home, "stop")
        said = await client.log()
    log = home.log()
    assert "The engine ends" in log  # what is looked at is what was written
    assert "XYZZY" not in log + said
