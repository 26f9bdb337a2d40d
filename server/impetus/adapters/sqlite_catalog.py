"""The read side of the catalog in SQLite; any number of threads and processes may read beside the one writer (WAL).

The lexical index is read into memory as a whole and followed from there (`domain/lexicon.py`).
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from impetus.adapters import sqlite_lexicon, sqlite_schema
from impetus.domain.lexicon import Lexicon
from impetus.domain.ports import CatalogCounts, FileState, Placed, PlacedDefinition, PlacedFile, PlacedReference
from impetus.domain.types import Chunk, Definition, Outline, Reference
from impetus.errors import IndexCorrupt, IndexFailed, IndexReplaced

T = TypeVar("T")

#: SQLite's limit on variables is 32,766; smaller slices keep statements cheap to prepare.
_SLICE = 500

#: What a connection remembers at most: places of chunks, about 1 kB each, files and ids, about 0.5 and 0.1 kB.
_KEPT_PLACES, _KEPT_FILES, _KEPT_KEYS = 10_000, 20_000, 50_000

_CHUNK = 'c.key, p.start, p."end", p.start_line, p.end_line, c.scope, c.signature, c.symbols, c.kind'
_FILE = "f.root, f.path, b.language, f.size, f.mtime_ns, b.key, coalesce(u.users, 0)"
_USERS = "LEFT JOIN popularity u ON u.blob = b.id"
_DEFINITION = 'd.name, d.kind, d.start, d."end", d.start_line, d.end_line, d.name_line, d.scope, d.signature, d.doc'


@contextmanager
def failures() -> Iterator[None]:
    """SQLite's errors become ours. A damaged file is a bare DatabaseError, everything else has a class of its own."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise IndexFailed(f"The index cannot be used: {error}. {_advice(error)}") from error
    except sqlite3.Error as error:
        raise IndexCorrupt(f"The index is damaged ({error}) and has to be built anew") from error


def _advice(error: sqlite3.OperationalError) -> str:
    code = error.sqlite_errorcode & 0xFF  # without what the extended codes add
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "Another program has locked its database; close that one, and it goes on by itself"
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return "Free disk space or check the rights of its folder"
    return "`impetus index --full` makes it anew"


def slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for i in range(0, len(items), _SLICE):
        yield items[i : i + _SLICE]


def marks(items: Sequence[object]) -> str:
    return ",".join("?" * len(items))


@dataclass(slots=True)
class _Known:
    """What a connection has looked up since the catalog last changed: the searches of one hour share much of it."""

    version: int = -1
    followed: bool = False  # whether the lexical index is of this version, or later
    keys: dict[int, str] = field(default_factory=dict)  # number of a chunk → its id
    places: dict[str, list[Placed]] = field(default_factory=dict)  # under `roots`
    files: dict[int, list[PlacedFile]] = field(default_factory=dict)  # number of a blob → files under `roots`
    roots: tuple[Path, ...] = ()
    numbers: dict[int, Path] = field(default_factory=dict)


class _Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite_schema.connect(path, read_only=True)
        self._known = _Known()

    def known(self) -> _Known:
        version: int = self.db.execute("PRAGMA data_version").fetchone()[0]
        if self._known.version != version:
            self._known = _Known(version)
        if len(self._known.keys) > _KEPT_KEYS:
            self._known.keys = {}
        return self._known

    def known_under(self, roots: Sequence[Path]) -> _Known:
        known = self.known()
        if known.roots != tuple(roots):
            known.roots, known.numbers = tuple(roots), numbers_of(self.db, roots)
            known.places, known.files = {}, {}
        if len(known.places) > _KEPT_PLACES:
            known.places = {}
        if len(known.files) > _KEPT_FILES:
            known.files = {}
        return known


class SqliteCatalogReader:
    """Implements `CatalogReader`. Of its connections the one used last is used first: it remembers most."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = threading.Condition()
        self._free: list[_Connection] = []  # a stack
        self._used = 0
        self._closed = False
        self._following = threading.Lock()
        self._lexicon = Lexicon({})  # for all connections: one that is not used must not keep an old one

    def close(self) -> None:
        """Waits for what is being asked: SQLite crashes the process when a connection is closed under a query."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._used == 0)
            while self._free:
                self._free.pop().db.close()
            self._lexicon = Lexicon({})  # whoever still holds this reader holds no index

    @contextmanager
    def _connected(self) -> Iterator[_Connection]:
        with self._changed:
            if self._closed:
                raise IndexReplaced
            connection = self._free.pop() if self._free else None
            self._used += 1
        try:
            connection = connection or _Connection(self._path)
            with failures():
                yield connection
        finally:
            with self._changed:
                self._used -= 1
                if connection is not None:
                    self._free.append(connection)
                self._changed.notify_all()

    def lexical(self, terms: Sequence[str], limit: int) -> list[tuple[str, float]]:
        if not terms:
            return []
        with self._connected() as connection:
            found = self._followed(connection).search(terms, limit)
            known = connection.known()
            unknown = [number for number, _ in found if number not in known.keys]
            if unknown:
                statement = "SELECT c.id, c.key FROM json_each(?) asked CROSS JOIN chunks c ON c.id = asked.value"
                known.keys.update(connection.db.execute(statement, (json.dumps(unknown),)).fetchall())
            # A chunk may have been deleted between the two statements.
            return [(known.keys[number], score) for number, score in found if number in known.keys]

    def document_frequencies(self, terms: Sequence[str]) -> tuple[int, dict[str, int]]:
        with self._connected() as connection:
            lexicon = self._followed(connection)
            return lexicon.chunks, lexicon.frequencies(terms)

    def _followed(self, connection: _Connection) -> Lexicon:
        known = connection.known()
        if not known.followed:
            with self._following:  # one after the other: what was read earlier must not take the place of what is newer
                self._lexicon = sqlite_lexicon.read(connection.db, self._lexicon)
            known.followed = True
        return self._lexicon

    def placed(self, chunk_ids: Sequence[str], roots: Sequence[Path]) -> list[Placed]:
        with self._connected() as connection:
            known = connection.known_under(roots)
            places = known.places
            unknown = [chunk for chunk in chunk_ids if chunk not in places]
            if unknown:
                places.update((chunk, []) for chunk in unknown)
                # A list in one variable: a statement for each number of marks would have to be prepared anew.
                # CROSS JOIN keeps the order of the tables, also below.
                rows = connection.db.execute(
                    f"SELECT p.blob, {_CHUNK} FROM json_each(?) asked CROSS JOIN chunks c ON c.key = asked.value"
                    " CROSS JOIN blob_chunks p ON p.chunk = c.id",
                    (json.dumps(unknown),),
                ).fetchall()
                files = _files(connection.db, known, {row[0] for row in rows})
                for blob, *rest in rows:
                    chunk = _chunk(rest)
                    places[chunk.id] += [Placed(file, chunk) for file in files[blob]]
            return [placed for chunk in chunk_ids for placed in places[chunk]]

    def defining(self, names: Sequence[str], roots: Sequence[Path], limit: int) -> list[str]:
        with self._connected() as connection:
            numbers = connection.known_under(roots).numbers
            rows = connection.db.execute(
                "SELECT DISTINCT c.key FROM definitions d JOIN blob_chunks p"
                ' ON p.blob = d.blob AND p.start <= d.start AND d.start < p."end" JOIN chunks c ON c.id = p.chunk'
                f" WHERE d.name COLLATE NOCASE IN ({marks(names)}) AND EXISTS"
                f" (SELECT 1 FROM files f WHERE f.blob = d.blob AND f.root IN ({marks(list(numbers))})) LIMIT ?",
                [*names, *numbers, limit],
            )
            return [key for (key,) in rows]

    def in_files(self, endings: Sequence[str], roots: Sequence[Path], limit: int) -> list[Placed]:
        found: list[Placed] = []
        with self._connected() as connection:
            numbers = numbers_of(connection.db, roots)
            statement = (
                f"SELECT {_FILE}, {_CHUNK} FROM files f JOIN blobs b ON b.id = f.blob"
                " JOIN blob_chunks p ON p.blob = b.id"
                f" JOIN chunks c ON c.id = p.chunk {_USERS} WHERE f.root IN ({marks(list(numbers))})"
                " AND ('/' || lower(f.path)) LIKE ? ESCAPE '\\' ORDER BY length(f.path), f.path, p.ordinal LIMIT ?"
            )
            for ending in map(_escaped, endings):
                rows = connection.db.execute(statement, [*numbers, f"%/{ending}", limit]).fetchall()
                folder, _, name = ending.rpartition("/")
                if folder and not rows:
                    rows = connection.db.execute(statement, [*numbers, f"/{name}", limit]).fetchall()
                found += [_placed(numbers, row) for row in rows]
        return found

    def files_named(self, stems: Sequence[str], roots: Sequence[Path], limit: int) -> list[str]:
        with self._connected() as connection:
            numbers = numbers_of(connection.db, roots)
            rows = connection.db.execute(
                f"SELECT path FROM files WHERE stem IN ({marks(stems)}) AND root IN ({marks(list(numbers))})"
                " ORDER BY length(path), path LIMIT ?",
                [*stems, *numbers, limit],
            )
            return [path for (path,) in rows]

    def definitions(self, names: Sequence[str], roots: Sequence[Path]) -> list[PlacedDefinition]:
        found: list[PlacedDefinition] = []
        with self._connected() as connection:
            numbers = numbers_of(connection.db, roots)
            for part in slices(names):
                rows = connection.db.execute(
                    f"SELECT f.root, f.path, {_DEFINITION} FROM definitions d JOIN files f ON f.blob = d.blob"
                    f" WHERE d.name COLLATE NOCASE IN ({marks(part)}) AND f.root IN ({marks(list(numbers))})",
                    [*part, *numbers],
                )
                found += [PlacedDefinition(numbers[root], path, _definition(rest)) for root, path, *rest in rows]
        return found

    def definitions_like(self, part: str, roots: Sequence[Path], limit: int) -> list[PlacedDefinition]:
        pattern = _escaped(part)
        with self._connected() as connection:
            numbers = numbers_of(connection.db, roots)
            rows = connection.db.execute(
                f"SELECT f.root, f.path, {_DEFINITION} FROM definitions d JOIN files f ON f.blob = d.blob"
                f" WHERE d.name LIKE ? ESCAPE '\\' AND f.root IN ({marks(list(numbers))})"
                " ORDER BY d.name NOT LIKE ? ESCAPE '\\', length(d.name), f.path LIMIT ?",
                [f"%{pattern}%", *numbers, f"{pattern}%", limit],
            )
            return [PlacedDefinition(numbers[root], path, _definition(rest)) for root, path, *rest in rows]

    def references(self, name: str, roots: Sequence[Path], limit: int) -> list[PlacedReference]:
        with self._connected() as connection:
            numbers = numbers_of(connection.db, roots)
            rows = connection.db.execute(
                "SELECT f.root, f.path, r.name, r.kind, r.line, r.within FROM refs r JOIN files f ON f.blob = r.blob"
                f" WHERE r.name = ? AND f.root IN ({marks(list(numbers))}) ORDER BY f.path, r.line LIMIT ?",
                [name, *numbers, limit],
            )
            return [PlacedReference(numbers[root], path, Reference(*rest)) for root, path, *rest in rows]

    def outline(self, root: Path, path: str) -> Outline | None:
        with self._connected() as connection:
            db = connection.db
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
        with self._connected() as connection:
            return chunk_ids(connection.db, root, paths)

    def chunks_in(self, root: Path, path: str) -> list[Placed]:
        with self._connected() as connection:
            rows = connection.db.execute(
                f"SELECT {_FILE}, {_CHUNK} FROM roots r JOIN files f ON f.root = r.id JOIN blobs b ON b.id = f.blob"
                f" JOIN blob_chunks p ON p.blob = b.id JOIN chunks c ON c.id = p.chunk {_USERS}"
                " WHERE r.path = ? AND f.path = ? ORDER BY p.ordinal",
                (str(root), path),
            )
            return [_placed({row[0]: root}, row) for row in rows]

    def paths(self, root: Path) -> dict[str, str]:
        with self._connected() as connection:
            rows = connection.db.execute(
                "SELECT f.path, b.language FROM files f JOIN roots r ON r.id = f.root JOIN blobs b ON b.id = f.blob"
                " WHERE r.path = ?",
                (str(root),),
            )
            return dict(rows.fetchall())

    def counts(self, root: Path) -> CatalogCounts:
        with self._connected() as connection:
            db = connection.db
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


def numbers_of(db: sqlite3.Connection, roots: Sequence[Path]) -> dict[int, Path]:
    rows = db.execute(f"SELECT id, path FROM roots WHERE path IN ({marks(roots)})", [str(root) for root in roots])
    return {number: Path(path) for number, path in rows}


def _names(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("\n")) if joined else ()


def _files(db: sqlite3.Connection, known: _Known, blobs: Set[int]) -> dict[int, list[PlacedFile]]:
    """The files that have these contents, and whatever is known already."""
    unknown = [blob for blob in blobs if blob not in known.files]
    if unknown:
        known.files.update((blob, []) for blob in unknown)
        rows = db.execute(
            f"SELECT b.id, {_FILE} FROM json_each(?) asked CROSS JOIN blobs b ON b.id = asked.value"
            f" CROSS JOIN files f ON f.blob = b.id {_USERS}",
            (json.dumps(unknown),),
        )
        for blob, *rest in rows:
            if rest[0] in known.numbers:
                known.files[blob].append(_file(known.numbers, rest))
    return known.files


def _file(roots: Mapping[int, Path], row: Sequence[Any]) -> PlacedFile:
    root, path, language, size, mtime, blob, users = row
    return PlacedFile(roots[root], path, language, FileState(size, mtime, blob), users)


def _chunk(row: Sequence[Any]) -> Chunk:
    key, start, end, first, last, scope, signature, symbols, kind = row
    return Chunk(key, start, end, first, last, _names(scope), signature, _names(symbols), kind)


def _placed(roots: Mapping[int, Path], row: Sequence[Any]) -> Placed:
    return Placed(_file(roots, row[:7]), _chunk(row[7:]))


def _definition(row: Sequence[Any]) -> Definition:
    name, kind, start, end, first, last, name_line, scope, signature, doc = row
    return Definition(name, kind, start, end, first, last, name_line, _names(scope), signature, doc)
