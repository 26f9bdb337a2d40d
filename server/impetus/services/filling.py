"""Gives the chunks of one root their neural vectors in the background: open files first, then the latest changed.

What is to be done is what has no vector, so a crash costs one batch, and a content that was seen before costs nothing.
Works in short batches between which it waits for a quiet moment.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from impetus.domain.chunking import blob_id
from impetus.domain.digest import chunk_text
from impetus.domain.ports import FileSource, Placed, Vectors, VectorStore
from impetus.domain.secrets import mask_bytes
from impetus.domain.types import ModelState
from impetus.errors import EngineStopped, ImpetusError, NotFound
from impetus.services.dispatcher import BackendState
from impetus.services.neural import Neural
from impetus.services.repository import Repository

log = logging.getLogger(__name__)

#: Seconds that one batch may take; the number of its texts follows.
_STEP_S = 0.4
_MOST_TEXTS = 128
_LONGEST_PAUSE_S = 60.0
#: Share of the latest batch in the rate.
_LATEST = 0.1


@dataclass(frozen=True, slots=True)
class Filled:
    """Chunks of a root with a neural vector. `rate` is chunks per second, 0 while unknown."""

    done: int = 0
    total: int = 0
    rate: float = 0.0


def filling_state(neural: Neural, filled: Sequence[Filled]) -> ModelState:
    """The neural embedder in the status, over all roots."""
    done, total = sum(one.done for one in filled), sum(one.total for one in filled)
    counted = f"{done:,} of {total:,} chunks"
    on = _on(neural.backends)
    if neural.failure:
        return ModelState("embedding", neural.id, "failed", f"{neural.failure}; {counted} have a vector")
    if done >= total:
        detail = f"{total:,} chunk{'s' * (total != 1)}{on}" if total else on.strip()
        return ModelState("embedding", neural.id, "ready", detail)
    if neural.waits:
        return ModelState("embedding", neural.id, "filling", f"{counted}; waits: {neural.waits}")
    rate = max(one.rate for one in filled)
    if not rate:
        return ModelState("embedding", neural.id, "filling", f"{counted}{on}")
    minutes = max(1, round((total - done) / rate / 60))
    return ModelState("embedding", neural.id, "filling", f"{counted}{on}, about {minutes:,} min left")


def _on(backends: Sequence[BackendState]) -> str:
    """` on the GPU (Neural Engine: it is slow)`"""
    used = "".join(f" on the {one.name}" for one in backends if one.state == "in use")
    passed_over = "; ".join(f"{one.name}: {one.reason}" for one in backends if one.reason)
    return f"{used} ({passed_over})" if passed_over else used


class Filling:
    """Runs as one task of a root's index; `calm` says when that index itself has nothing to do.

    Its stores are touched on the repository's own thread alone: they are closed there, and native code does not forgive
    a store that is closed under it.
    """

    def __init__(
        self,
        root: Path,
        repository: Repository,
        files: FileSource,
        neural: Neural,
        calm: Callable[[], Awaitable[None]],
        open_first: Callable[[], set[str]],
        on_change: Callable[[], None],
    ) -> None:
        self.filled = Filled()
        self._root = root
        self._repository = repository
        self._files = files
        self._neural = neural
        self._calm = calm
        self._open_first = open_first
        self._on_change = on_change
        self._noted: set[str] | None = set()  # None: all files
        self._wake = asyncio.Event()
        self._done = asyncio.Event()
        self._todo: dict[str, int] = {}  # path → chunks without a vector, in the order of the work
        self._texts: deque[tuple[str, str, str]] = deque()  # path, id and text of chunks, ready to be embedded
        self._size = 4

    def note(self, paths: Iterable[str] | None) -> None:
        """The chunks of these paths changed; None: look at everything."""
        if paths is None or self._noted is None:
            self._noted = None
        else:
            self._noted.update(paths)
        self._done.clear()
        self._wake.set()

    async def finished(self) -> None:
        """Until every chunk noted so far has its vector."""
        await self._done.wait()

    async def measure(self) -> None:
        """Count what is there, for a status without work."""
        await self._repository.run(partial(self._look, None))
        self._on_change()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._fill()
            except EngineStopped:
                return
            except ImpetusError as error:  # the index is being rebuilt, or was closed: it is noted again
                log.warning("neural vectors of %s: %s", self._root, error)
            except Exception:
                log.exception("neural vectors of %s", self._root)
            if not self._wake.is_set():
                self._done.set()

    async def _fill(self) -> None:
        pause = self._neural.retry
        while True:
            await self._calm()
            await self._neural.quiet()
            await self._look_at_noted()
            batch = await self._repository.run(partial(self._next, self._open_first()))
            if not batch:
                if self._noted == set():
                    return
                continue
            try:
                began = time.monotonic()
                vectors = await self._neural.embed([text for _, _, text in batch])
                took = time.monotonic() - began
            except EngineStopped:
                raise
            except ImpetusError:
                # One text may be to blame, so it is found by itself and goes to the end of the line.
                if self._size == 1:
                    self._put_off(batch[0][0])
                    self._done.set()  # nobody should wait for an embedder that may never work
                else:
                    self._texts.extendleft(reversed(batch))
                self._size = 1
                self._on_change()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)
                continue
            pause = self._neural.retry
            await self._repository.run(partial(self._store, batch, vectors))
            self._count(batch, took)
            self._on_change()

    async def _look_at_noted(self) -> None:
        noted, self._noted = self._noted, set()
        if noted is None or noted:
            await self._repository.run(partial(self._look, noted))
            self._on_change()

    def _look(self, paths: set[str] | None) -> None:
        """Find what lacks a vector."""
        reader = self._repository.store.reader
        found = reader.chunk_ids(self._root, None if paths is None else sorted(paths))
        ids = list(dict.fromkeys(key for keys in found.values() for key in keys))
        self._vectors().adopt(ids)
        missing = self._vectors().missing(ids)
        lacking = {path: count for path, keys in found.items() if (count := sum(key in missing for key in keys))}
        if paths is None:
            self._todo = lacking
            self._texts.clear()
        else:  # just changed: first in line
            kept = {path: count for path, count in self._todo.items() if path not in paths}
            self._todo = lacking | kept
            self._texts = deque(entry for entry in self._texts if entry[0] not in paths)
        self._tell(reader.counts(self._root).chunks)

    def _next(self, first: set[str]) -> list[tuple[str, str, str]]:
        """The next batch; files are read as they are needed, and those that changed meanwhile are left to the index."""
        waiting = {path for path, _, _ in self._texts}
        while len(self._texts) < self._size:
            path = self._choose(first - waiting, waiting)
            if path is None:
                break
            waiting.add(path)
            texts = self._read(path)
            if texts:
                self._texts.extend(texts)
                self._todo[path] = len(texts)
            else:
                del self._todo[path]
        return [self._texts.popleft() for _ in range(min(self._size, len(self._texts)))]

    def _choose(self, first: set[str], waiting: set[str]) -> str | None:
        for path in first:
            if path in self._todo:
                return path
        return next((path for path in self._todo if path not in waiting), None)

    def _read(self, path: str) -> list[tuple[str, str, str]]:
        placed = self._repository.store.reader.chunks_in(self._root, path)
        missing = self._vectors().missing([p.chunk.id for p in placed])
        if not missing:
            return []
        try:
            data = mask_bytes(self._files.read(self._root, path))
        except NotFound:
            return []
        if blob_id(data, placed[0].language) != placed[0].state.blob:
            return []
        wanted: dict[str, Placed] = {p.chunk.id: p for p in placed if p.chunk.id in missing}
        return [(path, key, chunk_text(data, p.chunk)) for key, p in wanted.items()]

    def _store(self, batch: list[tuple[str, str, str]], vectors: Vectors) -> None:
        store = self._vectors()
        store.add([key for _, key, _ in batch], vectors)
        store.settle()

    def _put_off(self, path: str) -> None:
        self._texts = deque(entry for entry in self._texts if entry[0] != path)
        self._todo[path] = self._todo.pop(path)

    def _count(self, batch: list[tuple[str, str, str]], took: float) -> None:
        for path, _, _ in batch:
            left = self._todo.get(path, 0) - 1
            if left > 0:
                self._todo[path] = left
            else:
                self._todo.pop(path, None)
        if took < _STEP_S / 2:
            self._size = min(2 * self._size, _MOST_TEXTS)
        elif took > _STEP_S:
            self._size = max(1, self._size // 2)
        rate = len(batch) / max(took, 1e-6)
        known = self.filled.rate
        self._tell(self.filled.total, (1 - _LATEST) * known + _LATEST * rate if known else rate)

    def _tell(self, total: int, rate: float | None = None) -> None:
        done = max(0, total - sum(self._todo.values()))
        self.filled = replace(self.filled, done=done, total=total, rate=self.filled.rate if rate is None else rate)

    def _vectors(self) -> VectorStore:
        vectors = self._repository.store.neural
        assert vectors is not None, "a repository with a filling has a store for neural vectors"
        return vectors
