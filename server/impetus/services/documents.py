"""Documents beside the workspace: read, kept in collections, searched by words and meaning, ranked as code is."""

import asyncio
from dataclasses import replace
from pathlib import Path

from impetus.domain.document_ports import DocumentReader, DocumentStore
from impetus.domain.documents import (
    MAX_SIZE,
    Collection,
    DocumentHit,
    FoundPassage,
    Ingested,
    Metadata,
    NewDocument,
    Selection,
    StoredDocument,
    check_collection,
    check_metadata,
    check_name,
    content_id,
)
from impetus.domain.ports import Embedder, FileState, Placed, PlacedFile
from impetus.domain.query import parse
from impetus.domain.ranking import DEFAULT_RULES, Candidate, rank
from impetus.domain.types import Chunk
from impetus.errors import BadRequest, NotFound
from impetus.languages import TEXT
from impetus.services.candidates import Frequencies

#: Candidates of either search.
_CANDIDATES = 200

#: At most so many passages of one document in a result.
PER_DOCUMENT = 5

#: What tells code from prose, or the project's code from its tests, says nothing about documents.
_RULES = replace(DEFAULT_RULES, tests=1.0, examples=1.0, generated=1.0, declarations=1.0, prose=1.0, repeat=0.8)


class Documents:
    def __init__(self, store: DocumentStore, reader: DocumentReader, embedder: Embedder) -> None:
        self._store = store
        self._reader = reader
        self._embedder = embedder
        self._adding = asyncio.Lock()  # one at a time: waiting must not take up the threads that searches need

    async def ingest(
        self,
        name: str,
        data: bytes,
        *,
        collection: str,
        media_type: str | None = None,
        metadata: Metadata | None = None,
    ) -> Ingested:
        """Add a document, or bring the one of this name up to date. Raises BadRequest for one that cannot be read."""
        check_collection(collection)
        check_name(name)
        if len(data) > MAX_SIZE:
            raise BadRequest(f"{name} is larger than {MAX_SIZE // 1_000_000} MB; split it", parameter="content")
        known_type = self._reader.media_type(name, media_type)
        content = content_id(data, known_type)
        new = NewDocument(collection, name, known_type, len(data), content, dict(check_metadata(metadata or {})))

        def work() -> Ingested:
            # Bytes that were read before, under whatever name, are not read again.
            ingested = self._store.put(new, None) or self._store.put(new, self._reader.read(name, known_type, data))
            assert ingested is not None, "passages were given"
            return ingested

        async with self._adding:
            return await asyncio.to_thread(work)

    def readable(self, name: str) -> bool:
        """Whether the ending of a name tells a format that can be read."""
        return self._reader.readable(name)

    async def search(
        self, query: str, collection: str | None = None, top_k: int = 10, filters: Metadata | None = None
    ) -> list[DocumentHit]:
        """The best passages of a collection, or of all; `filters` name fields of the metadata and the values asked for.

        Raises BadRequest for filters that make no sense and NotFound for a collection that is not there.
        """
        selection = Selection(collection, check_metadata(filters or {}, "filters"))
        return await asyncio.to_thread(self._search, query, selection, top_k)

    def _search(self, query: str, selection: Selection, top_k: int) -> list[DocumentHit]:
        if selection.collection is not None:
            self._collection(selection.collection)
        parsed = parse(query)
        if not parsed.terms:
            return []
        vector = self._embedder.embed_query(query)
        found = self._store.search(parsed.terms, vector, selection, max(_CANDIDATES, 2 * top_k))
        # A passage that several documents have is shown once, of the one that was added first.
        passages = {each.passage.key: each for each in reversed(found.passages)}
        ranked = rank(
            parsed,
            [_candidate(each) for each in passages.values()],
            _RULES,
            rarity=Frequencies(found.total, found.frequencies).rarity(),
            per_file=PER_DOCUMENT,
            limit=top_k,
        )
        hits = ((passages[candidate.placed.chunk.id], candidate.score) for candidate in ranked)
        return [DocumentHit(each.document, each.passage, score) for each, score in hits]

    async def collections(self) -> list[Collection]:
        """By name."""
        return await asyncio.to_thread(self._store.collections)

    async def collection(self, name: str) -> Collection:
        """Raises NotFound."""
        return await asyncio.to_thread(self._collection, name)

    async def documents(self, collection: str) -> list[StoredDocument]:
        """Those of a collection, oldest first. Raises NotFound."""

        def look() -> list[StoredDocument]:
            self._collection(collection)
            return self._store.documents(collection)

        return await asyncio.to_thread(look)

    async def document(self, collection: str, document: str) -> StoredDocument:
        """One by its id. Raises NotFound."""
        for each in await self.documents(collection):
            if each.id == document:
                return each
        raise _no_document(collection, document)

    async def delete(self, collection: str, document: str | None = None) -> None:
        """Forget one document, by its id, or the whole collection. Raises NotFound."""
        if not await asyncio.to_thread(self._store.remove, collection, document):
            raise _no_document(collection, document) if document else _no_collection(collection)

    async def close(self) -> None:
        await asyncio.to_thread(self._reader.close)

    def _collection(self, name: str) -> Collection:
        for each in self._store.collections():
            if each.name == name:
                return each
        raise _no_collection(name)


def _candidate(found: FoundPassage) -> Candidate:
    """In the terms of the ranking: a document is a file, a title the name of what stands under it."""
    document, passage = found.document, found.passage
    chunk = Chunk(
        passage.key,
        found.ordinal,
        found.ordinal + 1,
        found.ordinal + 1,
        found.ordinal + 1,
        scope=passage.headings[:-1],
        symbols=passage.headings[-1:],
    )
    state = FileState(document.size, int(document.updated * 1e9), document.id)
    file = PlacedFile(Path(document.collection), document.name, TEXT, state)
    return Candidate(Placed(file, chunk), found.lexical, found.dense)


def _no_collection(name: str) -> NotFound:
    return NotFound(f"There is no collection {name[:100]!r}; `impetus documents list` shows those there are")


def _no_document(collection: str, document: str) -> NotFound:
    return NotFound(
        f"There is no document {document[:100]!r} in the collection {collection[:100]!r}; `impetus documents list "
        "--collection NAME` shows the ids"
    )
