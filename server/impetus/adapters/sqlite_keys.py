"""API keys in a small SQLite file that only its owner may read.

Opened anew for each call: keys are few and calls rare, and another process may add or revoke one at any time.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from impetus.domain.keys import ApiKey
from impetus.errors import ImpetusError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created REAL NOT NULL,
    digest BLOB NOT NULL UNIQUE
) STRICT
"""


class SqliteKeyStore:
    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, key: ApiKey) -> None:
        with self._open() as database:
            database.execute(
                "INSERT INTO keys (id, name, role, created, digest) VALUES (?, ?, ?, ?, ?)",
                (key.id, key.name, key.role, key.created, key.digest),
            )

    def all(self) -> list[ApiKey]:
        if not self._path.exists():
            return []
        with self._open() as database:
            rows = database.execute("SELECT id, name, role, created, digest FROM keys ORDER BY created, id").fetchall()
        return [ApiKey(*row) for row in rows]

    def remove(self, key_id: str) -> bool:
        if not self._path.exists():
            return False
        with self._open() as database:
            return database.execute("DELETE FROM keys WHERE id = ?", (key_id,)).rowcount > 0

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One transaction, committed when the block ends well."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite creates files by the umask and gives a journal the mode of its database: make it private first.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            self._path.chmod(0o600)
            with closing(sqlite3.connect(self._path, timeout=5.0)) as database, database:
                database.execute(_SCHEMA)
                yield database
        except (OSError, sqlite3.Error) as error:
            raise ImpetusError(
                f"The file of API keys, {self._path}, cannot be used: {error}. Mend its permissions, or delete it and "
                "create new keys"
            ) from error
