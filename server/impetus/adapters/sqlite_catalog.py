"""The read side of the catalog in SQLite; any number of threads and processes may read beside the one writer (WAL).

The lexical index is FTS5 over terms that `domain/tokens.py` has made; it decides nothing about what a term is.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from impetus.adapters import sqlite_graph, sqlite_schema
from impetus.domain.ports import CatalogCounts, FileState, Placed, PlacedDefinition, PlacedReference
from impetus.domain.types import Chunk, Definition, Outline, Reference
from impetus.errors import IndexCorrupt, IndexFailed

T = TypeVar("T")

#: SQLite's limit on variables is 32,766; smaller slices keep statements cheap to prepare.
_SLICE = 500

#: About so many chunks are scored by a lexical query, and a share of a large index: exact at 4,000 chunks, the same 50
#: best hits at 100,000 (docs/performance.md).
_SCORED = 4_000
_SCORED_SHARE = 50

#: Chunks whose places a thread remembers, about 1 kB each.
_KEPT_PLACES = 4_000

_PLACED = (
    'f.root, f.path, f.size, f.mtime_ns, b.key, b.language, c.key, p.start, p."end", p.start_line, p.end_line,'
    " c.scope, c.signature, c.symbols, c.kind"
)
_DEFINITION = 'd.name, d.kind, d.start, d."end", d.start_line, d.end_line, d.name_line, d.scope, d.signature, d.doc'


@contextmanager
def failures() -> Iterator[None]:
    """SQLite's errors become ours. A damaged file is a bare DatabaseError, everything else has a class of its own."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise IndexFailed(
            f"The index cannot be used: {error}. Free disk space or check the rights of its folder"
        ) from error
    except sqlite3.Error as error:
        raise IndexCorrupt(f"The index is damaged ({error}) and has to be built anew") from error


def slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for i in range(0, len(items), _SLICE):
        yield items[i : i + _SLICE]


def marks(items: Sequence[object]) -> str:
    return ",".join("?" * len(items))


class SqliteCatalogReader:
    """Implements `CatalogReader`. Opens one connection per calling thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = sqlite_schema.connect(self._path, read_only=True)
            self._connections.append(connection)
        return connection

    def _roots(self, roots: Sequence[Path]) -> dict[int, Path]:
        rows = self._db().execute(
            f"SELECT id, path FROM roots WHERE path IN ({marks(roots)})", [str(root) for root in roots]
        )
        return {number: Path(path) for number, path in rows}

    def lexical(self, terms: Sequence[str], limit: int) -> list[tuple[str, float]]:
        if not terms:
            return []
        with failures():
            rows = self._db().execute(
                "SELECT c.key, -found.score FROM"
                " (SELECT rowid, rank AS score FROM lexicon WHERE lexicon MATCH ? ORDER BY rank LIMIT ?) found"
                " JOIN chunks c ON c.id = found.rowid ORDER BY found.score",
                (self._match(list(dict.fromkeys(terms))), limit),
            )
            return rows.fetchall()

    def _match(self, terms: list[str]) -> str:
        """Any of `terms`; in a large index a chunk must hold one of the rare ones, so that few have to be scored.

        FTS5 scores every match, and frequent terms match much for little score. All terms still count in the score of
        a match: the rare ones occur twice in the expression, so the frequent ones are written twice beside them.
        """
        db = self._db()
        highest: int = db.execute("SELECT coalesce(max(id), 0) FROM chunks").fetchone()[0]
        if highest <= _SCORED or len(terms) == 1:
            return _any(terms)
        enough = _SCORED + highest // _SCORED_SHARE
        rows = db.execute(f"SELECT term, doc FROM vocabulary WHERE term IN ({marks(terms)})", terms)
        frequencies: dict[str, int] = dict(rows.fetchall())
        terms = sorted(terms, key=lambda term: frequencies.get(term, 0))
        matches, rare = 0, 0
        while rare < len(terms):
            matches += frequencies.get(terms[rare], 0)
            if rare and matches > enough:
                break
            rare += 1
        if rare == len(terms):
            return _any(terms)
        return f"({_any(terms[:rare])}) AND ({_any(terms + terms[rare:])})"

    def document_frequencies(self, terms: Sequence[str]) -> tuple[int, dict[str, int]]:
        """Number of chunks in the lexical index, and of those that hold each term."""
        with failures():
            db = self._db()
            total = db.execute("SELECT coalesce(max(id), 0) FROM chunks").fetchone()[0]
            rows = db.execute(f"SELECT term, doc FROM vocabulary WHERE term IN ({marks(terms)})", list(terms))
            return total, dict(rows.fetchall())

    def placed(self, chunk_ids: Sequence[str], roots: Sequence[Path]) -> list[Placed]:
        with failures():
            known = self._places(roots)
            unknown = [chunk for chunk in chunk_ids if chunk not in known]
            numbers = self._roots(roots) if unknown else {}
            for part in slices(unknown):
                rows = self._db().execute(
                    # CROSS JOIN keeps this order; by itself SQLite goes through all files first, three times as long.
                    f"SELECT {_PLACED} FROM chunks c CROSS JOIN blob_chunks p ON p.chunk = c.id"
                    " CROSS JOIN blobs b ON b.id = p.blob CROSS JOIN files f ON f.blob = b.id"
                    f" WHERE c.key IN ({marks(part)}) AND f.root IN ({marks(list(numbers))})",
                    [*part, *numbers],
                )
                known.update((chunk, []) for chunk in part)
                for row in rows:
                    placed = _placed(numbers, row)
                    known[placed.chunk.id].append(placed)
            return [placed for chunk in chunk_ids for placed in known[chunk]]

    def _places(self, roots: Sequence[Path]) -> dict[str, list[Placed]]:
        """Places that this thread has looked up since the catalog last changed: queries of one hour share many."""
        state = (self._db().execute("PRAGMA data_version").fetchone()[0], *roots)
        known: dict[str, list[Placed]] = getattr(self._local, "places", {})
        if getattr(self._local, "state", None) != state or len(known) > _KEPT_PLACES:
            known = self._local.places = {}
            self._local.state = state
        return known

    def in_files(self, endings: Sequence[str], roots: Sequence[Path], limit: int) -> list[Placed]:
        found: list[Placed] = []
        with failures():
            numbers = self._roots(roots)
            for ending in endings:
                rows = self._db().execute(
                    f"SELECT {_PLACED} FROM files f JOIN blobs b ON b.id = f.blob JOIN blob_chunks p ON p.blob = b.id"
                    f" JOIN chunks c ON c.id = p.chunk WHERE f.root IN ({marks(list(numbers))})"
                    " AND ('/' || lower(f.path)) LIKE ? ESCAPE '\\' ORDER BY length(f.path), f.path, p.ordinal LIMIT ?",
                    [*numbers, f"%/{_escaped(ending.lower())}", limit],
                )
                found += [_placed(numbers, row) for row in rows]
        return found

    def users(self, blobs: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        with failures():
            for part in slices(blobs):
                found |= sqlite_graph.users(self._db(), part)
        return found

    def definitions(self, names: Sequence[str], roots: Sequence[Path]) -> list[PlacedDefinition]:
        found: list[PlacedDefinition] = []
        with failures():
            numbers = self._roots(roots)
            for part in slices(names):
                rows = self._db().execute(
                    f"SELECT f.root, f.path, {_DEFINITION} FROM definitions d JOIN files f ON f.blob = d.blob"
                    f" WHERE d.name COLLATE NOCASE IN ({marks(part)}) AND f.root IN ({marks(list(numbers))})",
                    [*part, *numbers],
                )
                found += [PlacedDefinition(numbers[root], path, _definition(rest)) for root, path, *rest in rows]
        return found

    def definitions_like(self, part: str, roots: Sequence[Path], limit: int) -> list[PlacedDefinition]:
        pattern = _escaped(part)
        with failures():
            numbers = self._roots(roots)
            rows = self._db().execute(
                f"SELECT f.root, f.path, {_DEFINITION} FROM definitions d JOIN files f ON f.blob = d.blob"
                f" WHERE d.name LIKE ? ESCAPE '\\' AND f.root IN ({marks(list(numbers))})"
                " ORDER BY d.name NOT LIKE ? ESCAPE '\\', length(d.name), f.path LIMIT ?",
                [f"%{pattern}%", *numbers, f"{pattern}%", limit],
            )
            return [PlacedDefinition(numbers[root], path, _definition(rest)) for root, path, *rest in rows]

    def references(self, name: str, roots: Sequence[Path], limit: int) -> list[PlacedReference]:
        with failures():
            numbers = self._roots(roots)
            rows = self._db().execute(
                "SELECT f.root, f.path, r.name, r.kind, r.line, r.within FROM refs r JOIN files f ON f.blob = r.blob"
                f" WHERE r.name = ? AND f.root IN ({marks(list(numbers))}) ORDER BY f.path, r.line LIMIT ?",
                [name, *numbers, limit],
            )
            return [PlacedReference(numbers[root], path, Reference(*rest)) for root, path, *rest in rows]

    def outline(self, root: Path, path: str) -> Outline | None:
        with failures():
            db = self._db()
            row = db.execute(
                "SELECT f.blob FROM files f JOIN roots r ON r.id = f.root WHERE r.path = ? AND f.path = ?",
                (str(root), path),
            ).fetchone()
            if row is None or row[0] is None:
                return None
            definitions = db.execute(f"SELECT {_DEFINITION} FROM definitions d WHERE d.blob = ? ORDER BY d.start", row)
            references = db.execute("SELECT name, kind, line, within FROM refs WHERE blob = ? ORDER BY line", row)
            return Outline(tuple(map(_definition, definitions)), tuple(Reference(*r) for r in references))

    def chunk_ids(self, root: Path, paths: Sequence[str] | None = None) -> dict[str, list[str]]:
        with failures():
            return chunk_ids(self._db(), root, paths)

    def chunks_in(self, root: Path, path: str) -> list[Placed]:
        with failures():
            rows = self._db().execute(
                f"SELECT {_PLACED} FROM roots r JOIN files f ON f.root = r.id JOIN blobs b ON b.id = f.blob"
                " JOIN blob_chunks p ON p.blob = b.id JOIN chunks c ON c.id = p.chunk"
                " WHERE r.path = ? AND f.path = ? ORDER BY p.ordinal",
                (str(root), path),
            )
            return [_placed({row[0]: root}, row) for row in rows]

    def paths(self, root: Path) -> dict[str, str]:
        with failures():
            rows = self._db().execute(
                "SELECT f.path, b.language FROM files f JOIN roots r ON r.id = f.root JOIN blobs b ON b.id = f.blob"
                " WHERE r.path = ?",
                (str(root),),
            )
            return dict(rows.fetchall())

    def counts(self, root: Path) -> CatalogCounts:
        with failures():
            db = self._db()
            languages = dict(
                db.execute(
                    "SELECT b.language, count(*) FROM files f JOIN roots r ON r.id = f.root"
                    " JOIN blobs b ON b.id = f.blob WHERE r.path = ? GROUP BY b.language ORDER BY 2 DESC, 1",
                    (str(root),),
                ).fetchall()
            )
            chunks = db.execute(
                "SELECT count(*) FROM files f JOIN roots r ON r.id = f.root JOIN blob_chunks p ON p.blob = f.blob"
                " WHERE r.path = ?",
                (str(root),),
            ).fetchone()[0]
            left_out = db.execute(
                "SELECT count(*) FROM files f JOIN roots r ON r.id = f.root WHERE r.path = ? AND f.blob IS NULL",
                (str(root),),
            ).fetchone()[0]
            return CatalogCounts(sum(languages.values()), chunks, languages, left_out)


def chunk_ids(db: sqlite3.Connection, root: Path, paths: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Path → ids of its chunks, of all files or of these, the latest changed first."""
    found: dict[str, list[str]] = {}
    for part in slices(paths) if paths is not None else [None]:
        among = f" AND f.path IN ({marks(part)})" if part is not None else ""
        rows = db.execute(
            "SELECT f.path, c.key FROM files f JOIN roots r ON r.id = f.root JOIN blob_chunks p ON p.blob = f.blob"
            f" JOIN chunks c ON c.id = p.chunk WHERE r.path = ?{among} ORDER BY f.mtime_ns DESC, f.path, p.ordinal",
            (str(root), *(part or ())),
        )
        for path, key in rows:
            found.setdefault(path, []).append(key)
    return found


def _escaped(text: str) -> str:
    """`text` for a LIKE pattern in which nothing is special."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _any(terms: Sequence[str]) -> str:
    return " OR ".join('"' + term.replace('"', "") + '"' for term in terms)


def _names(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("\n")) if joined else ()


def _placed(roots: Mapping[int, Path], row: Sequence[Any]) -> Placed:
    root, path, size, mtime, blob, language, key, start, end, first, last, scope, signature, names, kind = row
    chunk = Chunk(key, start, end, first, last, _names(scope), signature, _names(names), kind)
    return Placed(roots[root], path, language, FileState(size, mtime, blob), chunk)


def _definition(row: Sequence[Any]) -> Definition:
    name, kind, start, end, first, last, name_line, scope, signature, doc = row
    return Definition(name, kind, start, end, first, last, name_line, _names(scope), signature, doc)
