"""Documents in one SQLite file, shared by processes; opened anew for each call, because calls are rare.

The lexical index is FTS5 over the terms of `domain/tokens.py`: a selection of documents is a part of the statement.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from impetus.adapters.document_schema import connection, transaction
from impetus.adapters.document_vectors import DocumentVectors
from impetus.adapters.sqlite_catalog import marks, slices
from impetus.domain.documents import (
    Collection,
    Found,
    FoundPassage,
    Ingested,
    Metadata,
    NewDocument,
    Passage,
    Scalar,
    Selection,
    StoredDocument,
)
from impetus.domain.ports import Embedder, Vectors
from impetus.domain.tokens import terms

_DOCUMENT = "d.id, c.name, d.name, d.media_type, d.size, n.passages, d.metadata, d.added, d.updated"
_FROM = "FROM documents d JOIN collections c ON c.id = d.collection JOIN contents n ON n.id = d.content"


class SqliteDocumentStore:
    """Implements `DocumentStore`."""

    def __init__(self, path: Path, embedder: Embedder, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._vectors = DocumentVectors(embedder)
        self._clock = clock

    # -- changes -------------------------------------------------------------------------------------------------------

    def put(self, document: NewDocument, passages: Sequence[Passage] | None) -> Ingested | None:
        with connection(self._path) as db:
            self._vectors.keep_to_embedder(db, _all_passages)
            # Embedded before the transaction, which others wait for.
            encoded = self._vectors.encode(_unknown(db, passages or ()))
            with transaction(db):
                before = db.execute("SELECT content FROM documents WHERE id = ?", (document.id,)).fetchone()
                content, fresh = self._content(db, document.content, passages, encoded)
                if content is None:
                    return None
                changed = self._put_document(db, document, content)
                removed = _collect(db, before[0]) if before is not None and before[0] != content else 0
                stored = _document(db.execute(f"SELECT {_DOCUMENT} {_FROM} WHERE d.id = ?", (document.id,)).fetchone())
        status = "added" if before is None else "updated" if changed else "unchanged"
        return Ingested(stored, status, fresh, removed)  # type: ignore[arg-type]

    def _content(
        self, db: sqlite3.Connection, key: str, passages: Sequence[Passage] | None, encoded: dict[str, bytes]
    ) -> tuple[int | None, int]:
        """The number of a content and how many of its passages are new; (None, 0) where nobody knows them."""
        row = db.execute("SELECT id FROM contents WHERE key = ?", (key,)).fetchone()
        if row is not None or passages is None:
            return (row[0] if row else None), 0
        number = db.execute("INSERT INTO contents (key, passages) VALUES (?, ?)", (key, len(passages))).lastrowid
        unknown = _unknown(db, passages)
        encoded = encoded | self._vectors.encode([p for p in unknown if p.key not in encoded])
        for passage in unknown:
            rowid = db.execute(
                "INSERT INTO passages (key, text, headings, vector) VALUES (?, ?, ?, ?)",
                (passage.key, passage.text, _json(passage.headings), encoded[passage.key]),
            ).lastrowid
            db.execute("INSERT INTO lexicon (rowid, terms) VALUES (?, ?)", (rowid, " ".join(terms(passage.searched))))
        db.executemany(
            "INSERT INTO places SELECT ?, ?, id, ?, ? FROM passages WHERE key = ?",
            [(number, ordinal, p.page, p.cell, p.key) for ordinal, p in enumerate(passages)],
        )
        return number, len(unknown)

    def _put_document(self, db: sqlite3.Connection, document: NewDocument, content: int) -> bool:
        now = self._clock()
        db.execute("INSERT OR IGNORE INTO collections (name, created) VALUES (?, ?)", (document.collection, now))
        values = (document.media_type, document.size, content, _json(document.metadata))
        changed = db.execute(
            "INSERT INTO documents SELECT ?, id, ?, ?, ?, ?, ?, ?, ? FROM collections WHERE name = ?"
            " ON CONFLICT (id) DO UPDATE SET media_type = excluded.media_type, size = excluded.size,"
            " content = excluded.content, metadata = excluded.metadata, updated = excluded.updated"
            " WHERE (media_type, size, content, metadata) IS NOT"
            " (excluded.media_type, excluded.size, excluded.content, excluded.metadata)",
            (document.id, document.name, *values, now, now, document.collection),
        )
        return changed.rowcount > 0

    def remove(self, collection: str, document: str | None = None) -> bool:
        if not self._path.exists():
            return False
        only, values = (" AND d.id = ?", (collection, document)) if document else ("", (collection,))
        with connection(self._path) as db, transaction(db):
            rows = db.execute(f"SELECT d.id, d.content {_FROM} WHERE c.name = ?{only}", values).fetchall()
            db.executemany("DELETE FROM documents WHERE id = ?", [(number,) for number, _ in rows])
            for content in {content for _, content in rows}:
                _collect(db, content)
            db.execute(
                "DELETE FROM collections WHERE name = ? AND id NOT IN (SELECT collection FROM documents)", (collection,)
            )
            return bool(rows)

    # -- what is there -------------------------------------------------------------------------------------------------

    def collections(self) -> list[Collection]:
        if not self._path.exists():
            return []
        with connection(self._path) as db:
            rows = db.execute(
                "SELECT c.name, count(*), sum(n.passages), sum(d.size), c.created, max(d.updated)"
                f" {_FROM} GROUP BY c.id ORDER BY c.name"
            )
            return [Collection(*row) for row in rows]

    def documents(self, collection: str) -> list[StoredDocument]:
        if not self._path.exists():
            return []
        with connection(self._path) as db:
            rows = db.execute(f"SELECT {_DOCUMENT} {_FROM} WHERE c.name = ? ORDER BY d.added, d.id", (collection,))
            return [_document(row) for row in rows]

    # -- search --------------------------------------------------------------------------------------------------------

    def search(self, terms: Sequence[str], vector: Vectors, selection: Selection, limit: int) -> Found:
        if not self._path.exists():
            return Found((), 0, {})
        with connection(self._path) as db:
            self._vectors.keep_to_embedder(db, _all_passages)
            db.execute("BEGIN")  # everything below sees the same state
            total = db.execute("SELECT count(*) FROM passages").fetchone()[0]
            frequencies = dict.fromkeys(terms, 0)
            frequencies |= db.execute(
                f"SELECT term, doc FROM vocabulary WHERE term IN ({marks(terms)})", terms
            ).fetchall()
            where, values = _condition(selection)
            lexical = _lexical(db, list(frequencies), where, values, limit) if terms else {}
            allowed = {number for (number,) in db.execute(_passages_of(where), values)} if where else None
            dense = dict(self._vectors.nearest(db, vector, allowed, limit))
            found = tuple(_found(db, lexical, dense, where, values))
            db.execute("COMMIT")
        return Found(found, total, frequencies)


def _lexical(
    db: sqlite3.Connection, terms: Sequence[str], where: str, values: Sequence[Any], limit: int
) -> dict[int, float]:
    match = " OR ".join('"' + term.replace('"', "") + '"' for term in terms)
    # Without the plus SQLite would ask FTS5 once for each passage of the selection.
    among = f" AND +rowid IN ({_passages_of(where)})" if where else ""
    rows = db.execute(
        f"SELECT rowid, -bm25(lexicon) AS score FROM lexicon WHERE lexicon MATCH ?{among} ORDER BY score DESC LIMIT ?",
        (match, *values, limit),
    )
    return dict(rows.fetchall())


def _found(
    db: sqlite3.Connection, lexical: dict[int, float], dense: dict[int, float], where: str, values: Sequence[Any]
) -> Iterator[FoundPassage]:
    for part in slices(sorted(lexical.keys() | dense.keys())):
        rows = db.execute(
            f"SELECT p.id, p.text, p.headings, l.page, l.cell, l.ordinal, {_DOCUMENT} {_FROM}"
            f" JOIN places l ON l.content = d.content JOIN passages p ON p.id = l.passage"
            f" WHERE p.id IN ({marks(part)}){f' AND {where}' if where else ''} ORDER BY d.added, d.id, l.ordinal",
            (*part, *values),
        )
        for number, text, headings, page, cell, ordinal, *document in rows:
            passage = Passage(text, tuple(json.loads(headings)), page, cell)
            yield FoundPassage(_document(document), passage, ordinal, lexical.get(number, 0.0), dense.get(number, 0.0))


def _passages_of(where: str) -> str:
    return f"SELECT l.passage {_FROM} JOIN places l ON l.content = d.content WHERE {where}"


def _condition(selection: Selection) -> tuple[str, list[Any]]:
    """A condition over documents and its values; "" where every document is meant."""
    conditions, values = list[str](), list[Any]()
    if selection.collection is not None:
        conditions.append("c.name = ?")
        values.append(selection.collection)
    for field, wanted in selection.filters.items():
        alternatives = []
        values.append(f'$."{field}"')
        for value in [wanted] if isinstance(wanted, Scalar) else wanted:
            if isinstance(value, bool):
                alternatives.append(f"e.type = '{json.dumps(value)}'")
            else:
                kinds = "('text')" if isinstance(value, str) else "('integer', 'real')"
                alternatives.append(f"(e.type IN {kinds} AND e.value = ?)")
                values.append(value)
        any_of_them = " OR ".join(alternatives) or "0"
        conditions.append(f"EXISTS (SELECT 1 FROM json_each(d.metadata, ?) e WHERE {any_of_them})")
    return " AND ".join(conditions), values


# -- rows --------------------------------------------------------------------------------------------------------------


def _unknown(db: sqlite3.Connection, passages: Sequence[Passage]) -> list[Passage]:
    """Those that are not kept yet, each once."""
    found = {passage.key: passage for passage in passages}
    for part in slices(list(found)):
        for (key,) in db.execute(f"SELECT key FROM passages WHERE key IN ({marks(part)})", part).fetchall():
            del found[key]
    return list(found.values())


def _all_passages(db: sqlite3.Connection) -> Iterator[tuple[int, Passage]]:
    for number, text, headings in db.execute("SELECT id, text, headings FROM passages"):
        yield number, Passage(text, tuple(json.loads(headings)))


def _collect(db: sqlite3.Connection, content: int) -> int:
    """Forget a content that no document has any more, and the passages that no other content has; how many."""
    if db.execute("SELECT 1 FROM documents WHERE content = ? LIMIT 1", (content,)).fetchone():
        return 0
    passages = [number for (number,) in db.execute("SELECT DISTINCT passage FROM places WHERE content = ?", (content,))]
    db.execute("DELETE FROM places WHERE content = ?", (content,))
    db.execute("DELETE FROM contents WHERE id = ?", (content,))
    removed = 0
    for part in slices(passages):
        unused = f"id IN ({marks(part)}) AND id NOT IN (SELECT passage FROM places WHERE passage IN ({marks(part)}))"
        gone = db.execute(f"DELETE FROM passages WHERE {unused} RETURNING id", (*part, *part)).fetchall()
        db.executemany("DELETE FROM lexicon WHERE rowid = ?", gone)
        removed += len(gone)
    return removed


def _document(row: Sequence[Any]) -> StoredDocument:
    number, collection, name, media_type, size, passages, metadata, added, updated = row
    return StoredDocument(number, collection, name, media_type, size, passages, json.loads(metadata), added, updated)


def _json(value: Metadata | Sequence[str]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
