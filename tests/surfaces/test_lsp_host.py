"""Where the engine of a session comes from: shared on a socket, or an own one that follows the settings."""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.lsp_client import EditorSession, LspClient, LspError
from tests.support.scripted_session import Script, ScriptedEngine

from impetus import config
from impetus.config import Settings
from impetus.errors import BadRequest
from impetus.lsp.host import OwnEngine, SharedEngine
from impetus.lsp.server import converse, new_server


async def test_two_editors_on_the_socket_of_one_engine(home: Path) -> None:
    engine: Any = ScriptedEngine(Script())
    ended: list[bool] = []
    sessions: list[asyncio.Task[None]] = []
    clients: list[LspClient] = []

    async def shared() -> Any:
        return engine

    async def session(theirs: socket.socket) -> None:
        host = SharedEngine(shared, {}, lambda engine, _settings: EditorSession(engine))
        ended.append(await converse(*await asyncio.open_connection(sock=theirs), new_server(host)))

    for _ in range(2):
        ours, theirs = socket.socketpair()
        sessions.append(asyncio.create_task(session(theirs)))
        clients.append(LspClient(*await asyncio.open_connection(sock=ours)))
    first, second = clients
    await first.initialize(initializationOptions={"chatt": {}})
    await second.initialize()
    shown = await first.notification("window/showMessage")
    assert "'chatt'" in shown["message"]
    first.open("untitled:a", "text")
    await first.request("impetus/reindex")
    with pytest.raises(LspError, match="is not open"):
        await second.request(
            "impetus/explain", {"textDocument": {"uri": "untitled:a"}, "position": {"line": 0, "character": 0}}
        )
    await first.leave()
    await sessions[0]
    assert (await second.request("impetus/status"))["message"] == "Ready"
    await second.hang_up()
    await sessions[1]
    assert ended == [True, False]
    assert not engine.closed
    assert engine.listeners == []
    await first.hang_up()


class Created:
    """Engines as they are made, with the settings and problems they were made of."""

    def __init__(self) -> None:
        self.engines: list[ScriptedEngine] = []
        self.problems: list[list[str]] = []

    async def __call__(self, settings: Settings, problems: Sequence[str]) -> Any:
        assert all(engine.closed for engine in self.engines)  # two at once would fight for the index
        self.engines.append(ScriptedEngine(Script(), settings))
        self.problems.append(list(problems))
        return self.engines[-1]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPETUS_HOME", str(tmp_path))
    return tmp_path


async def test_an_own_engine_lives_until_the_settings_differ(home: Path) -> None:
    (home / "settings.toml").write_text('[search]\nlimit = 4\n[chatt]\nmodel = "x"\n')
    create = Created()
    host = OwnEngine(create)
    first, settings, problems = await host.engine({})
    assert settings == first.settings
    assert first.settings.search.limit == 4
    assert create.problems == [problems]  # of the file: they last
    same, _settings, more = await host.engine({"search": {"limit": 4, "limits": 5}})
    assert same is first
    assert len(more) == 2  # the editor's own is told to the editor only
    other, _settings, _problems = await host.engine({"search": {"limit": 5}})
    assert other is not first
    assert [engine.closed for engine in create.engines] == [True, False]
    with pytest.raises(BadRequest):
        await host.engine({"http": {"port": "many"}})
    assert not create.engines[-1].closed
    await host.close()
    await host.close()
    assert create.engines[-1].closed


async def test_editors_of_one_engine_have_settings_of_their_own(home: Path) -> None:
    (home / "settings.toml").write_text("[search]\nlimit = 4\nper_file = 3\n[http]\nport = 7001\n")
    engine: Any = ScriptedEngine(Script(), config.load()[0])

    async def shared() -> Any:
        return engine

    first = SharedEngine(shared, {"IMPETUS_SEARCH_LIMIT": "5", "IMPETUS_HTTP_PORT": "7001"})
    second = SharedEngine(shared, {})
    one, settings, problems = await first.engine({"chat": {"passages": 2}})
    assert (settings.search.limit, settings.search.per_file, settings.chat.passages) == (5, 3, 2)
    assert problems == []  # the port in its environment is the one that the engine has
    other, settings, problems = await second.engine({"search": {"limit": 6}, "http": {"port": 9, "require_key": False}})
    assert one is other is engine
    assert (settings.search.limit, settings.http.port, settings.http.require_key) == (6, 7001, True)
    assert len(problems) == 2
    assert "'http.port' belongs to the engine" in problems[0]
    assert str(home / "settings.toml") in problems[0]
