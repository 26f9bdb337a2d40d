"""A small editor for tests: raw JSON-RPC over a stream, so that the tests see what really goes over the wire.

`connected` runs a session of the server in this process over a socket pair; nothing waits by the clock.
"""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from impetus.config import Settings
from impetus.domain.types import Completion, Cursor, FollowUp, Outcome, SymbolHit
from impetus.errors import ImpetusError
from impetus.lsp.host import EngineHost
from impetus.lsp.server import converse, new_server
from tests.support.scripted_session import ScriptedEngine, ScriptedSession

PATIENCE_S = 20.0


class LspError(Exception):
    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.data: Any = error.get("data")


class LspClient:
    """`responses`, `notifications` and `asked` hold everything the server sent, in order.

    `answers` maps a server-to-client request to what it is answered with; None there leaves it open.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._arrived = asyncio.Condition()
        self.responses: list[dict[str, Any]] = []
        self.notifications: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.answers: dict[str, Callable[[Any], Any] | None] = {}
        self.closed = False
        self._listening = asyncio.create_task(self._listen())

    # -- sending -----------------------------------------------------------------------------------------------------

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, message: Any) -> None:
        self.send_bytes(framed(message))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def start(self, method: str, params: Any = None) -> int:
        """Send a request; `response` waits for its answer."""
        msg_id = next(self._ids)
        self.send({"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params})
        return msg_id

    def cancel(self, msg_id: int) -> None:
        self.notify("$/cancelRequest", {"id": msg_id})

    async def request(self, method: str, params: Any = None) -> Any:
        return await self.response(self.start(method, params))

    async def initialize(self, capabilities: Mapping[str, Any] | None = None, **params: Any) -> Any:
        result = await self.request(
            "initialize", {"processId": None, "rootUri": None, "capabilities": capabilities or {}, **params}
        )
        self.notify("initialized", {})
        return result

    def open(self, uri: str, text: str, language: str = "python", version: int = 1) -> None:
        document = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    async def leave(self) -> None:
        await self.request("shutdown")
        self.notify("exit")

    async def hang_up(self) -> None:
        self._writer.close()
        await asyncio.wait_for(self._listening, PATIENCE_S)

    # -- waiting -----------------------------------------------------------------------------------------------------

    async def response(self, msg_id: int | str | None) -> Any:
        """The result of a request; LspError for an error."""
        message = await self._first(self.responses, lambda m: m["id"] == msg_id)
        if "error" in message:
            raise LspError(message["error"])
        return message["result"]

    async def notification(self, method: str, matches: Callable[[Any], bool] = lambda _params: True) -> Any:
        message = await self._first(self.notifications, lambda m: m["method"] == method and matches(m["params"]))
        return message["params"]

    async def was_asked(self, method: str) -> Any:
        return (await self._first(self.asked, lambda m: m["method"] == method)).get("params")

    async def answered(self, count: int) -> None:
        """Until the server has sent so many responses."""
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.responses) >= count or self.closed)

    async def barrier(self) -> None:
        """Until the server has handled everything sent before."""
        await self.request("impetus/status")

    def progress(self, token: int | str) -> list[Any]:
        """Values on a token so far."""
        return [
            m["params"]["value"]
            for m in self.notifications
            if m["method"] == "$/progress" and m["params"]["token"] == token
        ]

    async def ended(self) -> None:
        """Until the server has closed the connection."""
        await asyncio.wait_for(asyncio.shield(self._listening), PATIENCE_S)

    async def _first(self, messages: list[dict[str, Any]], matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next(filter(matches, messages), None)

        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None or self.closed)
        message = found()
        if message is None:
            raise ConnectionError("the server closed the connection")
        return message

    # -- receiving ---------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        try:
            while True:
                message = await read_message(self._reader)
                async with self._arrived:
                    self._sort(message)
                    self._arrived.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            async with self._arrived:
                self.closed = True
                self._arrived.notify_all()

    def _sort(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self.responses.append(message)
        elif "id" not in message:
            self.notifications.append(message)
        else:
            self.asked.append(message)
            answer = self.answers.get(message["method"], lambda _params: None)
            if answer is not None:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": answer(message.get("params"))})


def framed(message: Any) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


async def read_message(reader: asyncio.StreamReader) -> dict[str, Any]:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode("ascii").strip().split("\r\n"))
    message: dict[str, Any] = json.loads(await reader.readexactly(int(fields["Content-Length"])))
    return message


class EditorSession(ScriptedSession):
    """A scripted session that also answers what only editors ask."""

    def __init__(self, engine: ScriptedEngine) -> None:
        super().__init__(engine)
        self.found_symbols: list[SymbolHit] = []
        self.completing = asyncio.Event()
        self.may_complete = asyncio.Event()
        self.may_complete.set()
        self.may_index = asyncio.Event()
        self.may_index.set()
        self.cancelled = 0
        self.refusal: ImpetusError | None = None  # of any folder

    async def open_root(self, root: Path) -> None:
        if self.refusal is not None:
            raise self.refusal
        await super().open_root(root)

    def note(self, paths: Iterable[Path], cause: str = "") -> None:
        self.calls.append(("note", tuple(paths)))

    async def indexed(self) -> None:
        await self.may_index.wait()

    async def symbols(self, query: str, limit: int = 50) -> list[SymbolHit]:
        self.calls.append(("symbols", query))
        return self.found_symbols

    async def complete(self, cursor: Cursor, *, explicit: bool = False) -> Completion | None:
        """The scripted text at the cursor, for the document as it was asked about."""
        self.calls.append(("complete", (cursor, explicit)))
        self.completing.set()
        try:
            await self.may_complete.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        scripted = self.script.completion
        if scripted is None:
            return None
        return replace(scripted, start=cursor.offset, end=cursor.offset, version=cursor.document.version)

    async def other_completions(self, cursor: Cursor, number: int) -> list[Completion]:
        self.calls.append(("others", (cursor, number)))
        return [
            replace(other, start=cursor.offset, end=cursor.offset, version=cursor.document.version)
            for other in self.script.others[:number]
        ]

    async def next_edits(self, cursor: Cursor) -> tuple[FollowUp, ...]:
        self.calls.append(("next_edits", cursor))
        return tuple(self.script.follow_ups)

    def tell(self, completion_id: int, outcome: Outcome, characters: int | None = None) -> None:
        self.calls.append(("tell", (completion_id, outcome, characters)))

    def told(self, name: str) -> list[Any]:
        return [what for called, what in self.calls if called == name]


class ScriptedHost:
    """Engines by script: `engines` are handed out one after the other as settings change, exceptions are raised."""

    def __init__(self, *engines: ScriptedEngine | Exception) -> None:
        self._engines = list(engines)
        self.settings: list[dict[str, Any]] = []
        self.sessions: list[EditorSession] = []
        self.problems: list[str] = []
        self.refusal: ImpetusError | None = None  # what opening a folder raises
        self.ready = asyncio.Event()
        self.ready.set()

    async def engine(self, editor: Mapping[str, Any]) -> tuple[Any, Settings, list[str]]:
        await self.ready.wait()
        changed = not self.settings or self.settings[-1] != editor
        self.settings.append(dict(editor))
        if changed and len(self.settings) > 1 and len(self._engines) > 1:
            self._engines.pop(0)
        engine = self._engines[0]
        if isinstance(engine, Exception):
            if len(self._engines) > 1:
                self._engines.pop(0)
            raise engine
        return engine, engine.settings, self.problems

    def session(self, engine: Any, settings: Settings) -> Any:
        self.sessions.append(EditorSession(engine))
        self.sessions[-1].refusal = self.refusal
        return self.sessions[-1]

    @property
    def current(self) -> EditorSession:
        return self.sessions[-1]


@asynccontextmanager
async def connected(host: EngineHost) -> AsyncIterator[LspClient]:
    """A client of one session over a socket pair. The session has ended, however the test went, when this is left."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=theirs)
    session = asyncio.create_task(converse(reader, writer, new_server(host)))
    client = LspClient(*await asyncio.open_connection(sock=ours))
    try:
        yield client
    finally:
        await client.hang_up()
        await asyncio.wait_for(session, PATIENCE_S)
