"""The fast segment of a vector store: durable at once (SQLite), searched exactly (numpy), emptied into Chroma behind.

It also remembers every id that Chroma holds, so that membership never asks Chroma and a lost Chroma folder is noticed.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from impetus.adapters import blas
from impetus.adapters.sqlite_catalog import failures, marks, slices
from impetus.domain.ports import Vectors
from impetus.errors import IndexFailed, IndexReplaced

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vectors (
    id TEXT PRIMARY KEY,
    vector BLOB                            -- float16, little-endian; NULL once Chroma holds it; '' when there is none
) WITHOUT ROWID;
"""


class VectorSegment:
    """Thread-safe. Rows live in one growing matrix; a removed row is zeroed and reused.

    `dimensions` 0: as those stored here, else as the first vector that comes.
    """

    def __init__(self, path: Path, embedder_id: str, dimensions: int, *, read_only: bool = False) -> None:
        blas.one_thread_for_numpy()
        self._lock = threading.Lock()
        self._closed = False
        self.dimensions = dimensions
        self._rows: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._free: list[int] = []
        self._in_chroma = 0
        self._count = 0  # ids, with whatever vector
        self._matrix = np.zeros((0, dimensions), np.float32)
        self._read_only = read_only
        self._embedder_id = embedder_id
        self._version = -1  # of what the owner keeps, as we have read it; only where we are not the owner
        with failures():
            self._db = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
            if read_only:
                self._db.execute("PRAGMA query_only = 1")
                self._follow()
            else:
                self._db.execute("PRAGMA synchronous = OFF")  # a new file has nothing to lose yet
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = NORMAL")
                self._db.executescript(_SCHEMA)
                self._claim(embedder_id)
                self._load()

    def _follow(self) -> None:
        """Read what the owner has changed since we read it last."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return
        self._version = version
        kept = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'vectors'").fetchone()
        if kept and self._meta("embedder") == self._embedder_id:  # else the owner keeps no vectors of this kind
            self._load()

    def _claim(self, embedder_id: str) -> None:
        """Vectors of two embedders never meet: another owner's are dropped, they can be made again."""
        stored = int(self._meta("dimensions") or 0)
        if self._meta("embedder") not in (None, embedder_id) or 0 < stored != self.dimensions > 0:
            self._db.execute("DELETE FROM vectors")
            self._db.execute("DELETE FROM meta")
        self._set_meta("embedder", embedder_id)
        if self.dimensions:
            self._set_meta("dimensions", str(self.dimensions))

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _load(self) -> None:
        self.dimensions = self.dimensions or int(self._meta("dimensions") or 0)
        rows = self._db.execute("SELECT id, vector FROM vectors WHERE length(vector) > 0").fetchall()
        self._ids = [key for key, _ in rows]
        self._rows = {key: i for i, (key, _) in enumerate(rows)}
        self._free = []
        flat = np.frombuffer(b"".join(vector for _, vector in rows), "<f2")
        if flat.size != len(rows) * self.dimensions:
            raise IndexFailed(
                "The vectors of this index have another length than the embedder's; "
                "`impetus index --full` makes them anew"
            )
        self._in_chroma = self._count_in_chroma("")
        self._count = self._db.execute("SELECT count(*) FROM vectors").fetchone()[0]
        self._matrix = flat.reshape(len(rows), self.dimensions).astype(np.float32)

    def keep_to(self, place: str, identity: str | None = None) -> None:
        """What counts as being in Chroma is in the collection `identity` at `place`; in another place it is missing."""
        if self._read_only:
            return
        with self._stored():
            if (self._meta("place") or place) != place:
                self._count -= self._db.execute("DELETE FROM vectors WHERE vector IS NULL").rowcount
                self._in_chroma = 0
            self._set_meta("place", place)
            if identity is not None:
                self._set_meta("identity", identity)

    def kept_to(self, identity: str) -> bool:
        with self._stored():
            return self._meta("identity") == identity

    def close(self) -> None:
        with self._lock, failures():
            self._closed = True
            self._db.close()

    @contextmanager
    def _stored(self) -> Iterator[None]:
        """Around everything that asks the database; raises IndexReplaced once it is closed."""
        with self._lock, failures():
            if self._closed:
                raise IndexReplaced
            yield

    def __len__(self) -> int:
        """Vectors that are held here."""
        return len(self._rows)

    def known(self) -> int:
        """Ids that are not missing."""
        return self._count

    def add_empty(self, ids: Sequence[str]) -> None:
        """Texts without a single known word: remembered, so that nobody embeds them again."""
        with self._stored():
            self._insert("INSERT OR IGNORE INTO vectors VALUES (?, x'')", ids)

    def add_moved(self, ids: Sequence[str]) -> None:
        """Chroma holds these, and we did not know."""
        with self._stored():
            self._in_chroma += self._insert("INSERT OR IGNORE INTO vectors VALUES (?, NULL)", ids)

    def _insert(self, statement: str, ids: Sequence[str]) -> int:
        added = self._db.executemany(statement, [(key,) for key in ids]).rowcount
        self._count += added
        return added

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        with self._stored():
            known = self._known(ids)
            fresh = {key: i for i, key in enumerate(ids) if key not in known}
            if not fresh:
                return
            chosen = vectors[list(fresh.values())]
            if not self.dimensions:
                self.dimensions = vectors.shape[1]
                self._matrix = np.zeros((0, self.dimensions), np.float32)
                self._set_meta("dimensions", str(self.dimensions))
            if vectors.shape[1] != self.dimensions:
                raise IndexFailed(
                    f"The embedder gives vectors of {vectors.shape[1]} numbers, this index holds {self.dimensions}; "
                    "`impetus index --full` makes them anew"
                )
            halves = chosen.astype("<f2")
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?)", [(k, halves[i].tobytes()) for i, k in enumerate(fresh)]
            )
            self._db.execute("COMMIT")
            self._count += len(fresh)
            self._append(list(fresh), chosen)

    def _append(self, ids: list[str], vectors: Vectors) -> None:
        short = len(self._rows) + len(ids) - len(self._matrix)
        if short > 0:  # grow by half: amortised, and the tail stays zero, which scores 0
            grown = np.zeros(
                (len(self._matrix) + max(short, len(self._matrix) // 2, 1024), self.dimensions), np.float32
            )
            grown[: len(self._matrix)] = self._matrix
            self._matrix = grown
        for key, vector in zip(ids, vectors, strict=True):
            if self._free:
                row = self._free.pop()
                self._ids[row] = key
            else:
                row = len(self._ids)
                self._ids.append(key)
            self._rows[key] = row
            self._matrix[row] = vector

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        with self._stored():
            if self._read_only:
                self._follow()
            used = len(self._ids)
            if not self._rows or limit <= 0 or len(vector) != self.dimensions:
                return []
            scores = self._matrix[:used] @ vector
            ids = self._ids
            count = min(limit + len(self._free), used)
            best = np.argpartition(-scores, count - 1)[:count]
            best = best[np.argsort(-scores[best], kind="stable")]
            nearest = zip(best.tolist(), scores[best].tolist(), strict=True)
            found = [(key, score) for row, score in nearest if (key := ids[row]) is not None]
        return found[:limit]

    def _known(self, ids: Sequence[str]) -> set[str]:
        known: set[str] = set()
        for part in slices(ids):
            known.update(k for (k,) in self._db.execute(f"SELECT id FROM vectors WHERE id IN ({marks(part)})", part))
        return known

    def missing(self, ids: Sequence[str]) -> set[str]:
        with self._stored():
            return set(ids) - self._known(ids)

    def ids(self) -> set[str]:
        with self._stored():
            return {key for (key,) in self._db.execute("SELECT id FROM vectors")}

    def remove(self, ids: Sequence[str]) -> None:
        with self._stored():
            for part in slices(ids):
                among = f" AND id IN ({marks(part)})"
                self._in_chroma -= self._count_in_chroma(among, part)
                self._count -= self._db.execute(f"DELETE FROM vectors WHERE id IN ({marks(part)})", part).rowcount
            self._drop(ids)

    def _drop(self, ids: Sequence[str]) -> None:
        for key in ids:
            row = self._rows.pop(key, None)
            if row is not None:
                self._ids[row] = None
                self._matrix[row] = 0.0
                self._free.append(row)

    def oldest(self, count: int) -> tuple[list[str], Vectors]:
        """Some ids that are not in Chroma yet, with their vectors."""
        with self._lock:
            ids = list(self._rows)[:count]
            return ids, self._matrix[[self._rows[key] for key in ids]]

    def moved(self, ids: Sequence[str]) -> None:
        """Chroma holds these now."""
        with self._stored():
            for part in slices(ids):
                changed = self._db.execute(
                    f"UPDATE vectors SET vector = NULL WHERE vector NOT NULL AND id IN ({marks(part)})", part
                )
                self._in_chroma += changed.rowcount
            self._drop(ids)

    def in_chroma(self) -> list[str]:
        with self._stored():
            return [key for (key,) in self._db.execute("SELECT id FROM vectors WHERE vector IS NULL")]

    def count_in_chroma(self) -> int:
        return self._in_chroma

    def _count_in_chroma(self, condition: str, values: Sequence[str] = ()) -> int:
        statement = f"SELECT count(*) FROM vectors WHERE vector IS NULL{condition}"
        count: int = self._db.execute(statement, values).fetchone()[0]
        return count
