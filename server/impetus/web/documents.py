"""`/api/documents/*`: documents beside the workspace, in named collections.

Contents come inside of the request. Nothing that a client names is opened as a path or an address.
"""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter

from impetus.domain.documents import Collection, DocumentHit, Ingested, Metadata, StoredDocument
from impetus.errors import BadRequest
from impetus.services.documents import Documents
from impetus.web.document_schema import (
    CollectionBody,
    CollectionPage,
    Deleted,
    DocumentBody,
    DocumentPage,
    DocumentSearchRequest,
    Failure,
    IngestAnswer,
    IngestedBody,
    IngestRequest,
    PassageBody,
    SearchAnswer,
    Value,
)
from impetus.web.errors import problem
from impetus.web.measured import Measured
from impetus.web.openapi import failures
from impetus.web.paging import After, Limit, page


def router(documents: Documents, session: Measured) -> APIRouter:
    routes = APIRouter(prefix="/api/documents", responses=failures())
    collections, one = "/collections", "/collections/{collection}"

    @routes.post("/ingest")
    async def ingest_documents(body: IngestRequest) -> IngestAnswer:
        return await ingest(documents, body)

    @routes.post("/search")
    async def search_documents(body: DocumentSearchRequest) -> SearchAnswer:
        hits = await session.search_documents(body.query, body.collection, body.top_k, body.filters)
        return SearchAnswer(data=[passage(number, hit) for number, hit in enumerate(hits)])

    @routes.get(collections)
    async def list_collections(limit: Limit = 20, after: After = None) -> CollectionPage:
        found = [_collection(each).model_dump() for each in await documents.collections()]
        return CollectionPage.model_validate(page(found, limit, after))

    @routes.get(one)
    async def show_collection(collection: str) -> CollectionBody:
        return _collection(await documents.collection(collection))

    @routes.delete(one)
    async def delete_collection(collection: str) -> Deleted:
        await documents.delete(collection)
        return Deleted(id=collection, object="collection.deleted")

    @routes.get(f"{one}/documents")
    async def list_documents(collection: str, limit: Limit = 20, after: After = None) -> DocumentPage:
        found = [_document(each).model_dump() for each in await documents.documents(collection)]
        return DocumentPage.model_validate(page(found, limit, after))

    @routes.get(f"{one}/documents/{{document_id}}")
    async def show_document(collection: str, document_id: str) -> DocumentBody:
        return _document(await documents.document(collection, document_id))

    @routes.delete(f"{one}/documents/{{document_id}}")
    async def delete_document(collection: str, document_id: str) -> Deleted:
        await documents.delete(collection, document_id)
        return Deleted(id=document_id, object="document.deleted")

    return routes


async def ingest(documents: Documents, body: IngestRequest) -> IngestAnswer:
    """One that cannot be read does not stop the others; raises why when none can."""
    results: list[IngestedBody] = []
    refusals: list[BadRequest] = []
    for each in body.documents:
        try:
            data = await asyncio.to_thread(each.data)
            ingested = await documents.ingest(
                each.name, data, collection=body.collection, media_type=each.media_type, metadata=each.metadata
            )
        except BadRequest as error:
            refusals.append(error)
            results.append(IngestedBody(name=each.name, status="failed", error=_failure(error)))
        else:
            results.append(_ingested(each.name, ingested))
    if len(refusals) == len(results):
        raise refusals[0]
    return IngestAnswer(collection=body.collection, data=results)


def passage(number: int, hit: DocumentHit) -> PassageBody:
    document, found = hit.document, hit.passage
    return PassageBody(
        index=number,
        score=hit.score,
        collection=document.collection,
        document_id=document.id,
        name=document.name,
        media_type=document.media_type,
        metadata=_fields(document.metadata),
        headings=list(found.headings),
        page=found.page,
        cell=found.cell,
        text=found.text,
    )


def _ingested(name: str, ingested: Ingested) -> IngestedBody:
    return IngestedBody(
        name=name,
        status=ingested.status,
        document=_document(ingested.document),
        new_passages=ingested.fresh,
        removed_passages=ingested.removed,
    )


def _failure(error: BadRequest) -> Failure:
    return Failure.model_validate(problem(error).body()["error"])


def _document(document: StoredDocument) -> DocumentBody:
    return DocumentBody(
        id=document.id,
        collection=document.collection,
        name=document.name,
        media_type=document.media_type,
        size=document.size,
        passages=document.passages,
        metadata=_fields(document.metadata),
        added=int(document.added),
        updated=int(document.updated),
    )


def _collection(collection: Collection) -> CollectionBody:
    return CollectionBody(
        id=collection.name,
        documents=collection.documents,
        passages=collection.passages,
        size=collection.size,
        created=int(collection.created),
        updated=int(collection.updated),
    )


def _fields(metadata: Metadata) -> dict[str, Value | list[Value]]:
    return {
        name: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in metadata.items()
    }
