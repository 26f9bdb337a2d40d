"""The engine's process in this one: the same loop, a real engine, real sockets."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.support.engine_home import EngineHome, engine_home, indexed
from tests.support.http import MemoryKeyStore
from tests.support.lsp_client import PATIENCE_S, LspError
from tests.support.tiny_model import make_model
from tests.support.upstream import Upstream

from impetus import __version__
from impetus.app import create_engine
from impetus.config import Settings
from impetus.daemon import address, control
from impetus.daemon.greeting import call
from impetus.daemon.process import EngineProcess, Options
from impetus.errors import BadRequest, EngineStopped, ImpetusError, ModelError
from impetus.lsp.host import EngineFactory
from impetus.services.keys import Keys


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHome]:
    with engine_home() as home:
        monkeypatch.setenv("IMPETUS_HOME", str(home.path))
        home.write("retry.py", "def retry_with_backoff(call):\n    return call()\n")
        yield home


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.close()


class Running:
    """`url` is that of the HTTP port; `task` gives the reason of the end."""

    def __init__(self, home: EngineHome, load: EngineFactory = create_engine, *, serves: bool = True) -> None:
        loop = asyncio.get_running_loop()
        self.listening = asyncio.Event()
        self.url: asyncio.Future[str] = loop.create_future()
        self.keys = Keys(MemoryKeyStore())
        options = Options(
            load=lambda: load,
            open_keys=lambda: self.keys,
            overrides={"http": {"port": 0}, "index": {"watch": False}},
            roots=[home.project] if serves else [],
            listening=self.listening.set,
            serving=self.url.set_result if serves else None,
        )
        self._process = EngineProcess(address.runtime_folder(), options)
        self.task = asyncio.create_task(self._process.live())

    async def close(self) -> None:
        self._process.stop("the test is over")
        await asyncio.gather(self.task, return_exceptions=True)
        self._process.ended()


@asynccontextmanager
async def engine(
    home: EngineHome, load: EngineFactory = create_engine, *, serves: bool = True
) -> AsyncIterator[Running]:
    running = Running(home, load, serves=serves)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await running.listening.wait()
        yield running
    finally:
        await running.close()


async def ask(home: EngineHome, *words: str) -> str:
    connection, answer = await asyncio.to_thread(call, home.socket, __version__, *words)
    connection.close()
    return answer


async def test_editors_and_http_clients_of_one_engine(home: EngineHome) -> None:
    async with engine(home) as running:
        url = await asyncio.wait_for(running.url, PATIENCE_S)
        async with home.connection() as client, httpx.AsyncClient(base_url=url) as http:
            await home.begin(client)
            assert (await http.get("/api/health/live")).json() == {"status": "live"}
            assert (await http.get("/v1/models")).status_code == 401
            headers = {"Authorization": f"Bearer {running.keys.create('test').secret}"}
            status = (await http.get("/api/health/status", headers=headers)).json()
            assert [index["root"] for index in status["indexes"]] == [str(home.project)]
            found = await client.request("impetus/search", {"query": "retry_with_backoff"})
            assert found["hits"][0]["path"] == "retry.py"
            told = await ask(home, "state")
            assert f'"url": "{url}"' in told
            assert '"editor": "Test 1"' in told
            await client.leave()
            await client.ended()
        assert await ask(home, "ended", client.number) == "0"
        assert await ask(home, "ended", "99") == "1"


async def test_an_engine_is_not_asked_about_a_session_of_the_one_before(home: EngineHome) -> None:
    async with engine(home, serves=False), home.connection() as client:
        await client.initialize()
    async with engine(home, serves=False), home.connection() as stranger:
        await stranger.initialize()
        assert await ask(home, "ended", client.number) == "1"


async def test_the_first_question_about_a_new_folder_is_answered_from_it(home: EngineHome) -> None:
    async with engine(home, serves=False), home.connection() as client:
        folder = {"uri": home.project.as_uri(), "name": "project"}
        await client.initialize(workspaceFolders=[folder])
        answer = await client.request("impetus/ask", {"question": "How is a call retried with backoff?"})
        assert [source["passage"]["path"] for source in answer["sources"]] == ["retry.py"]


async def test_http_draws_on_the_folders_of_the_editors(home: EngineHome) -> None:
    async with engine(home, serves=False) as running, home.connection() as client:
        await home.begin(client)
        state = ""
        while '"url": "http' not in state:
            await client.barrier()
            state = await ask(home, "state")
        url = state.partition('"url": "')[2].partition('"')[0]
        headers = {"Authorization": f"Bearer {running.keys.create('test').secret}"}
        body = {"model": "impetus", "messages": [{"role": "user", "content": "where is retry_with_backoff?"}]}
        async with httpx.AsyncClient(base_url=url, headers=headers) as http:
            answer = (await http.post("/v1/chat/completions", json=body)).json()
        assert "retry.py" in answer["choices"][0]["message"]["content"]


async def test_the_index_settings_of_an_editor_hold_beside_the_http_port(home: EngineHome) -> None:
    home.write("generated.py", "def retry_with_backoff_generated(): pass\n")
    async with engine(home, serves=False), home.connection() as client:
        await home.begin(client, initializationOptions={"index": {"exclude": ["generated.py"], "watch": False}})
        while '"url": "http' not in await ask(home, "state"):
            await client.barrier()
        found = await client.request("impetus/search", {"query": "retry_with_backoff"})
        assert {hit["path"] for hit in found["hits"]} == {"retry.py"}
        changed = {"settings": {"index": {"exclude": ["retry.py"], "watch": False}}}
        client.notify("workspace/didChangeConfiguration", changed)
        async with asyncio.timeout(PATIENCE_S):
            while {hit["path"] for hit in found["hits"]} != {"generated.py"}:
                found = await client.request("impetus/search", {"query": "retry_with_backoff"})
        assert (await client.request("impetus/status"))["problems"] == []


async def test_a_folder_that_cannot_be_opened_harms_nobody_else(home: EngineHome) -> None:
    async with engine(home) as running, home.connection() as client:
        await asyncio.wait_for(running.url, PATIENCE_S)
        folders = [{"uri": path.as_uri(), "name": path.name} for path in (home.project / ("x" * 300), home.project)]
        await client.initialize(workspaceFolders=folders, initializationOptions={"index": {"watch": False}})
        await client.notification("impetus/statusChanged", lambda status: indexed(status, home.project))
        (problem,) = (await client.request("impetus/status"))["problems"]
        assert "cannot be opened: File name too long" in problem["message"]
        assert not running.task.done()


async def test_a_folder_that_could_not_be_opened_is_tried_again(home: EngineHome) -> None:
    """After a few seconds, as one whose index found no room on a full disk."""
    home.path.mkdir()
    (home.path / "index").write_text("in the way")
    async with engine(home, serves=False), home.connection() as client:
        await client.initialize(workspaceFolders=[{"uri": home.project.as_uri(), "name": "project"}])
        status = await client.notification("impetus/statusChanged", lambda status: status["health"] == "error")
        assert "is not indexed: The index folder" in status["message"]
        (home.path / "index").unlink()
        status = await client.notification("impetus/statusChanged", lambda status: indexed(status, home.project))
        assert (status["health"], status["problems"]) == ("ok", [])


async def test_a_folder_that_new_settings_could_not_open_again_is_not_forgotten(home: EngineHome) -> None:
    async with engine(home, serves=False), home.connection() as client:
        await home.begin(client, initializationOptions={"index": {"watch": False}})
        (home.path / "index").rename(home.path / "aside")
        (home.path / "index").write_text("in the way")
        changed = {"settings": {"index": {"exclude": ["nothing"]}}}
        client.notify("workspace/didChangeConfiguration", changed)
        status = await client.notification("impetus/statusChanged", lambda status: status["health"] == "error")
        assert "is not indexed: The index folder" in status["message"]
        (home.path / "index").unlink()
        (home.path / "aside").rename(home.path / "index")
        client.notifications.clear()
        status = await client.notification("impetus/statusChanged", lambda status: indexed(status, home.project))
        assert (status["health"], status["problems"]) == ("ok", [])


async def test_models_are_loaded_and_unloaded_from_outside(home: EngineHome, tmp_path: Path) -> None:
    home.path.mkdir(parents=True, exist_ok=True)
    (home.path / "settings.toml").write_text(f'[completion]\nmodel = "{make_model(tmp_path / "tiny")}"\n')
    async with engine(home, serves=False):
        found = control.Running(__version__, home.socket, "", os.getpid())

        async def state() -> str:
            models = json.loads(await ask(home, "state"))["models"]
            return next(str(model["state"]) for model in models if model["role"] == "completion")

        await asyncio.to_thread(control.model, found, "load", "completion", PATIENCE_S)
        assert await state() == "ready"
        await asyncio.to_thread(control.model, found, "unload", "completion", PATIENCE_S)
        assert await state() == "not loaded"
        with pytest.raises(ModelError, match="No chat model is configured"):
            await asyncio.to_thread(control.model, found, "load", "chat", PATIENCE_S)
        with pytest.raises(ModelError, match="chat or completion"):
            await asyncio.to_thread(control.model, found, "load", "everything", PATIENCE_S)


async def test_retired_it_leaves_with_its_last_editor(home: EngineHome) -> None:
    async with engine(home, serves=False) as running:
        async with home.connection() as client:
            await home.begin(client, opens=False)
            await ask(home, "retire")
            await client.request("impetus/status")
            assert not running.task.done()
        assert "newer version" in await asyncio.wait_for(running.task, PATIENCE_S)


async def test_retired_it_ends_its_answers_over_http_first(home: EngineHome, upstream: Upstream) -> None:
    home.path.mkdir(parents=True)
    (home.path / "settings.toml").write_text(f'[chat]\nbase_url = "{upstream.url}"\nmodel = "scripted"\n')
    upstream.hold()
    async with engine(home) as running:
        headers = {"Authorization": f"Bearer {running.keys.create('test').secret}"}
        body = {"model": "impetus-plain", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        async with (
            httpx.AsyncClient(base_url=await running.url, headers=headers) as http,
            http.stream("POST", "/v1/chat/completions", json=body) as answer,
        ):
            lines = answer.aiter_lines()
            while "content" not in await anext(lines):
                pass
            await ask(home, "retire")
            async with home.connection() as client:  # comes and goes meanwhile
                await client.initialize()
            upstream.let_go()
            assert [line async for line in lines if line][-1] == "data: [DONE]"
        with pytest.raises(EngineStopped, match="A newer version of Impetus took its place; start it again"):
            await asyncio.wait_for(running.task, PATIENCE_S)


async def test_it_ends_in_good_order_though_nothing_can_be_written(home: EngineHome) -> None:
    """As on a full disk."""
    async with engine(home, serves=False) as running, home.connection() as client:
        await home.begin(client)
        home.take_its_last_words()
        await ask(home, "stop")
        await client.ended()
        assert await asyncio.wait_for(running.task, PATIENCE_S) == "`impetus stop` ended it"
    assert not home.has_socket


async def test_stop_waits_for_the_end_and_the_editors_are_told(home: EngineHome) -> None:
    async with engine(home, serves=False) as running, home.connection() as client:
        await home.begin(client)
        connection, _pid = await asyncio.to_thread(call, home.socket, __version__, "stop")
        await client.ended()
        assert await asyncio.wait_for(running.task, PATIENCE_S) == "`impetus stop` ended it"
        connection.close()
    assert control.running(home.run) == []
    assert address.farewell(home.run, __version__) == "`impetus stop` ended it"


async def test_an_engine_that_cannot_be_made_is_tried_again(home: EngineHome) -> None:
    tries: list[Settings] = []

    async def create(settings: Settings, problems: object) -> object:
        tries.append(settings)
        raise ImpetusError("There is no engine today")

    async with engine(home, create, serves=False), home.connection() as client:  # type: ignore[arg-type]
        await client.initialize()
        with pytest.raises(LspError, match="no engine today"):
            await client.request("impetus/search", {"query": "x"})
        async with home.connection() as other:
            await other.initialize()
            with pytest.raises(LspError, match="no engine today"):
                await other.request("impetus/search", {"query": "x"})
        assert len(tries) == 2


async def test_a_port_that_it_was_told_to_open_and_cannot_ends_it(home: EngineHome) -> None:
    home.path.mkdir()
    (home.path / "settings.toml").write_text('[http]\nhost = "0.0.0.0"\nrequire_key = false\n')
    async with engine(home) as running:
        with pytest.raises(BadRequest, match="require_key"):
            await asyncio.wait_for(running.task, PATIENCE_S)
