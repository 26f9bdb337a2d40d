"""Tables of the catalog and how a database file is opened. One file per repository, shared by its worktrees.

Contents and places are kept apart: `blobs` with everything that follows from them (chunks, definitions, references,
terms), and `files`, the map from a root's paths to blobs. An edit, a move, a branch switch or a second worktree
changes `files` and adds the blobs that are new; nothing else.
"""

import sqlite3
from pathlib import Path

from impetus.errors import IndexCorrupt, IndexFailed

#: Raised when the tables change; an older catalog is derived data and is simply built anew.
SCHEMA_VERSION = 8

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE roots (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    language TEXT NOT NULL,
    unused_since REAL                      -- seconds since the epoch; NULL while a file has this content
);
CREATE TABLE files (
    root INTEGER NOT NULL,
    path TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    blob INTEGER,                          -- NULL: seen, and left out because of its content
    stem TEXT NOT NULL,                    -- its name up to its ending, in lower case: `pyproject`, `gitignore`
    PRIMARY KEY (root, path)
) WITHOUT ROWID;
CREATE INDEX files_by_blob ON files (blob);
CREATE INDEX files_by_stem ON files (stem);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out twice: postings of a deleted chunk may still be there
    key TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,                   -- names joined by a newline
    signature TEXT NOT NULL,
    symbols TEXT NOT NULL,                 -- names joined by a newline
    kind TEXT NOT NULL,
    indexed INTEGER NOT NULL,              -- whether `lexicon` has it: while a file has a content that holds it
    length INTEGER NOT NULL                -- in terms
);
CREATE TABLE blob_chunks (
    blob INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    PRIMARY KEY (blob, ordinal)
) WITHOUT ROWID;
-- All columns: the places of a query's candidates are found without a second look-up each.
CREATE INDEX blob_chunks_by_chunk ON blob_chunks (chunk, start, "end", start_line, end_line);
CREATE TABLE definitions (
    blob INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    name_line INTEGER NOT NULL,
    scope TEXT NOT NULL,
    signature TEXT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX definitions_by_name ON definitions (name COLLATE NOCASE);
CREATE INDEX definitions_by_blob ON definitions (blob);
CREATE TABLE refs (
    blob INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    line INTEGER NOT NULL,
    within TEXT NOT NULL
);
CREATE INDEX refs_by_name ON refs (name, blob);
CREATE INDEX refs_by_blob ON refs (blob);
CREATE TABLE popularity (                  -- derived from definitions and refs, see sqlite_graph.py
    blob INTEGER PRIMARY KEY,
    users INTEGER NOT NULL
);
CREATE TABLE uncounted (                   -- contents taken up or left by files since `popularity` was counted
    blob INTEGER PRIMARY KEY,
    used INTEGER NOT NULL                  -- whether a file had it then
);
CREATE TABLE lexicon (                     -- see domain/postings.py; read into memory, searched there
    part INTEGER PRIMARY KEY,
    numbers BLOB NOT NULL,
    lengths BLOB NOT NULL,
    terms BLOB NOT NULL,
    starts BLOB NOT NULL,
    chunks BLOB NOT NULL,
    uses BLOB NOT NULL
);
"""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a catalog; create it when missing, start over when its version is another.

    Raises IndexFailed, also where a reader finds the catalog of another version, and IndexCorrupt.
    """
    try:
        connection = _open(path, read_only)
        version = _version(connection)
        if read_only and version != SCHEMA_VERSION:
            connection.close()
            raise IndexFailed(
                "Another version of Impetus keeps this index. Close its windows, or end it with `impetus stop`; then "
                "this one takes over"
            )
        if version != SCHEMA_VERSION:
            connection.close()
            remove(path)
            connection = _open(path, read_only)
            # In one transaction: the file is there with all that belongs to it, and each by itself would cost a write.
            meta = f"INSERT INTO meta VALUES ('schema', '{SCHEMA_VERSION}');"
            connection.executescript(f"BEGIN; {SCHEMA} {meta} COMMIT;")
        return connection
    except sqlite3.OperationalError as error:
        raise IndexFailed(f"The catalog {path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        raise IndexCorrupt(f"The catalog {path} is damaged: {error}") from error


def remove(path: Path) -> None:
    """Delete a catalog with its write-ahead log."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _open(path: Path, read_only: bool) -> sqlite3.Connection:
    # A reader must not create the file: an empty one would be taken for an index.
    mode = "rw" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=10, check_same_thread=False, isolation_level=None
    )
    if read_only:
        connection.execute("PRAGMA query_only = 1")
    else:
        connection.execute("PRAGMA synchronous = OFF")  # a new file has nothing to lose yet
        connection.execute("PRAGMA journal_mode = WAL")
    # A power cut may lose the last transactions, never the file's consistency: the next scan redoes them.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _version(connection: sqlite3.Connection) -> int:
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]
    if not tables:
        return -1
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    return int(row[0]) if row else -1
