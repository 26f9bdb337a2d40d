"""Tables of the documents, and how their file is opened. Unlike an index this is the only copy: it is never deleted.

Contents and places are kept apart, as in the catalog of code: `contents` are what some bytes were read as, a row of
`passages` is kept once however many contents hold it, `documents` name contents.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from impetus.errors import IndexFailed

SCHEMA_VERSION = 1

_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) WITHOUT ROWID, STRICT;
INSERT INTO meta VALUES ('changes', 0);
CREATE TABLE collections (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL
) STRICT;
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    passages INTEGER NOT NULL               -- how many it has
) STRICT;
CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collections,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES contents,
    metadata TEXT NOT NULL,                 -- JSON
    added REAL NOT NULL,
    updated REAL NOT NULL
) STRICT;
CREATE INDEX documents_by_collection ON documents (collection);
CREATE INDEX documents_by_content ON documents (content);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL,
    headings TEXT NOT NULL,                 -- JSON
    vector BLOB NOT NULL                    -- float16, little-endian; '' for a text without a known word
) STRICT;
CREATE TABLE places (
    content INTEGER NOT NULL REFERENCES contents,
    ordinal INTEGER NOT NULL,
    passage INTEGER NOT NULL REFERENCES passages,
    page INTEGER,
    cell INTEGER,
    PRIMARY KEY (content, ordinal)
) WITHOUT ROWID, STRICT;
CREATE INDEX places_by_passage ON places (passage);
CREATE VIRTUAL TABLE lexicon USING fts5(terms, tokenize="unicode61 remove_diacritics 0 tokenchars '_'");
CREATE VIRTUAL TABLE vocabulary USING fts5vocab(lexicon, row);
PRAGMA user_version = {SCHEMA_VERSION};
"""


@contextmanager
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """The file of the documents, made when missing, for its owner only. Raises IndexFailed."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite creates files by the umask and gives a journal the mode of its database: make it private first.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
            _prepare(db, path)
            yield db
    except (OSError, sqlite3.Error) as error:
        raise IndexFailed(
            f"The documents in {path} cannot be used: {error}. Free disk space and check the rights of the file; if it "
            "is damaged, delete it and add the documents again"
        ) from error


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Everything in it or nothing. Other processes see that the documents have changed."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("UPDATE meta SET value = value + 1 WHERE key = 'changes'")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    version = _version(db)
    if version == 0:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        if _version(db) == 0:  # another process may have been here first
            for statement in _statements():
                db.execute(statement)
        db.execute("COMMIT")
    elif version != SCHEMA_VERSION:
        raise IndexFailed(f"The documents in {path} were written by another version of Impetus; use that one")


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def _statements() -> Iterator[str]:
    statement = ""
    for line in _SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
