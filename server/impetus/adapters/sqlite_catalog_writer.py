"""The write side of the catalog: every public method is one transaction, all of them on one thread."""

import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path

from impetus.adapters import sqlite_schema
from impetus.adapters.sqlite_catalog import failures, marks, slices
from impetus.domain.ports import Digest, FileState


class SqliteCatalogWriter:
    """Implements `CatalogWriter`. The process that holds the index lock owns the only one."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite_schema.connect(path)

    def close(self) -> None:
        with failures():
            self._db.execute("PRAGMA optimize")
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
            rows = self._db.execute(
                "SELECT f.path, f.size, f.mtime_ns, coalesce(b.key, '') FROM files f JOIN roots r ON r.id = f.root"
                " LEFT JOIN blobs b ON b.id = f.blob WHERE r.path = ?",
                (str(root),),
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
        """Path → ids of its chunks, for every indexed file of a root."""
        found: dict[str, list[str]] = {}
        with failures():
            rows = self._db.execute(
                "SELECT f.path, c.key FROM files f JOIN roots r ON r.id = f.root JOIN blob_chunks p ON p.blob = f.blob"
                " JOIN chunks c ON c.id = p.chunk WHERE r.path = ?",
                (str(root),),
            )
            for path, key in rows:
                found.setdefault(path, []).append(key)
        return found

    def apply(self, root: Path, digests: Sequence[Digest], files: Mapping[str, FileState], gone: Set[str]) -> None:
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO roots (path) VALUES (?)", (str(root),))
            number: int = db.execute("SELECT id FROM roots WHERE path = ?", (str(root),)).fetchone()[0]
            for digest in digests:
                self._add_blob(digest)
            before = self._blobs_of(number, [*files, *gone])
            for part in slices(list(gone)):
                db.execute(f"DELETE FROM files WHERE root = ? AND path IN ({marks(part)})", (number, *part))
            db.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, (SELECT id FROM blobs WHERE key = ?))",
                [(number, path, state.size, state.mtime_ns, state.blob) for path, state in files.items()],
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

    def collect(self, older_than_s: float) -> list[str]:
        with self._transaction() as db:
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

    def _add_blob(self, digest: Digest) -> None:
        db, analysis = self._db, digest.analysis
        added = db.execute(
            "INSERT OR IGNORE INTO blobs (key, language, unused_since) VALUES (?, ?, ?)",
            (analysis.blob, analysis.language, time.time()),
        )
        if not added.rowcount:
            return
        blob = added.lastrowid
        rows = []
        for ordinal, (chunk, terms) in enumerate(zip(analysis.chunks, digest.terms, strict=True)):
            number = self._add_chunk(chunk.id, chunk.scope, chunk.signature, chunk.symbols, chunk.kind, terms)
            rows.append((blob, ordinal, number, chunk.start, chunk.end, chunk.start_line, chunk.end_line))
        db.executemany("INSERT INTO blob_chunks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        db.executemany(
            "INSERT INTO definitions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    blob,
                    d.name,
                    d.kind,
                    d.start,
                    d.end,
                    d.start_line,
                    d.end_line,
                    d.name_line,
                    "\n".join(d.scope),
                    d.signature,
                    d.doc,
                )
                for d in analysis.outline.definitions
            ],
        )
        db.executemany(
            "INSERT INTO refs VALUES (?, ?, ?, ?, ?)",
            [(blob, r.name, r.kind, r.line, r.within) for r in analysis.outline.references],
        )

    def _add_chunk(
        self, key: str, scope: Sequence[str], signature: str, symbols: Sequence[str], kind: str, terms: str
    ) -> int:
        db = self._db
        added = db.execute(
            "INSERT OR IGNORE INTO chunks (key, scope, signature, symbols, kind, terms) VALUES (?, ?, ?, ?, ?, ?)",
            (key, "\n".join(scope), signature, "\n".join(symbols), kind, zlib.compress(terms.encode(), 1)),
        )
        if added.rowcount:
            db.execute("INSERT INTO lexicon (rowid, terms) VALUES (?, ?)", (added.lastrowid, terms))
            return added.lastrowid or 0
        number: int = db.execute("SELECT id FROM chunks WHERE key = ?", (key,)).fetchone()[0]
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
        now = time.time()
        for part in slices(list(blobs)):
            self._db.execute(
                "UPDATE blobs SET unused_since = CASE WHEN EXISTS (SELECT 1 FROM files WHERE files.blob = blobs.id)"
                f" THEN NULL ELSE coalesce(unused_since, ?) END WHERE id IN ({marks(part)})",
                (now, *part),
            )

    def _delete_chunks(self, candidates: Set[int]) -> list[str]:
        """Delete those of `candidates` that no content holds any more; return their ids."""
        db, deleted = self._db, []
        for part in slices(list(candidates)):
            rows = db.execute(
                f"SELECT id, key, terms FROM chunks WHERE id IN ({marks(part)})"
                " AND NOT EXISTS (SELECT 1 FROM blob_chunks p WHERE p.chunk = chunks.id)",
                part,
            ).fetchall()
            db.executemany(
                "INSERT INTO lexicon (lexicon, rowid, terms) VALUES ('delete', ?, ?)",
                [(number, zlib.decompress(terms).decode()) for number, _, terms in rows],
            )
            db.executemany("DELETE FROM chunks WHERE id = ?", [(number,) for number, _, _ in rows])
            deleted += [key for _, key, _ in rows]
        return deleted
