"""Where an embedding model is computed: on the best backend that gives the right vectors, and on the next one when it
stops to. All backends of a model give one vector space, so they may take each other's place at any time.

A backend is tried on the canary before it is used, in the background: queries never wait for it. What was found is kept
for as long as the model, the system and the chip stay the same.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from impetus.domain.canary import TEXTS, Verdict, judge, sound
from impetus.domain.ports import Embedder, Vectors, Verdicts
from impetus.errors import BadVectors, Busy, EngineStopped, ModelError, ModelUnavailable

log = logging.getLogger(__name__)

#: A text of 128 tokens or so, and how often it is timed.
_TIMED_TEXT = "def total(prices, rate):\n    return sum(price * (1 + rate) for price in prices)\n" * 4
_TIMES = 5
#: Texts of the canary between two looks at whether the engine is closing.
_STEP = 8


@dataclass(frozen=True, slots=True)
class Backend:
    """`embedder` may have a `close`, which gives its memory back until it is used again. `placed` is the least share
    of operations that run where they should; asked after the backend was used. Raises ModelError.
    """

    name: str
    embedder: Embedder
    placed: Callable[[], float] | None = None


State = Literal["in use", "ready", "untried", "left", "failed"]


@dataclass(frozen=True, slots=True)
class BackendState:
    """`left`: an error made this process leave it; `failed`: it gave wrong vectors, or gave them too slowly."""

    name: str
    state: State
    reason: str = ""
    verdict: Verdict | None = None


class Dispatcher:
    """Implements `Embedder`. `backends` are in the order of preference; the last is the reference, needs no canary and
    has to work anywhere. `strain` says why the machine is too strained to be timed. Safe to use from several threads,
    but `embed` is meant for one: it tries backends.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        verdicts: Verdicts,
        strain: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.backends = tuple(backends)
        self._strain = strain
        self._clock = clock
        self._verdicts = verdicts
        self._lock = threading.Lock()
        self._known = {one.name: verdicts.get(one.name) for one in self.backends[:-1]}
        self._left: dict[str, str] = {}  # backend → why, for the life of this process
        self._closed = False

    @property
    def id(self) -> str:
        return self._reference.embedder.id

    @property
    def dimensions(self) -> int:
        return self._reference.embedder.dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        self._try_backends()
        return self._computed(lambda embedder: embedder.embed(texts), len(texts))

    def embed_query(self, text: str) -> Vectors:
        return cast(Vectors, self._computed(lambda embedder: embedder.embed_query(text)[None], 1)[0])

    def close(self) -> None:
        """A canary under way ends at its next step."""
        self._closed = True
        for backend in self.backends:
            _release(backend)

    @property
    def backend(self) -> str:
        """The name of the one in use."""
        return self._chosen().name

    def states(self) -> tuple[BackendState, ...]:
        """Of all backends, the preferred one first."""
        return tuple(self._state(backend) for backend in self.backends)

    # -- the choice ----------------------------------------------------------------------------------------------------

    @property
    def _reference(self) -> Backend:
        return self.backends[-1]

    def _chosen(self) -> Backend:
        return next((one for one in self.backends if self._trusted(one)), self._reference)

    def _trusted(self, backend: Backend) -> bool:
        if backend is self._reference:
            return True
        verdict = self._known[backend.name]
        return verdict is not None and verdict.passed and backend.name not in self._left

    def _state(self, backend: Backend) -> BackendState:
        verdict = self._known.get(backend.name)
        if backend is self._chosen():
            return BackendState(backend.name, "in use", "", verdict)
        if backend.name in self._left:
            return BackendState(backend.name, "left", self._left[backend.name], verdict)
        if self._trusted(backend):
            return BackendState(backend.name, "ready", "", verdict)
        return (
            BackendState(backend.name, "failed", verdict.reason, verdict)
            if verdict
            else BackendState(backend.name, "untried")
        )

    def _computed(self, compute: Callable[[Embedder], Vectors], count: int) -> Vectors:
        """By the chosen backend; by the next one where it fails, until one does not."""
        while True:
            backend = self._chosen()
            try:
                vectors = compute(backend.embedder)
                if sound(vectors, count):
                    return vectors
                raise BadVectors(f"The embedding model {self.id} gives vectors that are zero or not finite")
            except (Busy, EngineStopped):
                raise  # says nothing about the backend
            except BadVectors as error:
                self._demote(backend, Verdict("it gave a vector that is zero or not finite"), error)
            except ModelError as error:
                self._demote(backend, None, error)

    def _demote(self, backend: Backend, verdict: Verdict | None, error: ModelError) -> None:
        """Bad vectors are remembered; a failure may be over when the engine starts anew. Raises `error` where there is
        no other backend.
        """
        if backend is self._reference:
            raise error
        with self._lock:
            if not self._trusted(backend):
                return  # another thread was first
            if verdict is None:
                self._left[backend.name] = str(error)
            else:
                self._known[backend.name] = verdict
                self._verdicts.put(backend.name, verdict)
        log.warning("embeddings move from the %s to the %s: %s", backend.name, self._chosen().name, error)
        _release(backend)

    # -- the canary ----------------------------------------------------------------------------------------------------

    def _try_backends(self) -> None:
        """Every one that was not tried, those too that are only there to take a better one's place: a bad vector must
        not wait for a canary. A hot machine times nothing: then they stay untried.
        """
        for number, backend in enumerate(self.backends[:-1]):
            if self._known[backend.name] is not None or backend.name in self._left:
                continue
            if self._strain():
                return
            try:
                verdict = self._canary(backend, self.backends[number + 1 :])
            except (Busy, EngineStopped):
                raise
            except BadVectors as error:
                verdict = Verdict(str(error))
            except ModelError as error:
                log.log(
                    logging.INFO if isinstance(error, ModelUnavailable) else logging.WARNING,
                    "embeddings are not computed on the %s: %s",
                    backend.name,
                    error,
                )
                self._left[backend.name] = str(error)
                continue
            self._known[backend.name] = verdict
            self._verdicts.put(backend.name, verdict)
            log.info("embeddings on the %s: %s", backend.name, verdict.reason or "the canary passed")
            if not verdict.passed:
                _release(backend)
            if self._chosen() is not self._reference:
                _release(self._reference)

    def _canary(self, backend: Backend, others: Sequence[Backend]) -> Verdict:
        vectors, expected = self._canary_vectors(backend), self._canary_vectors(self._reference)
        if not sound(expected, len(TEXTS)):
            raise ModelError(f"The embedding model {self.id} gives vectors that are zero or not finite on the CPU")
        placed = backend.placed() if backend.placed is not None else None
        seconds, other_seconds = self._seconds(backend, self._other(others))
        return judge(vectors, expected, placed=placed, seconds=seconds, other_seconds=other_seconds)

    def _canary_vectors(self, backend: Backend) -> Vectors:
        parts = []
        for start in range(0, len(TEXTS), _STEP):
            if self._closed:
                raise EngineStopped("Impetus is shutting down")
            parts.append(backend.embedder.embed(TEXTS[start : start + _STEP]))
        return np.concatenate(parts)

    def _seconds(self, *backends: Backend) -> list[float]:
        """Of a text, the shortest of some: they take turns, so that whatever else the machine does meets all alike."""
        took: dict[str, list[float]] = {backend.name: [] for backend in backends}
        for _ in range(_TIMES):
            for backend in backends:
                began = self._clock()
                backend.embedder.embed([_TIMED_TEXT])
                took[backend.name].append(self._clock() - began)
        return [min(took[backend.name]) for backend in backends]

    def _other(self, others: Sequence[Backend]) -> Backend:
        """The first that works; the reference does."""
        for other in others[:-1]:
            if other.name in self._left:
                continue
            try:
                other.embedder.embed([_TIMED_TEXT])  # loads it
                return other
            except ModelError as error:
                log.info("the %s cannot be timed: %s", other.name, error)
        return others[-1]


def _release(backend: Backend) -> None:
    end: Any = getattr(backend.embedder, "close", None)
    if end is not None:
        end()
