"""Conversations in a small SQLite file that only its owner may read."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from impetus.adapters import private_sqlite
from impetus.domain.conversations import Conversation, Item
from impetus.domain.types import Message, Role, ToolCall
from impetus.errors import BadRequest

_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    model TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    metadata TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS conversations_of_owner ON conversations (owner, number);
CREATE TABLE IF NOT EXISTS items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL REFERENCES conversations (number) ON DELETE CASCADE,
    created REAL NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS items_of_conversation ON items (conversation, id);
"""
_COLUMNS = "id, owner, model, created, updated, metadata"


class SqliteConversationStore:
    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, conversation: Conversation) -> None:
        c = conversation
        with self._open() as database:
            database.execute(
                f"INSERT INTO conversations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                (c.id, c.owner, c.model, c.created, c.updated, json.dumps(dict(c.metadata))),
            )

    def get(self, owner: str, id: str) -> Conversation | None:
        with self._open() as database:
            query = f"SELECT {_COLUMNS} FROM conversations WHERE owner = ? AND id = ?"
            row = database.execute(query, (owner, id)).fetchone()
            return _conversation(row) if row is not None else None

    def all(self, owner: str, model: str | None, limit: int, after: str | None) -> list[Conversation]:
        with self._open() as database:
            before = 2**62 if after is None else _number(database, owner, after)
            if before is None:
                raise BadRequest("`after` is not the id of a conversation; begin again without it", parameter="after")
            rows = database.execute(
                f"SELECT {_COLUMNS} FROM conversations WHERE owner = ? AND (? IS NULL OR model = ?) AND number < ? "
                "ORDER BY number DESC LIMIT ?",
                (owner, model, model, before, limit),
            )
            return [_conversation(row) for row in rows]

    def remove(self, owner: str, id: str) -> bool:
        with self._open() as database:
            query = "DELETE FROM conversations WHERE owner = ? AND id = ?"
            return database.execute(query, (owner, id)).rowcount > 0

    def append(self, owner: str, id: str, messages: Sequence[Message], at: float) -> bool:
        with self._open() as database:
            number = _number(database, owner, id)
            if number is None:
                return False
            database.executemany(
                "INSERT INTO items (conversation, created, message) VALUES (?, ?, ?)",
                [(number, at, json.dumps(_message_json(message))) for message in messages],
            )
            database.execute("UPDATE conversations SET updated = ? WHERE number = ?", (at, number))
            return True

    def items(self, owner: str, id: str, limit: int | None, after: int | None) -> list[Item]:
        with self._open() as database:
            rows = database.execute(
                "SELECT items.id, items.created, message FROM items JOIN conversations ON conversation = number "
                "WHERE owner = ? AND conversations.id = ? AND items.id > ? ORDER BY items.id LIMIT ?",
                (owner, id, after or 0, -1 if limit is None else limit),
            )
            return [Item(number, created, _message(json.loads(text))) for number, created, text in rows]

    def _open(self) -> AbstractContextManager[sqlite3.Connection]:
        failed = "It holds the conversations of the HTTP port: mend its permissions, or delete it"
        return private_sqlite.opened(self._path, _prepare, failed)


def _prepare(database: sqlite3.Connection) -> None:
    if not database.execute("PRAGMA table_info(items)").fetchall():
        database.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT")
    database.execute("PRAGMA foreign_keys = ON")


def _number(database: sqlite3.Connection, owner: str, id: str) -> int | None:
    row = database.execute("SELECT number FROM conversations WHERE owner = ? AND id = ?", (owner, id)).fetchone()
    return row[0] if row is not None else None


def _conversation(row: Sequence[Any]) -> Conversation:
    number, owner, model, created, updated, metadata = row
    return Conversation(number, owner, model, created, updated, json.loads(metadata))


def _message_json(message: Message) -> dict[str, Any]:
    calls = [[call.id, call.name, call.arguments] for call in message.tool_calls]
    more = {"calls": calls, "answers": message.tool_call_id}
    return {"role": message.role.value, "content": message.content} | {k: v for k, v in more.items() if v}


def _message(stored: dict[str, Any]) -> Message:
    calls = tuple(ToolCall(*call) for call in stored.get("calls", ()))
    return Message(Role(stored["role"]), stored["content"], calls, stored.get("answers", ""))
