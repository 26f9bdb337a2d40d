"""The vectors of all passages: kept in the file of the documents, searched exactly in memory."""

import sqlite3
import threading
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.adapters import blas
from impetus.adapters.document_schema import transaction
from impetus.domain.documents import Passage
from impetus.domain.ports import Embedder, Vectors

#: Passages embedded at a time.
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class _Loaded:
    changes: int
    ids: NDArray[np.int64]
    matrix: Vectors  # (n, dimensions)


class DocumentVectors:
    """Loaded by the first search, and again by the first after a change. Safe to use from several threads."""

    def __init__(self, embedder: Embedder) -> None:
        blas.one_thread_for_numpy()
        self._embedder = embedder
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    def encode(self, passages: Sequence[Passage]) -> dict[str, bytes]:
        """Key of a passage → its vector as it is stored."""
        stored: dict[str, bytes] = {}
        for begin in range(0, len(passages), _BATCH):
            part = passages[begin : begin + _BATCH]
            vectors = self._embedder.embed([passage.searched for passage in part])
            for passage, vector in zip(part, vectors, strict=True):
                usable = np.isfinite(vector).all() and vector.any()
                stored[passage.key] = vector.astype("<f2").tobytes() if usable else b""
        return stored

    def keep_to_embedder(self, db: sqlite3.Connection, passages: Any) -> None:
        """Vectors of two embedders never meet: those of another one are made anew. `passages(db)` gives (id, passage)
        of all.
        """
        if self._owner(db) == self._embedder.id:
            return
        with transaction(db):
            if self._owner(db) == self._embedder.id:  # another process was faster
                return
            everything = list(passages(db))
            encoded = self.encode([passage for _number, passage in everything])
            db.executemany(
                "UPDATE passages SET vector = ? WHERE id = ?",
                [(encoded[passage.key], number) for number, passage in everything],
            )
            db.execute("INSERT OR REPLACE INTO meta VALUES ('embedder', ?)", (self._embedder.id,))

    def nearest(
        self, db: sqlite3.Connection, vector: Vectors, allowed: Set[int] | None, limit: int
    ) -> list[tuple[int, float]]:
        """Numbers of the passages nearest to `vector` and their cosines, best first; only those above 0."""
        loaded = self._load(db)
        if not len(loaded.ids) or not vector.any():
            return []
        scores = loaded.matrix @ vector
        if allowed is not None:
            inside = np.isin(loaded.ids, np.fromiter(allowed, np.int64, len(allowed)))
            scores[~inside] = 0.0
        count = min(limit, len(scores))
        best = np.argpartition(-scores, count - 1)[:count]
        best = best[np.argsort(-scores[best], kind="stable")]
        return [(int(loaded.ids[row]), float(scores[row])) for row in best if scores[row] > 0]

    def _load(self, db: sqlite3.Connection) -> _Loaded:
        changes: int = db.execute("SELECT value FROM meta WHERE key = 'changes'").fetchone()[0]
        with self._lock:
            loaded = self._loaded
            if loaded is None or loaded.changes != changes:
                rows = db.execute("SELECT id, vector FROM passages WHERE vector != x''").fetchall()
                ids = np.array([number for number, _ in rows], np.int64)
                halves = np.frombuffer(b"".join(vector for _, vector in rows), "<f2")
                matrix = halves.astype(np.float32).reshape(len(rows), self._embedder.dimensions)
                loaded = self._loaded = _Loaded(changes, ids, matrix)
            return loaded

    def _owner(self, db: sqlite3.Connection) -> str | None:
        row = db.execute("SELECT value FROM meta WHERE key = 'embedder'").fetchone()
        return row[0] if row else None
