"""The index of one root over time: takes noted paths, brings the index up to date, says how far it is."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from impetus.config import IndexSettings
from impetus.domain.ports import Analyzer, CatalogCounts, Changes, Embedder, FileSource, IndexWorker, Watcher
from impetus.domain.types import IndexProgress, Problem
from impetus.errors import Busy, ImpetusError, IndexCorrupt, IndexFailed
from impetus.services.dirty import DirtySet
from impetus.services.filling import Filling
from impetus.services.indexer import Indexer
from impetus.services.neural import Neural
from impetus.services.repository import Repository
from impetus.services.updating import update

log = logging.getLogger(__name__)

#: Paths under a root that a client has open.
OpenPaths = Callable[[Path], set[str]]

_DAY = 86_400.0
#: A folder that vanished, or an index that another process keeps, is looked at again after so many seconds.
_AGAIN_S = 5.0
#: Problems kept for the status; the count of failures is exact all the same.
_SHOWN_PROBLEMS = 20


class RootIndex:
    def __init__(
        self,
        root: Path,
        repository: Repository,
        files: FileSource,
        embedder: Embedder,
        analyzer: Analyzer,
        watcher: Watcher | None,
        settings: IndexSettings,
        on_change: Callable[[], None],
        neural: Neural | None = None,
    ) -> None:
        self.root = root
        self.repository = repository
        self.users: list[OpenPaths] = []  # one for each client that has the root open
        self.progress = IndexProgress(root, "scanning")
        self.files = files
        self._embedder = embedder
        self._analyzer = analyzer
        self._watcher = watcher
        self.settings = settings
        self._on_change = on_change
        self._dirty = DirtySet()
        self._idle = asyncio.Event()
        self.searchable = asyncio.Event()  # something of this root is in the index
        self.complete = asyncio.Event()  # everything was once, or can not be
        for event in (self._idle, self.searchable, self.complete):
            event.set()  # nothing is noted before `start`
        self._stop = threading.Event()
        self._heal = True  # look at everything, vectors too: at the start, and after what ended in between
        self._skipped = 0  # by rules, as the last walk counted
        self._tidy_at = 0.0  # on the loop's clock
        self._tasks: list[asyncio.Task[None]] = []
        self._watching: asyncio.Task[None] | None = None
        self._watched: tuple[int, int] | None = None  # device and inode of the folder that is watched
        self._again: asyncio.TimerHandle | None = None
        self._settling: asyncio.Task[None] | None = None
        self._neural = neural
        self.filling = (
            Filling(root, repository, files, neural, self.idle, self.open_first, on_change) if neural else None
        )

    def start(self) -> None:
        self.repository.emptied.append(self._refill)
        self.repository.lost.append(self._make_again)
        self.searchable.clear()
        self.complete.clear()
        self.note([self.root])
        self._tasks.append(asyncio.create_task(self._run(), name=f"index {self.root}"))
        if self.filling is not None:
            self._tasks.append(asyncio.create_task(self.filling.run(), name=f"fill {self.root}"))

    def note(self, paths: Iterable[Path]) -> None:
        """Record paths that may have changed; nothing is read here."""
        self._idle.clear()
        if self._neural is not None:
            self._neural.touch()
        self._dirty.note(paths)

    def open_first(self) -> set[str]:
        """Paths to index before all others: what people have open."""
        return {path for open_paths in self.users for path in open_paths(self.root)}

    async def idle(self) -> None:
        """Until everything noted so far is in the index (or has failed)."""
        await self._idle.wait()

    async def close(self) -> None:
        self._stop.set()
        for told, hear in ((self.repository.emptied, self._refill), (self.repository.lost, self._make_again)):
            if hear in told:
                told.remove(hear)
        if self._again is not None:
            self._again.cancel()
        tasks = [*self._tasks, *(task for task in (self._settling, self._watching) if task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for event in (self._idle, self.searchable, self.complete):
            event.set()

    async def _keep_watching(self) -> None:
        """Watch the folder that is there now: one that was deleted and made again is another, whatever its name."""
        if self._watcher is None:
            return
        identity = await asyncio.to_thread(_identity, self.root)
        if identity is not None and identity != self._watched:
            if self._watching is not None:
                self._watching.cancel()
            self._watching = asyncio.create_task(self._watch(self._watcher), name=f"watch {self.root}")
        self._watched = identity

    def _look_again(self) -> None:
        """No event tells that a folder is back, or that the owner of the index is gone."""
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(_AGAIN_S, self._refill)

    async def _watch(self, watcher: Watcher) -> None:
        async with contextlib.aclosing(watcher.watch([self.root])) as batches:  # type: ignore[type-var]
            async for paths in batches:
                # The first batch is empty and means that watching has begun: what changed before is found by a walk.
                self.note(paths or [self.root])

    async def _run(self) -> None:
        while True:
            paths = await self._dirty.take()
            heal, self._heal, done = self._heal, False, False
            try:
                await self._keep_watching()
                owned = await self.repository.take_over()
                if heal and (await self._counts()).files:
                    self._is_complete()  # of an earlier time
                if owned:
                    await self._bring_up_to_date({self.root} if heal else paths, heal=heal)
                    done = True
                else:
                    await self._follow()
                    self._look_again()
            except IndexCorrupt as error:
                await self._start_over(error)
            except ImpetusError as error:
                self._fail(str(error))
                self._look_again()
            except Exception:
                # A defect of ours must not end indexing for good.
                log.exception("indexing %s failed", self.root)
                self._fail("Indexing failed unexpectedly; the log has the details. `impetus index --full` starts over")
                self._look_again()
            self._heal = self._heal or not done
            self._is_complete()
            if not self._dirty:
                self._idle.set()
                if self._settling is None or self._settling.done():
                    self._settling = asyncio.create_task(self._settle(), name=f"settle {self.root}")

    def _is_complete(self) -> None:
        self.searchable.set()
        self.complete.set()

    async def _start_over(self, damage: IndexCorrupt) -> None:
        log.warning("index of %s is damaged, building it anew", self.root)
        try:
            await self.repository.rebuild(str(damage))
        except ImpetusError as error:
            self._fail(str(error))

    def _refill(self) -> None:
        self.note([self.root])

    def _make_again(self) -> None:
        """Vectors were lost."""
        self._heal = True
        self.note([self.root])

    def _fail(self, message: str) -> None:
        self._say(replace(self.progress, phase="failed", problems=(Problem(str(self.root), message),)))

    async def _bring_up_to_date(self, paths: set[Path], *, heal: bool) -> None:
        store = self.repository.store
        writer = store.writer
        assert writer is not None, "only the owner brings an index up to date"
        indexer = Indexer(self.root, self.files, writer, store.vectors, self._embedder, self._analyzer)
        if self.root in paths:
            self._say(replace(self.progress, phase="scanning"))
        changes, problems = await self._apply(indexer, lambda: indexer.changes(paths))
        if changes.skipped is not None:
            self._skipped = changes.skipped
        if heal:
            await self._apply(indexer, indexer.unembedded)
        await self.repository.run(writer.count_users)
        await self._ready(problems)
        if self.filling is not None:
            self.filling.note(None if heal else changes.dirty.keys() | changes.gone)
        if heal or asyncio.get_running_loop().time() >= self._tidy_at:
            await self._housekeeping()

    async def _apply(self, indexer: Indexer, look: Callable[[], Changes]) -> tuple[Changes, tuple[Problem, ...]]:
        """Bring what `look` finds into the index; returns it, and what could not be read."""
        changes = await self.repository.run(look)
        first, stopped = self.open_first(), self._stop.is_set
        vectors = self.repository.store.vectors

        def rest(worker: IndexWorker) -> Iterator[IndexProgress]:
            return worker.apply(self.root, self.settings, look, vectors, first=first, stopped=stopped)

        begin = indexer.apply(changes, first=first, stopped=stopped)
        steps = update(indexer, changes, begin, self.repository.worker, rest)
        problems = changes.problems
        while (progress := await self.repository.run(lambda: next(steps, None))) is not None:
            problems = progress.problems
            self.searchable.set()
            self._say(replace(progress, files=self.progress.files, chunks=self.progress.chunks))
        return changes, problems

    async def _ready(self, problems: tuple[Problem, ...]) -> None:
        counts = await self._counts()
        self._say(
            IndexProgress(
                self.root,
                "ready",
                counts.files,
                counts.files,
                files=counts.files,
                chunks=counts.chunks,
                skipped=self._skipped + counts.left_out,
                failed=len(problems),
                problems=problems[:_SHOWN_PROBLEMS],
            )
        )

    async def _follow(self) -> None:
        counts = await self._counts()
        if self.filling is not None and not self.filling.filled.total:
            await self.filling.measure()
        note = Problem(str(self.root), "Another Impetus process keeps this index; it is used as that process leaves it")
        self._say(
            IndexProgress(
                self.root,
                "shared",
                counts.files,
                counts.files,
                files=counts.files,
                chunks=counts.chunks,
                problems=(note,),
            )
        )

    async def _counts(self) -> CatalogCounts:
        return await self.repository.run(lambda: self.repository.store.reader.counts(self.root))

    async def _housekeeping(self) -> None:
        """At the start and once a day: collect contents that nothing has used for long, and vectors whose chunk a crash
        cut off.
        """
        days = self.settings.keep_unused_days
        self._tidy_at = asyncio.get_running_loop().time() + min(days, 1.0) * _DAY

        def work() -> None:
            store = self.repository.store
            if store.writer is None:
                return
            for root in store.writer.roots():
                if not _may_be_there(root):
                    store.writer.forget(root)
            store.writer.collect(days * _DAY)
            stored = store.writer.stored_chunks()
            for vectors in store.vector_stores:
                stray = vectors.ids() - stored
                if stray:
                    vectors.remove(sorted(stray))

        try:
            await self.repository.run(work)
        except IndexFailed as error:
            log.warning("housekeeping of %s failed: %s", self.root, error)

    async def _settle(self) -> None:
        """Idle time is used in small steps, until the next path is noted. No save waits for a step."""
        if self.repository.store.writer is None:
            return
        try:
            clock = asyncio.get_running_loop().time
            while not self._dirty and not self._stop.is_set():
                begun = clock()
                if not await asyncio.to_thread(self._settle_once):
                    return
                await asyncio.sleep(3 * (clock() - begun))  # queries keep most of the machine
        except Busy:
            return  # the index is being replaced; the new one has its own idle time
        except IndexFailed as error:
            log.warning("storing vectors of %s failed: %s", self.root, error)
        except Exception:
            log.exception("storing vectors of %s failed", self.root)

    def _settle_once(self) -> bool:
        more = [vectors.settle() for vectors in self.repository.store.vector_stores]
        return any(more)

    def _say(self, progress: IndexProgress) -> None:
        if progress != self.progress:
            self.progress = progress
            self._on_change()


def _may_be_there(root: Path) -> bool:
    """False only for a folder that is gone: one that cannot be looked at now may be back."""
    try:
        return root.exists()
    except OSError:
        return True


def _identity(root: Path) -> tuple[int, int] | None:
    try:
        status = root.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
