"""API keys in a small SQLite file that only its owner may read."""

import sqlite3
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from impetus.adapters import private_sqlite
from impetus.domain.keys import ApiKey, KeyEvent

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created REAL NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    expires REAL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    action TEXT NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL
) STRICT;
"""
_NOTE = "INSERT INTO events (at, action, key_id, name, role) VALUES (?, ?, ?, ?, ?)"


class SqliteKeyStore:
    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, key: ApiKey) -> None:
        with self._open() as database:
            database.execute(
                "INSERT INTO keys (id, name, role, created, digest, expires) VALUES (?, ?, ?, ?, ?, ?)",
                (key.id, key.name, key.role, key.created, key.digest, key.expires),
            )
            database.execute(_NOTE, (key.created, "created", key.id, key.name, key.role))

    def all(self) -> list[ApiKey]:
        if not self._path.exists():
            return []
        with self._open() as database:
            rows = database.execute("SELECT id, name, role, created, digest, expires FROM keys ORDER BY created, id")
            return [ApiKey(*row) for row in rows]

    def remove(self, key_id: str, at: float) -> bool:
        if not self._path.exists():
            return False
        with self._open() as database:
            row = database.execute("DELETE FROM keys WHERE id = ? RETURNING id, name, role", (key_id,)).fetchone()
            if row is not None:
                database.execute(_NOTE, (at, "revoked", *row))
            return row is not None

    def events(self) -> list[KeyEvent]:
        if not self._path.exists():
            return []
        with self._open() as database:
            rows = database.execute("SELECT number, at, action, key_id, name, role FROM events ORDER BY number DESC")
            return [KeyEvent(*row) for row in rows]

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        failed = "It holds the API keys: mend its permissions, or delete it and create new keys"
        return private_sqlite.opened(self._path, _prepare, failed)


def _prepare(database: sqlite3.Connection) -> None:
    if len(database.execute("PRAGMA table_info(keys)").fetchall()) == 6:
        return
    database.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT")
    # The first version of this file knew no expiry. Another process may be mending it at the same moment.
    if "expires" not in [row[1] for row in database.execute("PRAGMA table_info(keys)")]:
        with suppress(sqlite3.OperationalError):
            database.execute("ALTER TABLE keys ADD COLUMN expires REAL")
