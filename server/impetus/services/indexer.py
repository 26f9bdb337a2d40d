"""What changed under one root, and how it gets into the index. Synchronous: runs on the root's index thread, and in the
index worker.

Every cause (start-up scan, save, watcher, branch switch) ends here as a set of paths. A file is mapped to its content
only after the content's vectors are stored, so a kill at any moment leaves work undone, never a wrong index.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from impetus.domain.chunking import blob_id
from impetus.domain.digest import chunk_text
from impetus.domain.ports import (
    Analyzer,
    CatalogWriter,
    Changes,
    Digest,
    Embedder,
    FileSource,
    FileState,
    VectorStore,
)
from impetus.domain.secrets import mask_bytes
from impetus.domain.types import IndexProgress, Problem
from impetus.errors import NotFound
from impetus.languages import detect

#: A transaction is closed after so many bytes of source. The first is small, because then search begins to answer;
#: each is twice the one before up to a limit, because commits cost.
_FIRST_BATCH_BYTES = 30_000
BATCH_BYTES = 250_000
_BATCH_FILES = 200
#: With more changed paths than this a walk over the root is cheaper than asking for each.
_WALK_ABOVE = 200
_IGNORE_FILES = frozenset({".gitignore", ".impetusignore"})
_BRANCH = ".git/HEAD"


@dataclass(slots=True)
class _Batch:
    digests: list[Digest] = field(default_factory=list)
    files: dict[str, FileState] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)  # chunk id → what is embedded
    size: int = 0
    limit: int = _FIRST_BATCH_BYTES

    @property
    def full(self) -> bool:
        return self.size >= self.limit or len(self.files) >= _BATCH_FILES


class Indexer:
    def __init__(
        self,
        root: Path,
        files: FileSource,
        catalog: CatalogWriter,
        vectors: VectorStore,
        embedder: Embedder,
        analyzer: Analyzer,
        *,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._root = root
        self._files = files
        self._catalog = catalog
        self._vectors = vectors
        self._embedder = embedder
        self._analyzer = analyzer
        self._batch_bytes = batch_bytes
        self.digested = 0  # bytes that were not known

    def changes(self, paths: Set[Path]) -> Changes:
        """Compare what is on disk at `paths` (files or folders, present or not) with the catalog."""
        inside = [path for path in paths if path.is_relative_to(self._root)]
        relative = {path.relative_to(self._root).as_posix() for path in inside}
        if self._needs_walk(relative):
            return self._walk(relative)
        return self._look(relative)

    def _needs_walk(self, relative: Set[str]) -> bool:
        return len(relative) > _WALK_ABOVE or any(
            path in (".", _BRANCH) or PurePosixPath(path).name in _IGNORE_FILES or (self._root / path).is_dir()
            for path in relative
        )

    def _walk(self, relative: Set[str]) -> Changes:
        """A walk sees ignore rules change, folders come and go, and much at once; it is limited to nothing."""
        report = self._files.scan(self._root)
        known = self._catalog.files(self._root)
        dirty = {
            path: stat
            for path, stat in report.files.items()
            if path not in known or (known[path].size, known[path].mtime_ns) != stat
        }
        return Changes(dirty, known.keys() - report.files.keys(), report.problems, skipped=len(report.skipped))

    def _look(self, relative: Set[str]) -> Changes:
        present: dict[str, tuple[int, int]] = {}
        for path in relative:
            stat = self._files.stat(self._root, path) if self._files.admits(self._root, path) else None
            if stat is not None:
                present[path] = stat
        known = self._catalog.file_states(self._root, present.keys())
        dirty = {
            path: stat
            for path, stat in present.items()
            if path not in known or (known[path].size, known[path].mtime_ns) != stat
        }
        # Deleted, newly ignored, or a folder that is no longer there.
        absent = relative - present.keys()
        if not absent:
            return Changes(dirty)
        folders = tuple(f"{path}/" for path in absent)
        gone = {path for path in self._catalog.files(self._root) if path in absent or path.startswith(folders)}
        return Changes(dirty, gone)

    def unembedded(self) -> Changes:
        """Files with a chunk whose vector is not there: after a crash, a lost vector folder, another embedder."""
        ids = self._catalog.chunk_ids(self._root)
        missing = self._vectors.missing([chunk for chunks in ids.values() for chunk in chunks])
        if not missing:
            return Changes()
        known = self._catalog.files(self._root)
        paths = [path for path, chunks in ids.items() if not missing.isdisjoint(chunks)]
        return Changes({path: (known[path].size, known[path].mtime_ns) for path in paths}, reparse=True)

    def apply(
        self, changes: Changes, *, first: Set[str] = frozenset(), stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[IndexProgress]:
        """Bring the index up to date; yields after each transaction. `first` names files to begin with."""
        started = time.monotonic()
        problems = list(changes.problems)
        total, done, rate, told = len(changes.dirty), 0, 0.0, len(problems)

        def progress() -> IndexProgress:
            nonlocal told
            told = len(problems)
            return IndexProgress(self._root, "indexing", done, total, rate, failed=told, problems=tuple(problems))

        order = sorted(changes.dirty, key=lambda path: (path not in first, -changes.dirty[path][1]))
        for batch in self._batches(order, changes, problems):
            self._embed(batch)
            self._catalog.apply(self._root, batch.digests, batch.files, set())
            done = min(total, done + len(batch.files))
            rate = done / max(time.monotonic() - started, 1e-6)
            yield progress()
            if stopped():
                return
        if told < len(problems):  # after the last transaction, or without any
            yield progress()
        if changes.gone:  # last, so that the content of a file that was moved is never without a place
            self._catalog.apply(self._root, [], {}, changes.gone)

    def _batches(self, order: Sequence[str], changes: Changes, problems: list[Problem]) -> Iterator[_Batch]:
        """Read, mask and digest; contents that the catalog knows are not parsed again."""
        waiting: deque[tuple[str, FileState, bytes]] = deque()  # sent to the analyzer, digest not back yet
        batch = _Batch()

        def contents() -> Iterator[tuple[str, bytes]]:
            for path, state, language, data in self._read(order, changes, problems):
                if language is None:
                    batch.files[path] = state
                else:
                    waiting.append((path, state, data))
                    yield language, data

        for digest in self._analyzer.analyze(contents()):
            path, state, data = waiting.popleft()
            batch.digests.append(digest)
            batch.files[path] = state
            batch.size += len(data)
            self.digested += len(data)
            for chunk in digest.analysis.chunks:
                batch.texts.setdefault(chunk.id, chunk_text(data, chunk))
            if batch.full:
                yield batch
                batch = _Batch(limit=min(2 * batch.limit, self._batch_bytes))
        if batch.files:
            yield batch

    def _read(
        self, order: Sequence[str], changes: Changes, problems: list[Problem]
    ) -> Iterator[tuple[str, FileState, str | None, bytes]]:
        """(path, state, language, content); language None where there is nothing to analyze."""
        for i in range(0, len(order), _BATCH_FILES):
            loaded: list[tuple[str, FileState, str, bytes]] = []
            for path in order[i : i + _BATCH_FILES]:
                size, mtime = changes.dirty[path]
                try:
                    raw = self._files.read(self._root, path)
                except NotFound as error:
                    problems.append(Problem(path, str(error)))
                    continue
                if self._files.reject(path, raw):
                    yield path, FileState(size, mtime, ""), None, b""
                    continue
                data = mask_bytes(raw)
                language = detect(path, data[:512])
                loaded.append((path, FileState(size, mtime, blob_id(data, language)), language, data))
            known = set() if changes.reparse else self._catalog.known_blobs({state.blob for _, state, _, _ in loaded})
            for path, state, language, data in loaded:
                yield path, state, None if state.blob in known else language, data

    def _embed(self, batch: _Batch) -> None:
        missing = self._vectors.missing(list(batch.texts))
        ids = [chunk for chunk in batch.texts if chunk in missing]
        if ids:
            self._vectors.add(ids, self._embedder.embed([batch.texts[chunk] for chunk in ids]))
