"""Where the catalog keeps its postings: a row per part, written in the transaction that changes the map of files."""

import json
import sqlite3
from collections.abc import Iterable

import numpy as np

from impetus.domain.lexicon import Lexicon
from impetus.domain.postings import Postings, merge, mergeable, sound
from impetus.errors import IndexCorrupt

_ARRAYS = {"numbers": "<i4", "lengths": "<i4", "terms": "<u8", "starts": "<i4", "chunks": "<i4", "uses": "u1"}
_COLUMNS = ", ".join(_ARRAYS)
#: Postings of parts that were read or merged from which on the pages are let go.
_LARGE = 2_000


def append(db: sqlite3.Connection, part: Postings) -> None:
    """Add a part, and make one of the last ones where they are many. Belongs into the caller's transaction."""
    _insert(db, part)
    # The size as `Postings.size`: SQLite tells the length of a blob without reading it.
    rows = db.execute("SELECT part, length(numbers) / 4 + length(uses) FROM lexicon ORDER BY part").fetchall()
    run = mergeable([size for _, size in rows])
    if run:
        old = [number for number, _ in rows[-run:]]
        parts = [_load(db, number) for number in old]
        _insert(db, merge(parts, _deleted(db, parts), first=run == len(rows)))
        # After the insertion: the number of a part is never given out twice, readers know parts by it.
        db.executemany("DELETE FROM lexicon WHERE part = ?", [(number,) for number in old])
        _let_go(db, parts)


def read(db: sqlite3.Connection, known: Lexicon) -> Lexicon:
    """The lexical index as it is; what `known` has of it is not read again."""
    db.execute("BEGIN")  # the rows and their list as of one moment
    try:
        numbers = [number for (number,) in db.execute("SELECT part FROM lexicon ORDER BY part")]
        if numbers == list(known.parts):
            return known
        parts = {number: known.parts.get(number) or _load(db, number) for number in numbers}
    finally:
        db.execute("COMMIT")
    _let_go(db, [part for number, part in parts.items() if number not in known.parts])
    return Lexicon(parts)


def _insert(db: sqlite3.Connection, part: Postings) -> None:
    blobs = [getattr(part, name).astype(kind, copy=False).tobytes() for name, kind in _ARRAYS.items()]
    db.execute(f"INSERT INTO lexicon ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", blobs)


def _load(db: sqlite3.Connection, number: int) -> Postings:
    blobs = db.execute(f"SELECT {_COLUMNS} FROM lexicon WHERE part = ?", (number,)).fetchone()
    try:
        part = Postings(*(np.frombuffer(blob, kind) for blob, kind in zip(blobs, _ARRAYS.values(), strict=True)))
    except ValueError as error:
        raise IndexCorrupt("The lexical index is damaged and has to be built anew") from error
    if not sound(part):
        raise IndexCorrupt("The lexical index is damaged and has to be built anew")
    return part


def _let_go(db: sqlite3.Connection, read: Iterable[Postings]) -> None:
    """SQLite keeps the pages of what it reads, and parts would take the whole room of a connection in the end."""
    if sum(part.size for part in read) > _LARGE:
        db.execute("PRAGMA shrink_memory")


def _deleted(db: sqlite3.Connection, parts: list[Postings]) -> set[int]:
    """Chunks of `parts` that will not come back."""
    left = sorted({number for part in parts for number in part.numbers[part.lengths == 0].tolist()})
    kept = db.execute(
        "SELECT c.id FROM json_each(?) asked CROSS JOIN chunks c ON c.id = asked.value", [json.dumps(left)]
    )
    return set(left) - {number for (number,) in kept}
