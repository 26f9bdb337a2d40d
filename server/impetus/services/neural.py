"""The neural embedder as the services use it: asked for queries within a deadline, for chunks while nobody waits.

A query never waits long and never fails because of it: without a vector in time it is answered by words and static
vectors, and the vector is there when the query comes again.
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

from impetus.domain.canary import sound
from impetus.domain.ports import Embedder, Vectors
from impetus.errors import BadVectors, EngineStopped, ImpetusError
from impetus.services.background import Background
from impetus.services.dispatcher import BackendState, Dispatcher

log = logging.getLogger(__name__)

#: Longest a query waits for its vector, in seconds from when it was asked for.
DEADLINE_S = 0.25
#: So long after the last query, completion or change the background goes on.
QUIET_S = 1.0
#: Queries at once; beyond it they go without.
_QUERIES = 2
_KEPT_QUERIES = 256
#: After a failed query the next so many seconds go without.
_PAUSE_S = 15.0
#: The background waits so long after a failure, and twice as long after each further one.
RETRY_S = 2.0


class Neural:
    """`embedder` may have a `close`. `background` makes chunks wait while the machine is to be spared. Made by the
    composition root; the engine closes it.
    """

    def __init__(
        self,
        embedder: Embedder,
        background: Background | None = None,
        *,
        deadline: float = DEADLINE_S,
        quiet: float = QUIET_S,
        retry: float = RETRY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.embedder = embedder
        self._background = background
        self._deadline = deadline
        self.retry = retry
        self._quiet = quiet
        self._clock = clock
        self._used = -quiet
        self._failure = ""
        self._failed_at = -_PAUSE_S
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._asked = 0
        self._queries = ThreadPoolExecutor(_QUERIES, thread_name_prefix="embed-query")
        # One thread for all roots: one batch at a time, and no core more.
        self._chunks = ThreadPoolExecutor(1, thread_name_prefix="embed-chunks")

    @property
    def id(self) -> str:
        return self.embedder.id

    @property
    def failure(self) -> str:
        """What the person should know, "" when the embedder works or was not used yet."""
        return self._failure

    @property
    def waits(self) -> str:
        """Why chunks wait for the machine, "" while they do not."""
        return self._background.reason if self._background is not None else ""

    @property
    def backends(self) -> tuple[BackendState, ...]:
        """Where the model may be computed on this machine, the preferred backend first; empty for a server's model."""
        return self.embedder.states() if isinstance(self.embedder, Dispatcher) else ()

    def try_backends(self) -> None:
        """Let every backend that was not tried prove itself now. Raises ModelError; takes up to a minute."""
        self.embedder.embed(["try"])

    def embedders(self) -> Mapping[str, Embedder]:
        """Backend → what computes the model on it."""
        if isinstance(self.embedder, Dispatcher):
            return {one.name: one.embedder for one in self.embedder.backends}
        return {"server": self.embedder}

    # -- queries -------------------------------------------------------------------------------------------------------

    def ask(self, text: str) -> "Asked":
        """Begin with the vector of a query; the caller does other work before it takes `result`."""
        self.touch()
        until = self._clock() + self._deadline
        with self._lock:
            kept = self._kept.get(text)
            if kept is not None:
                self._kept.move_to_end(text)
                return Asked(kept)
            if self._asked >= _QUERIES or self._clock() - self._failed_at < _PAUSE_S:
                return Asked(None)
            self._asked += 1
        try:
            return Asked(self._queries.submit(self._query, text), until, self._clock)
        except RuntimeError:  # shutting down
            return Asked(None)

    def _query(self, text: str) -> Vectors | None:
        try:
            vector = self.embedder.embed_query(text)
        except ImpetusError as error:
            self._fail(error)
            self._failed_at = self._clock()
            return None
        except Exception:  # a defect of ours, or of a library
            log.exception("embedding model %s failed at a query", self.id)
            self._failed_at = self._clock()
            return None
        finally:
            with self._lock:
                self._asked -= 1
        with self._lock:
            self._kept[text] = vector
            while len(self._kept) > _KEPT_QUERIES:
                self._kept.popitem(last=False)
        self._failure = ""
        return vector

    # -- the background ------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """Somebody works: the background holds its breath."""
        self._used = self._clock()

    async def quiet(self) -> None:
        """Until nobody has asked for anything for a moment."""
        while (left := self._used + self._quiet - self._clock()) > 0:  # noqa: ASYNC110 - `touch` may come in between
            await asyncio.sleep(left)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Raises ModelError. One batch of all roots at a time."""
        if self._background is not None:
            await self._background.wait()
        try:
            work = asyncio.get_running_loop().run_in_executor(self._chunks, self.embedder.embed, texts)
        except RuntimeError as error:
            raise EngineStopped("Impetus is shutting down") from error
        try:
            vectors = await work
        except ImpetusError as error:
            self._fail(error)
            raise
        if not sound(vectors, len(texts)):
            broken = BadVectors(f"The embedding model {self.id} gives vectors that are zero or not finite")
            self._fail(broken)
            raise broken
        self._failure = ""
        return vectors

    def _fail(self, error: ImpetusError) -> None:
        if not self._failure:
            log.warning("embedding model %s: %s", self.id, error)
        self._failure = str(error)

    def close(self) -> None:
        """Running work is left to end by itself."""
        for pool in (self._queries, self._chunks):
            pool.shutdown(wait=False, cancel_futures=True)
        end: Any = getattr(self.embedder, "close", None)
        if end is not None:
            end()


class Asked:
    """A query's vector under way."""

    def __init__(
        self,
        vector: "Vectors | Future[Vectors | None] | None",
        until: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vector = vector
        self._until = until
        self._clock = clock

    def result(self) -> Vectors | None:
        """The vector, None when there is none in time."""
        if not isinstance(self._vector, Future):
            return self._vector
        try:
            return self._vector.result(max(0.0, self._until - self._clock()))
        except (TimeoutError, CancelledError):
            return None
