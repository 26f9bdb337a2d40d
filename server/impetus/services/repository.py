"""The index of one repository: its store, the one thread that writes it, and how it is started over."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from impetus.domain.ports import CatalogReader, CatalogWriter, IndexWorker, VectorStore
from impetus.domain.types import Problem
from impetus.errors import ImpetusError, IndexCorrupt, IndexLocked, IndexReplaced

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Store:
    """`writer` is None while another process keeps this index; then it is read as that process leaves it.

    `vectors` are the static ones, `neural` those of a neural embedder, None where none is configured.
    """

    reader: CatalogReader
    writer: CatalogWriter | None
    vectors: VectorStore
    problems: Callable[[], tuple[Problem, ...]]
    close: Callable[[], None]
    ownable: Callable[[], bool] = lambda: False  # for one without a writer: whether its owner is gone
    neural: VectorStore | None = None

    @property
    def vector_stores(self) -> tuple[VectorStore, ...]:
        return (self.vectors,) if self.neural is None else (self.vectors, self.neural)


class Repository:
    """Shared by all roots (worktrees, subfolders) of one repository."""

    def __init__(self, key: str, open_store: Callable[[bool], Store], worker: IndexWorker | None = None) -> None:
        """`open_store(fresh)` opens the files, after deleting them when `fresh`. `worker` is used on the thread."""
        self.key = key
        self.worker = worker
        self.users = 0
        self.emptied: list[Callable[[], None]] = []  # called on the event loop after a rebuild
        self.lost: list[Callable[[], None]] = []  # called on the event loop when vectors have to be made again
        self._open_store = open_store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"index-{key[:8]}")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._store: Store | None = None
        self._rebuilt: Problem | None = None
        self._retired: list[Store] = []  # replaced while a query may have been reading from it

    @property
    def store(self) -> Store:
        store = self._store
        if store is None:
            raise IndexReplaced
        return store

    def problems(self) -> tuple[Problem, ...]:
        own = (self._rebuilt,) if self._rebuilt else ()
        return own + (self._store.problems() if self._store else ())

    async def run(self, work: Callable[[], T]) -> T:
        """Run blocking work on the index thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._store is None:
            await self.run(self._open)

    def _open(self) -> None:
        if self._store is not None:
            return
        try:
            self._take(self._open_store(False))
        except IndexCorrupt as error:
            self._start_over(str(error))

    def _take(self, store: Store) -> None:
        for vectors in store.vector_stores:
            vectors.on_lost = self._tell_lost
        self._store = store

    def _tell_lost(self) -> None:
        """Called on any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the next start finds what is missing
                self._loop.call_soon_threadsafe(self._say_lost)

    def _say_lost(self) -> None:
        for lost in tuple(self.lost):
            lost()

    async def take_over(self) -> bool:
        """Become the owner once the process that kept this index is gone; whether we own it now.

        Opens what an earlier attempt could not.
        """
        return await self.run(self._take_over)

    def _take_over(self) -> bool:
        former = self._store
        if former is None:
            self._open()
        elif former.writer is None and former.ownable():
            self._take(self._open_store(False))
            self._retired.append(former)
        return self.store.writer is not None

    async def rebuild(self, damage: str = "") -> None:
        """Delete the index and begin with an empty one; it is derived data. Every root is told to fill it again, also
        when it could not be opened anew: then they go on trying. `damage`, if any, is kept for the status.
        """
        try:
            await self.run(lambda: self._start_over(damage))
        finally:
            for emptied in tuple(self.emptied):
                emptied()

    def _start_over(self, damage: str) -> None:
        if self._store is not None and self._store.writer is None and not self._store.ownable():
            raise IndexLocked("Another Impetus process keeps this index; let that one rebuild it, or end it first")
        if self._store is not None:
            store, self._store = self._store, None
            try:
                store.close()
            except ImpetusError as error:  # what is damaged may not even close; it is deleted next
                log.warning("closing index %s: %s", self.key, error)
        self._take(self._open_store(True))
        self._rebuilt = Problem("index", f"{damage}; it was rebuilt from the files") if damage else None

    async def close(self) -> None:
        if self.worker is not None:
            await self.run(self.worker.close)
        for store in (*self._retired, *([self._store] if self._store is not None else ())):
            await self.run(store.close)
        self._store = None
        self._thread.shutdown(wait=True)
