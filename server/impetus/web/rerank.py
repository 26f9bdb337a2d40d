"""`POST /v1/rerank`: documents of the caller in the order of their likeness to a query, by the cosine of their vectors.

The answer has its list twice, because half of the clients read `results` and the other half `data`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from impetus.errors import BadRequest
from impetus.web import sse
from impetus.web.errors import embedding
from impetus.web.measured import Measured
from impetus.web.models import EMBED, require
from impetus.web.schema import MAX_INPUTS, RequestBody, Text


class RerankDocument(BaseModel):
    text: Text


class RerankRequest(RequestBody):
    model: Annotated[str, Field(min_length=1)] = EMBED
    query: Annotated[str, Field(min_length=1, max_length=100_000)]
    documents: Annotated[list[Text | RerankDocument], Field(min_length=1, max_length=MAX_INPUTS)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool | None = None
    encoding_format: Literal["float"] | None = None

    def texts(self) -> list[str]:
        texts = [document if isinstance(document, str) else document.text for document in self.documents]
        if not all(texts):
            raise BadRequest("An empty document cannot be ranked", parameter="documents")
        return texts


async def rerank(session: Measured, body: RerankRequest, request: Request) -> Response:
    require(body.model, (EMBED,))
    return await sse.answer(request, _ranked(session, body, body.texts()))


async def _ranked(session: Measured, body: RerankRequest, texts: list[str]) -> dict[str, Any]:
    with embedding():
        vectors = await session.embed([body.query, *texts])
    scores = (vectors[1:] @ vectors[0]).tolist()
    best = sorted(range(len(texts)), key=lambda position: (-scores[position], position))[: body.top_n]
    results = []
    for position in best:
        entry: dict[str, Any] = {"index": position, "relevance_score": max(0.0, min(1.0, scores[position]))}
        if body.return_documents:
            entry["document"] = {"text": texts[position]}
        results.append(entry)
    return {"object": "list", "model": body.model, "results": results, "data": results}
