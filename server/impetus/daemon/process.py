"""The life of the engine's process: lock, socket, HTTP port, signals, idle exit, and an orderly end.

The same for `impetus serve` in a terminal and for the engine that a shim starts in the background.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from impetus import __version__, config
from impetus.daemon import address, allocator, control, descriptors, state
from impetus.daemon.http import HttpPort
from impetus.daemon.idle import Idle
from impetus.daemon.lock import EngineLock
from impetus.daemon.server import SocketServer
from impetus.daemon.sessions import Sessions
from impetus.daemon.shared import OneEngine
from impetus.daemon.tidy import Tidy
from impetus.errors import EngineStopped, ImpetusError
from impetus.lsp.host import EngineFactory, session_over_all

if TYPE_CHECKING:
    from impetus.services.keys import Keys
    from impetus.services.models import ModelRole

log = logging.getLogger(__name__)

#: A new engine waits so long for one that is closing its files.
HANDOVER_S: Final = 20.0

_RETIRED: Final = "a newer version of Impetus took its place"

_AT_WORK: Final = frozenset({"scanning", "indexing", "storing"})

#: The event loop waits so long for a thread that computes, not Python's 5 ms: it does so many times in one request.
_SWITCH_S: Final = 0.001

#: An orderly end that takes longer is cut short; the index heals by itself.
_END_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Options:
    """`load` imports the composition root; `listening` is called once editors can connect.

    With `serving`, the HTTP port is what the engine is for: it is told the URL, and the engine ends where it cannot be
    opened. Without, the engine was started for an editor.
    """

    load: Callable[[], EngineFactory]
    open_keys: "Callable[[], Keys]"
    overrides: config.Layer = field(default_factory=dict)
    roots: Sequence[Path] = ()
    listening: Callable[[], None] = lambda: None
    serving: Callable[[str], None] | None = None
    idle_exit_minutes: float = 0  # 0: never


def run(options: Options, *, patience_s: float = 0.0) -> str:
    """Until the engine is stopped; returns why. Raises BadRequest."""
    folder = address.runtime_folder()
    lock = EngineLock(address.engine_lock(folder, __version__), patience_s)
    sys.setswitchinterval(_SWITCH_S)
    allocator.few_arenas()
    descriptors.raise_limit()
    process = EngineProcess(folder, options)
    try:
        return asyncio.run(process.live())
    finally:
        process.ended()
        lock.release()


class EngineProcess:
    def __init__(self, folder: str, options: Options) -> None:
        self._folder = folder
        self._options = options
        self._engine = OneEngine(options.load, options.overrides)
        self._tidy = Tidy()
        self._sessions = Sessions(self._engine.get, self._tidy.after_window)
        self._server = SocketServer(self._sessions, self._state, self._model, self.stop, self._retire)
        self._http: HttpPort | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._watchdog = threading.Timer(_END_S, os._exit, (1,))
        self._watchdog.daemon = True
        self._reason = ""
        self._ending = asyncio.Event()
        self._retired = False
        self._started = 0.0

    async def live(self) -> str:
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop, f"it was told to by {signal.Signals(number).name}")
        address.say_farewell(self._folder, __version__, "")
        await self._server.listen(address.socket_path(self._folder, __version__))
        self._options.listening()
        await asyncio.to_thread(control.retire_others, self._folder)
        try:
            self._spawn(self._open_http())
            self._spawn(self._tidy_after_work())
            if self._options.idle_exit_minutes:
                self._spawn(self._leave_when_idle())
            await self._ending.wait()
        finally:
            await self._end()
        if self._failure is not None:
            raise self._failure
        return self._reason

    def ended(self) -> None:
        self._watchdog.cancel()

    # -- the HTTP port ------------------------------------------------------------------------------------------------

    async def _open_http(self) -> None:
        """In the background the port opens with the engine, which the first editor asks for."""
        insists = self._options.serving is not None
        if not insists:
            await self._engine.made.wait()
        engine = await self._engine.get()
        session = session_over_all(engine)
        for root in self._options.roots:
            await session.open_root(root)
        self._http = http = HttpPort(engine, session, self._options.open_keys, insists=insists)
        serving = self._spawn(http.run())
        if self._options.serving is not None:
            await asyncio.wait([serving, asyncio.ensure_future(http.opened.wait())], return_when="FIRST_COMPLETED")
            if http.url:
                self._options.serving(http.url)
        await serving

    async def _tidy_after_work(self) -> None:
        await self._engine.made.wait()
        (await self._engine.get()).subscribe(lambda _status: self._tidy.after_work())

    # -- when to end --------------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._ending.set()

    def _retire(self) -> None:
        if not self._retired:
            self._retired = True
            self._spawn(self._leave_when_free())

    async def _leave_when_free(self) -> None:
        """Once no editor is connected and no answer over HTTP is under way."""
        while under_way := [*self._sessions.tasks, *(self._http.answers if self._http is not None else ())]:
            await asyncio.wait(under_way)
        if self._options.serving is not None:  # whoever runs it as a service starts it again, now as the newer version
            self._failure = self._failure or EngineStopped(f"{_RETIRED[0].upper()}{_RETIRED[1:]}; start it again")
        self.stop(_RETIRED)

    async def _leave_when_idle(self) -> None:
        clock = asyncio.get_running_loop().time
        idle, requests = Idle(self._options.idle_exit_minutes, clock()), 0
        while not idle.over(clock(), used=self._in_use() or requests != self._requests()):
            requests = self._requests()
            await asyncio.sleep(idle.interval_s)
        self.stop(f"nobody used it for {self._options.idle_exit_minutes:g} minutes")

    def _requests(self) -> int:
        return self._http.requests if self._http is not None else 0

    def _in_use(self) -> bool:
        engine = self._engine.now
        working = engine is not None and any(index.phase in _AT_WORK for index in engine.status().indexes)
        return len(self._sessions) > 0 or working or (self._http is not None and self._http.busy)

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        """Answers under way end with the reason, the files of the indexes are closed, the socket is gone."""
        self._watchdog.start()
        log.info("The engine ends: %s", self._reason)
        address.say_farewell(self._folder, __version__, self._reason)
        self._server.close()
        await self._sessions.stop(f"The engine of Impetus has ended: {self._reason}")
        closing = asyncio.create_task(self._engine.close())  # answers over HTTP end with what their model says
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(closing, *self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        if self._options.serving is not None:
            self._failure = self._failure or task.exception()
            self.stop("it could not serve")
        elif isinstance(task.exception(), ImpetusError):
            log.warning("%s", task.exception())
        else:
            log.error("Work of the engine failed", exc_info=task.exception())

    async def _model(self, action: str, role: "ModelRole") -> None:
        """`load` or `unload` the model that the engine's own settings give a role."""
        engine = await self._engine.get()
        models = engine.models.named_by(engine.settings)
        await (models.load(role) if action == "load" else models.unload(role))

    def _state(self) -> dict[str, Any]:
        now = asyncio.get_running_loop().time()
        url = self._http.url if self._http is not None else ""
        return state.state(self._engine.now, self._sessions, now, self._started, url)
