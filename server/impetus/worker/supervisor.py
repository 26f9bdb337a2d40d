"""The engine's `ModelWorker`: brings the worker process up when it is needed, replaces one that died, ends an idle one.

What a dying process had under way fails with the reason and is not tried again here. A model that was at work in two
deaths, with no answer completed between them, is not loaded again until a person asks for it.
"""

import asyncio
import contextlib
import itertools
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from impetus.domain.ports import HeldModel, Vectors
from impetus.domain.types import End, Priority, Prompt, Sampling, Step
from impetus.errors import BadRequest, Busy, EngineStopped, ImpetusError, ModelError
from impetus.worker import messages
from impetus.worker.messages import (
    Answer,
    Cancel,
    Done,
    Embedded,
    Ended,
    Failed,
    Held,
    Pong,
    Request,
    Stepped,
    ToEngine,
    Working,
)
from impetus.worker.process import Patience, WorkerProcess

log = logging.getLogger(__name__)

#: Deaths, with no completed answer between them, after which a model is not loaded again by itself.
LETHAL = 2

#: Longest pause before the process is started again, in seconds; the first start after a death is at once.
LONGEST_PAUSE = 30.0


class _Pending:
    """A request under way: the models that it needs, and what came for it."""

    def __init__(self, models: tuple[str, ...]) -> None:
        self.models = models
        self.answers: asyncio.Queue[Answer | ImpetusError] = asyncio.Queue()

    async def next(self) -> Answer:
        """Raises what the worker raised, or why it cannot answer any more."""
        answer = await self.answers.get()
        if isinstance(answer, ImpetusError):
            raise answer
        if isinstance(answer, Failed):
            raise messages.error_of(answer)
        return answer


class Supervisor:
    """`command` starts a worker (`--fd N` is added). The process ends after `idle_s` seconds without a request."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        idle_s: float = 300.0,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = tuple(command)
        self._idle_s = idle_s
        self._patience = patience or Patience()
        self._clock = clock
        self._process: WorkerProcess | None = None
        self._changing = asyncio.Lock()  # held while a process starts or stops
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._held: dict[str, HeldModel] = {}
        self._failures: dict[str, str] = {}  # outlive the process that met them
        self._working = ""
        self._deaths = 0  # since an answer was completed
        self._last_end = ""
        self._blame: Counter[str] = Counter()
        self._not_before = 0.0
        self._listeners: list[Callable[[], None]] = []
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._closed = False

    # -- the port ------------------------------------------------------------------------------------------------------

    async def stream(
        self, model: Path, prompt: Prompt, sampling: Sampling, priority: Priority, draft: Path | None = None
    ) -> AsyncGenerator[Step, None]:
        name, beside = str(model), str(draft) if draft is not None else ""
        self._check(name)
        if self._is_lethal(beside):
            beside = ""  # the answer is the same without it

        def start(number: int) -> Request:
            return messages.start(number, name, prompt, sampling, priority, beside)

        async with self._request((name, beside), start) as request:
            while True:
                answer = await request.next()
                assert isinstance(answer, Stepped)
                yield answer.step
                if isinstance(answer.step, End):
                    return

    async def embed(self, embedder: str, texts: Sequence[str]) -> Vectors:
        self._check(embedder)
        async with self._request((embedder,), lambda number: messages.Embed(number, embedder, tuple(texts))) as request:
            answer = await request.next()
        assert isinstance(answer, Embedded)
        return np.frombuffer(answer.vectors, "<f4").reshape(-1, answer.dimensions)

    async def load(self, model: Path, *, asked: bool = True) -> None:
        if asked:
            self._blame.pop(str(model), None)
            self._failures.pop(str(model), None)
        self._check(str(model))
        await self._call(str(model), lambda number: messages.Load(number, str(model)))

    async def unload(self, model: Path) -> None:
        self._failures.pop(str(model), None)
        if str(model) in self._held:
            await self._call(str(model), lambda number: messages.Unload(number, str(model)))

    def states(self) -> Mapping[Path, HeldModel]:
        failed = {name: HeldModel("failed", reason) for name, reason in self._failures.items()}
        return {Path(name): state for name, state in (failed | self._held).items()}

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def close(self) -> None:
        """End the process; what is under way is told so first. May be called twice."""
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        self._fail_all(lambda: EngineStopped("The engine is shutting down; the request was stopped"))
        async with self._changing:
            if self._process is not None:
                await self._process.stop()

    # -- requests ------------------------------------------------------------------------------------------------------

    def _check(self, model: str) -> None:
        if self._is_lethal(model):
            raise ModelError(_lethal(model, self._blame[model]))

    def _is_lethal(self, model: str) -> bool:
        return self._blame[model] >= LETHAL

    async def _call(self, model: str, make: Callable[[int], Request]) -> Done:
        async with self._request((model,), make) as request:
            answer = await request.next()
        assert isinstance(answer, Done)
        return answer

    @contextlib.asynccontextmanager
    async def _request(self, models: tuple[str, ...], make: Callable[[int], Request]) -> AsyncIterator[_Pending]:
        """One request from its sending to its last answer; left earlier, it is cancelled."""
        process = await self._running()
        number = next(self._numbers)
        request = self._pending[number] = _Pending(models)
        try:
            try:
                process.send(make(number))
            except UnicodeEncodeError as error:
                raise BadRequest(
                    "The text holds half of a surrogate pair, which no model can read; save it as valid Unicode",
                    parameter="prompt",
                ) from error
            yield request
        finally:
            if self._pending.pop(number, None) is not None:
                process.send(Cancel(number))
            self._rest()

    async def _running(self) -> WorkerProcess:
        """The process, started where there is none. Raises Busy during the pause after deaths."""
        async with self._changing:
            if self._closed:
                raise EngineStopped("The engine is shutting down; start it again")
            if self._idle is not None:
                self._idle.cancel()
            if self._process is None:
                wait = self._not_before - self._clock()
                if wait > 0:
                    raise Busy(
                        f"The model process ended {self._deaths} times in a row, the last time it {self._last_end}; it "
                        f"starts in {math.ceil(wait)} s",
                        retry_after=wait,
                    )
                try:
                    self._process = await WorkerProcess.start(self._command, self._receive, self._ended, self._patience)
                except OSError as error:
                    raise ModelError(
                        f"The model process cannot be started: {error}; local models need it, remote ones do not"
                    ) from error
            return self._process

    def _rest(self) -> None:
        """Nothing is under way any more: the process may stay for a while."""
        if self._pending or self._process is None or self._closed:
            return
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._end_idle)

    def _end_idle(self) -> None:
        self._ending = asyncio.create_task(self._stop_idle())

    async def _stop_idle(self) -> None:
        async with self._changing:
            if self._process is not None and not self._pending:
                log.info("The model process ends after %.0f s without work", self._idle_s)
                await self._process.stop()

    # -- what the process says -----------------------------------------------------------------------------------------

    def _receive(self, message: ToEngine) -> None:
        match message:
            case Working(model):
                self._working = model
            case Held(models):
                self._held = models
                for name, state in models.items():
                    if state.state == "failed":
                        self._failures[name] = state.detail
                    else:
                        self._failures.pop(name, None)
                self._changed()
            case Pong():
                pass
            case answer:
                self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        request = self._pending.get(answer.number)
        if request is None:
            return  # it left meanwhile
        if isinstance(answer, Ended | Embedded):
            self._deaths = 0
            for model in request.models:
                self._blame.pop(model, None)
        if not isinstance(answer, Stepped) or isinstance(answer, Ended):
            del self._pending[answer.number]  # nothing is left to cancel
        request.answers.put_nowait(answer)

    def _ended(self, how: str, asked: bool) -> None:
        """The process is gone, and with it what it held; everything it had under way fails."""
        self._process, self._held = None, {}
        model, self._working = self._working, ""
        if not asked:
            self._deaths += 1
            self._not_before = self._clock() + pause_after(self._deaths)
            if model:
                self._blame[model] += 1
                if self._is_lethal(model):
                    self._failures[model] = _lethal(model, self._blame[model])
        self._last_end = f"{how} while it worked for {Path(model).name}" if model else how
        log.log(logging.INFO if asked else logging.ERROR, "The model process %s", self._last_end)
        self._fail_all(lambda: ModelError(f"The model process {self._last_end}; it starts again by itself: ask again"))
        self._changed()

    def _fail_all(self, error: Callable[[], ImpetusError]) -> None:
        pending, self._pending = self._pending, {}
        for request in pending.values():
            request.answers.put_nowait(error())

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()


def pause_after(deaths: int) -> float:
    """Seconds before the next start, after so many deaths in a row."""
    if deaths < 2:
        return 0.0
    return min(LONGEST_PAUSE, 2.0 ** min(deaths - 2, 10))  # a float has no room for 2 ** 1024


def _lethal(model: str, deaths: int) -> str:
    return (
        f"The model {Path(model).name} ended the model process {deaths} times in a row and is not loaded again by "
        "itself; choose another one, or try it again with `impetus models load chat` (or completion), or by restarting "
        "Impetus"
    )
