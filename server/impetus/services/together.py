"""Passages of the workspace and of documents in one order."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from impetus.domain.documents import DocumentHit
from impetus.domain.query import parse
from impetus.domain.tokens import terms
from impetus.domain.types import Hit, SearchQuery
from impetus.services.session import Session

#: Passages of a list by which it is judged.
_JUDGED = 3


async def search_together(session: Session, query: SearchQuery, collection: str | None) -> list[Hit | DocumentHit]:
    """The best of the folders that `query` names and of a collection, or of all collections.

    Scores compare within one result only, so each of the two is weighed by how well its best passages fit the query.
    """
    code, documents = await asyncio.gather(
        session.search(query), session.engine.documents.search(query.text, collection, query.limit)
    )
    texts = [hit.text for hit in code[:_JUDGED]], [hit.passage.searched for hit in documents[:_JUDGED]]
    of_code, of_documents = await _fits(session, query.text, texts)
    weighed: list[tuple[float, Hit | DocumentHit]] = [
        *((hit.score * of_code, hit) for hit in code),
        *((hit.score * of_documents, hit) for hit in documents),
    ]
    weighed.sort(key=lambda each: -each[0])
    return [_scored(hit, score / weighed[0][0]) for score, hit in weighed[: query.limit]]


async def _fits(session: Session, query: str, lists: Sequence[Sequence[str]]) -> list[float]:
    """Of each list how well its best text fits, in (0, 1]: by meaning, and by the words of the query that it has."""
    asked = frozenset(parse(query).terms)
    vectors = await session.embed([query, *(text for texts in lists for text in texts)])
    cosines = iter((vectors[1:] @ vectors[0]).tolist())
    fits = []
    for texts in lists:
        best = [(max(0.0, next(cosines)) + len(asked & set(terms(text))) / max(1, len(asked))) / 2 for text in texts]
        fits.append(max(best, default=0.0) or 1e-6)
    return fits


def _scored(hit: Hit | DocumentHit, score: float) -> Hit | DocumentHit:
    return replace(hit, score=score)
