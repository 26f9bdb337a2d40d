"""What an answer is given to read: documents that came with the question, documents of a collection, passages of the
workspace, numbered in this order."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from impetus.domain.documents import DocumentHit
from impetus.domain.types import Grounding, Hit, SearchQuery, Source
from impetus.services.facts import Retrieval
from impetus.services.workspace import View

#: Path of the root of what is no file.
_NOWHERE = Path()


class DocumentSearch(Protocol):
    """Documents that were ingested beside the code, in named collections: `services.documents.Documents`."""

    async def search(self, query: str, collection: str | None = None, top_k: int = 10) -> list[DocumentHit]: ...


class Grounds:
    def __init__(self, retriever: Retrieval, documents: DocumentSearch, limit: int) -> None:
        self._retriever = retriever
        self._documents = documents
        self._limit = limit

    async def find(self, grounding: Grounding, query: str, view: View) -> tuple[Source, ...]:
        limit = grounding.limit or self._limit
        held, found = await asyncio.gather(
            self._held(grounding.collection, query, limit), self._found(grounding.workspace, query, limit, view)
        )
        given = [_given(file.path, file.text) for file in grounding.given]
        # Of what was searched for, the two lists in turns: their scores do not compare.
        best = _in_turns([(hit, True) for hit in held], [(hit, False) for hit in found])[:limit]
        listed = [(hit, True) for hit in given] + best
        return tuple(Source(number, hit, apart) for number, (hit, apart) in enumerate(listed, 1))

    async def _held(self, collection: str, query: str, limit: int) -> list[Hit]:
        if not collection:
            return []
        hits = await self._documents.search(query, None if collection == "*" else collection, limit)
        return [_given(hit.document.name, hit.passage.text, hit.place, hit.score) for hit in hits]

    async def _found(self, workspace: bool, query: str, limit: int, view: View) -> list[Hit]:
        return await self._retriever.search(SearchQuery(query, limit), view) if workspace else []


def numbered(hits: Sequence[Hit]) -> tuple[Source, ...]:
    return tuple(Source(number, hit) for number, hit in enumerate(hits, 1))


def _given(name: str, text: str, place: str = "", score: float = 1.0) -> Hit:
    lines = max(1, len(text.splitlines()))
    return Hit(_NOWHERE, name, 1, lines, score, text, symbol=place, kind="document")


def _in_turns(one: Sequence[tuple[Hit, bool]], other: Sequence[tuple[Hit, bool]]) -> list[tuple[Hit, bool]]:
    longest = max(len(one), len(other))
    return [each[i] for i in range(longest) for each in (one, other) if i < len(each)]
