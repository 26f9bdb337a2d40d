"""The write side of the catalog: every public method is one transaction, all of them on one thread."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path

from impetus.adapters import sqlite_graph, sqlite_lexicon, sqlite_schema
from impetus.adapters.sqlite_catalog import chunk_ids, failures, marks, slices
from impetus.domain import postings
from impetus.domain.ports import Digest, FileState
from impetus.domain.types import Definition

#: Of a chunk: that a content among some holds it, and that one does which a file has now.
_HELD = "id IN (SELECT chunk FROM blob_chunks WHERE blob IN ({}))"
_IN_USE = (
    "EXISTS (SELECT 1 FROM blob_chunks p JOIN blobs b ON b.id = p.blob"
    " WHERE p.chunk = chunks.id AND b.unused_since IS NULL)"
)


class SqliteCatalogWriter:
    """Implements `CatalogWriter`. The process that holds the index lock owns the only one."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite_schema.connect(path)

    def close(self) -> None:
        with suppress(sqlite3.Error):  # a damaged catalog must be closed too, before it is deleted
            self._db.execute("PRAGMA optimize")
        with failures():
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with failures():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def files(self, root: Path) -> dict[str, FileState]:
        with failures():
            return self._states("", [str(root)])

    def file_states(self, root: Path, paths: Set[str]) -> dict[str, FileState]:
        found: dict[str, FileState] = {}
        with failures():
            for part in slices(list(paths)):
                found |= self._states(f" AND f.path IN ({marks(part)})", [str(root), *part])
        return found

    def _states(self, condition: str, values: Sequence[str]) -> dict[str, FileState]:
        rows = self._db.execute(
            "SELECT f.path, f.size, f.mtime_ns, coalesce(b.key, '') FROM files f JOIN roots r ON r.id = f.root"
            f" LEFT JOIN blobs b ON b.id = f.blob WHERE r.path = ?{condition}",
            values,
        )
        return {path: FileState(size, mtime, blob) for path, size, mtime, blob in rows}

    def known_blobs(self, blobs: Set[str]) -> set[str]:
        known: set[str] = set()
        with failures():
            for part in slices(list(blobs)):
                rows = self._db.execute(f"SELECT key FROM blobs WHERE key IN ({marks(part)})", part)
                known.update(key for (key,) in rows)
        return known

    def chunk_ids(self, root: Path) -> dict[str, list[str]]:
        with failures():
            return chunk_ids(self._db, root)

    def stored_chunks(self) -> set[str]:
        with failures():
            return {key for (key,) in self._db.execute("SELECT key FROM chunks")}

    def apply(self, root: Path, digests: Sequence[Digest], files: Mapping[str, FileState], gone: Set[str]) -> None:
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO roots (path) VALUES (?)", (str(root),))
            number: int = db.execute("SELECT id FROM roots WHERE path = ?", (str(root),)).fetchone()[0]
            self._add(digests)
            before = self._blobs_of(number, [*files, *gone])
            for part in slices(list(gone)):
                db.execute(f"DELETE FROM files WHERE root = ? AND path IN ({marks(part)})", (number, *part))
            # A content that was collected since the caller asked for it is not there: such a file stays to be done.
            db.executemany(
                "INSERT OR REPLACE INTO files SELECT ?, ?, ?, ?, b.id, ? FROM blobs b WHERE b.key = ?",
                [(number, path, s.size, s.mtime_ns, _stem(path), s.blob) for path, s in files.items() if s.blob],
            )
            db.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, NULL, ?)",
                [(number, path, s.size, s.mtime_ns, _stem(path)) for path, s in files.items() if not s.blob],
            )
            self._mark_unused(before | self._blobs_of(number, list(files)))

    def forget(self, root: Path) -> None:
        """Take a root out of the map; its contents stay until they are collected."""
        with self._transaction() as db:
            row = db.execute("SELECT id FROM roots WHERE path = ?", (str(root),)).fetchone()
            if row is None:
                return
            before = {blob for (blob,) in db.execute("SELECT blob FROM files WHERE root = ? AND blob NOT NULL", row)}
            db.execute("DELETE FROM files WHERE root = ?", row)
            db.execute("DELETE FROM roots WHERE id = ?", row)
            self._mark_unused(before)

    def roots(self) -> list[Path]:
        with failures():
            return [Path(path) for (path,) in self._db.execute("SELECT path FROM roots")]

    def count_users(self) -> None:
        with self._transaction() as db:
            sqlite_graph.count_users(db)

    def collect(self, older_than_s: float) -> list[str]:
        with self._transaction() as db:
            sqlite_graph.count_users(db)  # afterwards nobody knows any more what these contents used
            old = [
                blob
                for (blob,) in db.execute("SELECT id FROM blobs WHERE unused_since <= ?", (time.time() - older_than_s,))
            ]
            chunks: set[int] = set()
            for part in slices(old):
                held = f"IN ({marks(part)})"
                chunks.update(c for (c,) in db.execute(f"SELECT chunk FROM blob_chunks WHERE blob {held}", part))
                for table in ("blob_chunks", "definitions", "refs"):
                    db.execute(f"DELETE FROM {table} WHERE blob {held}", part)
                db.execute(f"DELETE FROM blobs WHERE id {held}", part)
            return self._delete_chunks(chunks)

    def _add(self, digests: Sequence[Digest]) -> None:
        """Store contents that are not there yet. Numbers are given out here, so that all rows go in in bulk."""
        db = self._db
        known = self.known_blobs({digest.analysis.blob for digest in digests})
        fresh = {digest.analysis.blob: digest for digest in digests if digest.analysis.blob not in known}
        chunks = self._add_chunks(list(fresh.values()))
        numbered = list(enumerate((digest.analysis for digest in fresh.values()), self._next("blobs")))
        now = time.time()
        db.executemany("INSERT INTO blobs VALUES (?, ?, ?, ?)", [(n, a.blob, a.language, now) for n, a in numbered])
        db.executemany(
            "INSERT INTO blob_chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (number, ordinal, chunks[c.id], c.start, c.end, c.start_line, c.end_line)
                for number, analysis in numbered
                for ordinal, c in enumerate(analysis.chunks)
            ],
        )
        db.executemany(
            "INSERT INTO definitions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (number, *_span(d), "\n".join(d.scope), d.signature, d.doc)
                for number, analysis in numbered
                for d in analysis.outline.definitions
            ],
        )
        db.executemany(
            "INSERT INTO refs VALUES (?, ?, ?, ?, ?)",
            [
                (number, r.name, r.kind, r.line, r.within)
                for number, analysis in numbered
                for r in analysis.outline.references
            ],
        )

    def _add_chunks(self, digests: Sequence[Digest]) -> dict[str, int]:
        """Numbers of all chunks of `digests`; those that are new are stored and enter the lexical index."""
        db = self._db
        found = {
            chunk.id: (chunk, terms)
            for digest in digests
            for chunk, terms in zip(digest.analysis.chunks, digest.terms, strict=True)
        }
        numbers: dict[str, int] = {}
        for part in slices(list(found)):
            numbers.update(db.execute(f"SELECT key, id FROM chunks WHERE key IN ({marks(part)})", part).fetchall())
        fresh = [entry for key, entry in found.items() if key not in numbers]
        if fresh:
            numbered = list(enumerate(fresh, self._next_chunk()))
            came = postings.came((number, terms) for number, (_, terms) in numbered)
            db.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
                [
                    (number, c.id, "\n".join(c.scope), c.signature, "\n".join(c.symbols), c.kind, length)
                    for (number, (c, _)), length in zip(numbered, came.lengths.tolist(), strict=True)
                ],
            )
            sqlite_lexicon.append(db, came)
            numbers.update((chunk.id, number) for number, (chunk, _) in numbered)
        return numbers

    def _next_chunk(self) -> int:
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'chunks'").fetchone()
        return row[0] + 1 if row else 1

    def _next(self, table: str) -> int:
        number: int = self._db.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0]
        return number

    def _blobs_of(self, root: int, paths: Sequence[str]) -> set[int]:
        found: set[int] = set()
        for part in slices(paths):
            rows = self._db.execute(
                f"SELECT blob FROM files WHERE root = ? AND path IN ({marks(part)}) AND blob NOT NULL", (root, *part)
            )
            found.update(blob for (blob,) in rows)
        return found

    def _mark_unused(self, blobs: Set[int]) -> None:
        """Note which of these contents files took up and which they left, and let the lexical index follow: text that
        no file has now would stand in the way of what has replaced it.
        """
        db, now = self._db, time.time()
        sqlite_graph.note(db, blobs)
        for part in slices(list(blobs)):
            turned = db.execute(
                "SELECT id, unused_since IS NULL FROM blobs WHERE (unused_since IS NULL)"
                f" <> EXISTS (SELECT 1 FROM files WHERE files.blob = blobs.id) AND id IN ({marks(part)})",
                part,
            ).fetchall()
            left = [blob for blob, used in turned if used]
            taken = [blob for blob, used in turned if not used]
            db.executemany("UPDATE blobs SET unused_since = ? WHERE id = ?", [(now, blob) for blob in left])
            db.executemany("UPDATE blobs SET unused_since = NULL WHERE id = ?", [(blob,) for blob in taken])
            if left:
                self._set_indexed(False, f"indexed AND NOT {_IN_USE} AND {_HELD.format(marks(left))}", left)
            if taken:
                self._set_indexed(True, f"NOT indexed AND {_HELD.format(marks(taken))}", taken)

    def _set_indexed(self, indexed: bool, condition: str, values: Sequence[int]) -> None:
        statement = f"UPDATE chunks SET indexed = {indexed:d} WHERE {condition} RETURNING id, length"
        turned = dict(self._db.execute(statement, values).fetchall())
        if turned:
            part = postings.returned(turned if indexed else dict.fromkeys(turned, 0))
            sqlite_lexicon.append(self._db, part)

    def _delete_chunks(self, candidates: Set[int]) -> list[str]:
        """Delete those of `candidates` that no content holds any more; return their ids."""
        db, deleted = self._db, []
        for part in slices(list(candidates)):
            gone = f"id IN ({marks(part)}) AND NOT EXISTS (SELECT 1 FROM blob_chunks p WHERE p.chunk = chunks.id)"
            self._set_indexed(False, f"indexed AND {gone}", part)
            deleted += [key for (key,) in db.execute(f"DELETE FROM chunks WHERE {gone} RETURNING key", part)]
        return deleted


def _span(d: Definition) -> tuple[str, str, int, int, int, int, int]:
    return d.name, d.kind, d.start, d.end, d.start_line, d.end_line, d.name_line


def _stem(path: str) -> str:
    return path.rpartition("/")[2].lstrip(".").partition(".")[0].lower()
