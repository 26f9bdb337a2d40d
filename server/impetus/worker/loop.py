"""The model thread of the worker: takes requests in, lets the most urgent work take one step, hands steps out.

Between any two steps it looks at what has come: a cancelled sequence computes no further step, and somebody who types
waits for one step of anybody else at most. Knows no model runtime; `load` brings the models in.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from impetus.domain.ports import Embedder, TextModel, Vectors
from impetus.domain.types import End, Priority
from impetus.errors import ImpetusError, ModelError
from impetus.worker import messages
from impetus.worker.messages import Cancel, Embed, Load, Request, Start, Stop, ToEngine, Unload
from impetus.worker.residency import LOOK_S, Loaded, Machine, Residency, unforeseen

log = logging.getLogger(__name__)

#: Texts embedded in one step.
EMBED_BATCH = 32


@dataclass(slots=True)
class _Embedding:
    """Texts on their way to vectors."""

    number: int
    embedder: str
    texts: Sequence[str]
    done: list[Vectors]


class Loop:
    """`inbox` may be filled, and `progress` read, on any thread; all else happens on the thread that calls `run`."""

    def __init__(
        self,
        load: Callable[[Path], TextModel],
        embedder: Callable[[str], Embedder],
        machine: Machine,
        send: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inbox: SimpleQueue[Request | Cancel | Stop] = SimpleQueue()
        self._held = Residency(load, embedder, machine, lambda held: send(messages.Held(held)), self._unloading, clock)
        self._send = send
        self._clock = clock
        self._sequences: dict[int, tuple[str, Priority]] = {}
        self._embeddings: deque[_Embedding] = deque()
        self._steps = 0
        self._embedded = 0  # when embedding had its turn
        self._working = ""
        self._doing = ("", clock())

    def progress(self) -> tuple[str, float]:
        """As in `Pong`."""
        doing, since = self._doing
        return doing, self._clock() - since if doing else 0.0

    def run(self) -> None:
        """Until `Stop`; then every model is closed."""
        while self._take():
            self._held.watch()
            self._step()
        self._held.close()

    # -- what comes in -------------------------------------------------------------------------------------------------

    def _take(self) -> bool:
        """Everything that has come; waits where there is nothing to compute. False: stop."""
        wait = self._next() is None
        if wait:
            self._turn_to("")
        come: list[Request | Cancel | Stop] = []
        try:
            while True:
                come.append(self.inbox.get(wait and not come, LOOK_S))
        except Empty:
            pass
        if any(isinstance(message, Stop) for message in come):
            return False
        cancelled = {message.number for message in come if isinstance(message, Cancel)}
        with self._busy("request"):
            for message in come:
                if isinstance(message, Cancel):
                    self._cancel(message.number)
                elif not isinstance(message, Stop) and message.number not in cancelled:
                    self._guarded(message.number, partial(self._act, message))
        return True

    def _act(self, request: Request) -> None:
        match request:
            case Start(number, name, wrapped, sampling, priority, draft):
                model = self._loaded(name).model
                self._turn_to(name)  # a template, a tokenizer and a grammar can end or hold up the process too
                model.start(number, wrapped.prompt, sampling, priority, self._draft(draft, name) if draft else None)
                self._sequences[number] = (name, priority)
            case Embed(number, embedder, texts):
                self._embeddings.append(_Embedding(number, embedder, texts, []))
            case Load(number, name):
                self._loaded(name)
                self._send(messages.Done(number))
            case Unload(number, name):
                self._held.unload(name)
                self._send(messages.Done(number))

    def _cancel(self, number: int) -> None:
        name, _ = self._sequences.pop(number, ("", None))
        if name in self._held.models:
            self._held.models[name].model.cancel(number)
        self._embeddings = deque(job for job in self._embeddings if job.number != number)

    def _guarded(self, number: int, action: Callable[[], None]) -> None:
        """Run `action`; its error reaches this request alone."""
        try:
            action()
        except ImpetusError as error:
            self._send(messages.failed(number, error))
        except Exception as error:
            log.exception("a request failed")
            self._send(messages.failed(number, unforeseen(error)))

    # -- what is computed ----------------------------------------------------------------------------------------------

    def _next(self) -> tuple[Priority, str] | None:
        """The most urgent work: among equals the model whose turn is longest ago; "" stands for embedding."""
        found = [
            (priority, loaded.stepped, name)
            for name, loaded in self._held.models.items()
            if (priority := loaded.model.waiting()) is not None
        ]
        if self._embeddings:
            found.append((Priority.INDEX, self._embedded, ""))
        if not found:
            return None
        priority, _, name = min(found)
        return priority, name

    def _step(self) -> None:
        work = self._next()
        if work is None:
            return
        priority, name = work
        self._steps += 1
        if name:
            self._step_model(name, priority)
        else:
            self._embed(self._embeddings.popleft())

    def _step_model(self, name: str, priority: Priority) -> None:
        loaded = self._loaded(name)
        loaded.stepped = self._steps
        self._turn_to(name)
        try:
            with self._busy("step"):
                given = loaded.model.step(priority)
        except Exception as error:
            self._lose(name, priority, error)
            return
        told: list[ToEngine] = []
        for number, step in given:
            if number in self._sequences:
                told.append(messages.stepped(number, step))
                if isinstance(step, End):
                    del self._sequences[number]
        if any(isinstance(message, messages.Ended) for message in told):
            told.insert(0, messages.Held(self._held.held()))
        if told:
            self._send(*told)

    def _lose(self, name: str, priority: Priority, error: Exception) -> None:
        """Fail the sequences that the error names; all of this priority when it was not foreseen."""
        lost = error.numbers if isinstance(error, ModelError) else ()
        if not isinstance(error, ImpetusError):
            log.error("a step of %s failed", name, exc_info=error)
            error = unforeseen(error)
        everyone = [number for number, owner in self._sequences.items() if owner == (name, priority)]
        for number in lost or everyone:
            if self._sequences.pop(number, None) is not None:
                self._held.models[name].model.cancel(number)
                self._send(messages.failed(number, error))

    def _embed(self, job: _Embedding) -> None:
        """One batch; the rest of the job waits for its next turn."""

        def embed() -> None:
            self._embedded = self._steps
            self._turn_to(job.embedder)
            batch, job.texts = job.texts[:EMBED_BATCH], job.texts[EMBED_BATCH:]
            job.done.append(self._held.encoder(job.embedder).embed(batch))
            if job.texts:
                self._embeddings.append(job)
                return
            vectors = np.concatenate(job.done).astype("<f4")
            self._send(messages.Embedded(job.number, vectors.shape[1], vectors.tobytes()))

        with self._busy("embed"):
            self._guarded(job.number, embed)

    def _draft(self, name: str, beside: str) -> TextModel | None:
        """The draft of a model; None where it cannot be had, because the answer is the same without it."""
        try:
            return self._loaded(name, beside).model
        except ImpetusError as error:
            log.warning("%s writes without its draft: %s", beside, error)
            return None

    def _loaded(self, name: str, beside: str = "") -> Loaded:
        """The model, loaded where it is not, but not in place of `beside`. Raises ModelError, InsufficientMemory."""
        found = self._held.use(name)
        if found is not None:
            return found
        self._turn_to(name)
        with self._busy("load"):
            return self._held.load(name, beside)

    def _unloading(self, name: str) -> None:
        """Who was being answered is told."""
        for number in [number for number, (owner, _) in self._sequences.items() if owner == name]:
            del self._sequences[number]
            error = ModelError(f"The model {Path(name).name} was unloaded while it was answering; ask again")
            self._send(messages.failed(number, error))

    @contextmanager
    def _busy(self, doing: str) -> Iterator[None]:
        """For `progress`. What goes on afterwards is timed anew: a request may have begun with loading its model."""
        before, _ = self._doing
        self._doing = (doing, self._clock())
        try:
            yield
        finally:
            self._doing = (before, self._clock())

    def _turn_to(self, name: str) -> None:
        if name != self._working:
            self._working = name
            self._send(messages.Working(name))
