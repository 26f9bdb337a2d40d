"""One editor's connection: what the editor has told us, and the session of the engine that serves it.

The engine comes up in the background, so that `initialize` is answered first; requests wait for it in `session()`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from impetus.domain.types import Cursor, Document, EngineStatus, Health, Problem
from impetus.errors import ImpetusError, NotFound
from impetus.lsp.convert import key_of
from impetus.lsp.host import EngineHost
from impetus.lsp.positions import offset_at
from impetus.lsp.rpc import SessionProtocol
from impetus.services.workspace import OpenDocuments

if TYPE_CHECKING:
    from impetus.config import Settings
    from impetus.services.engine import Engine
    from impetus.services.session import Session

log = logging.getLogger(__name__)

#: After an engine could not be made, requests are answered with the reason for so long before it is tried again; a
#: folder that could not be opened is tried again after as long.
RETRY_AFTER_S: Final = 5.0

NO_ENGINE: Final = "The engine could not be started; its log says why"


class Client:
    """`documents` is what the editor has open; `on_change` is called when what people see may have changed."""

    def __init__(self, rpc: SessionProtocol, host: EngineHost) -> None:
        self.rpc = rpc
        self.capabilities = lsp.ClientCapabilities()
        self.editor = ""  # what the client calls itself
        self.cut_off = ""  # why the engine closed the connection, where it was not the client's wish
        self.encoding: str = lsp.PositionEncodingKind.Utf16.value
        self.documents = OpenDocuments()
        self.roots: list[Path] = []
        self.initial_settings: Mapping[str, Any] = {}
        self.settings: Mapping[str, Any] = {}
        self.on_change: Callable[[], None] = lambda: None
        self.inline_requests = 0  # how many have come; the last one counts
        self._host = host
        self._engine: Engine | None = None
        self._session: Session | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._opening: asyncio.Task[Session] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._failure: str = ""
        self._failed_at = 0.0
        self._problems: list[str] = []
        self._unopened: dict[Path, str] = {}  # folders that could not be opened, and why
        self._opening_again: asyncio.TimerHandle | None = None
        self._shown: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the session of the engine -----------------------------------------------------------------------------------

    async def session(self) -> "Session":
        """The session, once it is there. Raises why it cannot be."""
        if self._opening is None or self._may_retry():
            self.connect()
        opening = None
        while opening is not self._opening:  # settings may have changed while we waited
            opening = self._opening
            assert opening is not None
            if not opening.done():
                await asyncio.wait([opening])
        assert opening is not None
        return opening.result()

    @property
    def session_now(self) -> "Session | None":
        return self._session

    def connect(self, first: Awaitable[None] | None = None) -> None:
        """Get the engine for the settings as they are after `first`; the session stays when it is the same engine."""
        self._opening = asyncio.create_task(self._connect(first))
        self._opening.add_done_callback(self._connected)
        self.on_change()

    async def _connect(self, first: Awaitable[None] | None) -> "Session":
        async with self._one_at_a_time:
            if first is not None:
                await first
            engine, settings, self._problems = await self._host.engine(self.settings)
            session = self._session
            if session is not None and engine is self._engine:
                with contextlib.suppress(ImpetusError):  # told below, for each folder
                    await session.configure(settings)
            else:
                session = await self._new_session(engine, settings)
            self._unopened.clear()
            for root in self.roots:
                if root not in session.roots:
                    await self._open_root(session, root)
            return session

    async def _new_session(self, engine: "Engine", settings: "Settings") -> "Session":
        self._unsubscribe()
        if self._session is not None:
            await self._session.close()
        session = self._host.session(engine, settings)
        for document in self.documents.snapshot().values():
            session.documents.set(document)
        self.documents = session.documents
        self._engine, self._session = engine, session
        self._unsubscribe = engine.subscribe(lambda _status: self.on_change())
        return session

    def _connected(self, task: "asyncio.Task[Session]") -> None:
        error = None if task.cancelled() else task.exception()
        self._failure = ""
        if error is not None:
            self._failed_at = asyncio.get_running_loop().time()
            self._failure = str(error) if isinstance(error, ImpetusError) else NO_ENGINE
            log.error("The engine could not be started", exc_info=error)
            self.show(self._failure, lsp.MessageType.Error)
        for problem in self._problems:
            self.show(problem, lsp.MessageType.Warning)
        self.on_change()

    def _may_retry(self) -> bool:
        assert self._opening is not None
        waited = asyncio.get_running_loop().time() - self._failed_at
        return bool(self._failure) and self._opening.done() and waited > RETRY_AFTER_S

    async def stop(self, reason: str) -> None:
        """End this session from our side: each request under way is answered with the reason."""
        self.cut_off = reason
        await self.rpc.stop_requests(reason)

    async def close(self) -> None:
        """Stop what this session has under way; what others share stays."""
        self.on_change = lambda: None
        self._unsubscribe()
        self._unsubscribe = lambda: None
        self.rpc.cancel_requests()
        for task in list(self._tasks):
            task.cancel()
        pending = [task for task in (self._opening, *self._tasks) if task is not None]
        await asyncio.gather(*pending, return_exceptions=True)
        if self._opening_again is not None:
            self._opening_again.cancel()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # -- folders -----------------------------------------------------------------------------------------------------

    async def change_roots(self, added: list[Path], removed: list[Path]) -> None:
        self.roots = [root for root in self.roots if root not in removed]
        new = [root for root in added if root not in self.roots]
        self.roots += new
        async with self._one_at_a_time:
            if self._session is not None:
                for root in removed:
                    self._unopened.pop(root, None)
                    await self._session.close_root(root)
                for root in new:
                    if root not in self._session.roots:  # opened meanwhile, with the engine
                        await self._open_root(self._session, root)
        self.on_change()

    async def _open_root(self, session: "Session", root: Path) -> None:
        self._unopened.pop(root, None)
        try:
            await session.open_root(root)
        except ImpetusError as error:
            self._unopened[root] = f"{root} is not indexed: {error}"
            self.show(self._unopened[root], lsp.MessageType.Warning)
            self._open_later()

    def _open_later(self) -> None:
        """What is in the way may go: a full disk gets room, a folder comes back."""
        if self._opening_again is not None:
            self._opening_again.cancel()
        loop = asyncio.get_running_loop()
        self._opening_again = loop.call_later(RETRY_AFTER_S, lambda: self.background(self._open_again()))

    async def _open_again(self) -> None:
        async with self._one_at_a_time:
            for root in tuple(self._unopened):
                if self._session is not None:
                    await self._open_root(self._session, root)
        self.on_change()

    # -- documents ---------------------------------------------------------------------------------------------------

    def document(self, uri: str) -> Document:
        document = self.documents.get(key_of(uri))
        if document is None:
            raise NotFound(f"{uri} is not open; send textDocument/didOpen before a request about it")
        return document

    def cursor(self, uri: str, position: lsp.Position) -> Cursor:
        document = self.document(uri)
        return Cursor(document, offset_at(document.text, position, self.encoding))

    # -- what people see ---------------------------------------------------------------------------------------------

    def status(self) -> EngineStatus:
        if self._failure:
            return EngineStatus(Health.ERROR, self._failure, problems=(Problem("engine", self._failure),))
        if self._session is None:
            return EngineStatus(Health.OK, "Starting")
        state = self._session.status()
        known = {problem.message for problem in state.problems}
        more = tuple(Problem("settings", text) for text in self._problems if text not in known)
        more += tuple(Problem(str(root), text) for root, text in self._unopened.items())
        state = replace(state, problems=state.problems + more)
        if self._unopened and state.health is not Health.ERROR:
            return replace(state, health=Health.ERROR, message=next(iter(self._unopened.values())))
        return state

    def show(self, message: str, kind: lsp.MessageType) -> None:
        """A message in the editor, once for the life of the connection."""
        if message not in self._shown and not self.rpc.shut_down:
            self._shown.add(message)
            self.rpc.notify(lsp.WINDOW_SHOW_MESSAGE, lsp.ShowMessageParams(type=kind, message=f"Impetus: {message}"))

    # -- work beside the requests ------------------------------------------------------------------------------------

    async def ask_client(self, method: str, params: Any) -> Any:
        """A request to the editor. Raises JsonRpcException when it refuses."""
        return await self.rpc.send_request_async(method, params)

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside the requests; a failure is logged and harms nothing else."""
        task = asyncio.create_task(self._logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _logged(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except JsonRpcException as error:
            log.info("The editor refused a request: %s", error)
        except ImpetusError as error:
            log.warning("%s", error)
        except Exception:
            log.exception("Work in the background failed")
