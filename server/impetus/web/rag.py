"""`/v1/rag/search`, `/v1/rag/status` and `/v1/rag/index`: the workspace's passages without an answer around them."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from impetus.config import Settings
from impetus.domain.documents import DocumentHit
from impetus.domain.types import Hit, SearchQuery
from impetus.web.documents import passage
from impetus.web.measured import Measured
from impetus.web.models import WORKSPACE, chat_model

Globs = Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(max_length=100)]

EVERY_COLLECTION = "*"


class SearchRequest(BaseModel):
    """`model` names a workspace by its id in /v1/models; by default all open ones.

    With `collection` its documents are searched together with the workspace; `*` means every collection.
    """

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(min_length=1, max_length=100_000)]
    model: Annotated[str, Field(min_length=1)] = WORKSPACE
    top_k: Annotated[int, Field(ge=1, le=200)] | None = None
    per_file: Annotated[int, Field(ge=1, le=20)] | None = None
    paths: Globs = []
    languages: Globs = []
    collection: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class IndexRequest(BaseModel):
    """With `full` the index is deleted and built anew; otherwise every file is looked at again."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1)] = WORKSPACE
    full: bool = False


async def search(session: Measured, settings: Settings, body: SearchRequest) -> dict[str, Any]:
    query = SearchQuery(
        body.query,
        body.top_k or settings.search.limit,
        tuple(body.paths),
        tuple(body.languages),
        chat_model(session, body.model).roots,
        body.per_file or settings.search.per_file,
    )
    hits: Sequence[Hit | DocumentHit] = (
        await session.search(query)
        if body.collection is None
        else await session.search_together(query, None if body.collection == EVERY_COLLECTION else body.collection)
    )
    return {"object": "list", "data": [_passage(number, hit) for number, hit in enumerate(hits)], "model": body.model}


def status(session: Measured) -> dict[str, Any]:
    state = session.status()
    return {
        "object": "rag.status",
        "health": state.health.value,
        "message": state.message,
        "indexes": [
            {
                "root": str(index.root),
                "phase": index.phase,
                "done": index.done,
                "total": index.total,
                "files": index.files,
                "chunks": index.chunks,
                "skipped": index.skipped,
                "failed": index.failed,
            }
            for index in state.indexes
        ],
    }


async def index(session: Measured, body: IndexRequest) -> dict[str, Any]:
    """Returns at once; the status tells how far it is."""
    roots = chat_model(session, body.model).roots
    await session.reindex(roots, full=body.full)
    return status(session)


def _passage(number: int, hit: Hit | DocumentHit) -> dict[str, Any]:
    return _hit(number, hit) if isinstance(hit, Hit) else passage(number, hit).model_dump()


def _hit(number: int, hit: Hit) -> dict[str, Any]:
    return {
        "object": "rag.passage",
        "index": number,
        "score": hit.score,
        "root": str(hit.root),
        "path": hit.path,
        "start_line": hit.start_line,
        "end_line": hit.end_line,
        "language": hit.language,
        "symbol": hit.symbol or None,
        "kind": hit.kind,
        "text": hit.text,
    }
