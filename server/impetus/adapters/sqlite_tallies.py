"""Counts of suggestions in a small SQLite file; several processes may add to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, fields
from pathlib import Path

from impetus.domain.feedback import Tally
from impetus.errors import ImpetusError

_KEY = ("day", "language", "model")
_COUNTS = tuple(field.name for field in fields(Tally) if field.name not in _KEY)

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS tallies (
    day TEXT NOT NULL,
    language TEXT NOT NULL,
    model TEXT NOT NULL,
    {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in _COUNTS)},
    PRIMARY KEY (day, language, model)
) STRICT, WITHOUT ROWID
"""
_ADD = f"""
INSERT INTO tallies ({", ".join((*_KEY, *_COUNTS))}) VALUES ({", ".join("?" * (len(_KEY) + len(_COUNTS)))})
ON CONFLICT DO UPDATE SET {", ".join(f"{name} = {name} + excluded.{name}" for name in _COUNTS)}
"""


class SqliteTallyStore:
    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, tally: Tally) -> None:
        with self._open() as database:
            database.execute(_ADD, astuple(tally))

    def all(self) -> list[Tally]:
        if not self._path.exists():
            return []
        with self._open() as database:
            rows = database.execute(
                f"SELECT {', '.join((*_KEY, *_COUNTS))} FROM tallies ORDER BY day, language, model"
            ).fetchall()
        return [Tally(*row) for row in rows]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction, committed when the block ends well."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=5.0)) as database, database:
                database.execute(_SCHEMA)
                yield database
        except (OSError, sqlite3.Error) as error:
            raise ImpetusError(
                f"The counts of suggestions in {self._path} cannot be used: {error}. Mend its permissions or delete it"
            ) from error
