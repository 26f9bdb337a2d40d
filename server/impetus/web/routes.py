"""The table of routes: method, path, handler. Handlers decode, make one call, and encode."""

import time
from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from impetus.config import Settings
from impetus.services.keys import Keys
from impetus.web import chat, completions, embeddings, fim, hardware, health, messages, models, rag, rerank, responses
from impetus.web import keys as api_keys
from impetus.web.measured import Measured
from impetus.web.metrics import CONTENT_TYPE, Metrics
from impetus.web.paging import After, Limit
from impetus.web.schema import ChatRequest, CompletionRequest, EmbeddingRequest


class ErrorBody(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(BaseModel):
    error: ErrorBody


class ModelRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, description="An id of /v1/models, never a path.")]


#: What any request may meet: guard, limits, models, indexes.
_STATUSES = (400, 401, 403, 404, 408, 413, 415, 429, 500, 503, 507)
_ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorAnswer} for status in _STATUSES}

#: Base URLs are often given without /v1.
_SHORT = ("/chat/completions", "/completions", "/embeddings", "/models", "/rerank", "/responses")


def add_routes(app: FastAPI, session: Measured, settings: Settings, keys: Keys, metrics: Metrics) -> None:
    created = int(time.time())

    async def list_models() -> JSONResponse:
        return JSONResponse(await models.listing(session, created))

    async def show_model(model: str) -> JSONResponse:
        return JSONResponse(await models.entry(session, model, created))

    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        return await chat.chat(session, settings, body, request)

    async def text_completions(body: CompletionRequest, request: Request) -> Response:
        return await completions.complete(session, settings, body, request)

    async def fim_completions(body: fim.FimRequest, request: Request) -> Response:
        return await fim.fim(session, settings, body, request)

    async def infill(body: fim.InfillRequest, request: Request) -> Response:
        return await fim.infill(session, settings, body, request)

    async def create_response(body: responses.ResponsesRequest, request: Request) -> Response:
        return await responses.respond(session, settings, body, request)

    async def create_message(body: messages.MessagesRequest, request: Request) -> Response:
        return await messages.message(session, settings, body, request)

    async def create_embeddings(body: EmbeddingRequest, request: Request) -> Response:
        return await embeddings.embed(session, body, request)

    async def create_rerank(body: rerank.RerankRequest, request: Request) -> Response:
        return await rerank.rerank(session, body, request)

    async def rag_search(body: rag.SearchRequest) -> JSONResponse:
        return JSONResponse(await rag.search(session, settings, body))

    async def rag_index(body: rag.IndexRequest) -> JSONResponse:
        return JSONResponse(await rag.index(session, body), 202)

    async def rag_status() -> JSONResponse:
        return JSONResponse(rag.status(session))

    async def load_model(body: ModelRequest) -> JSONResponse:
        await session.load(models.role_of(body.model))
        return JSONResponse(await models.entry(session, body.model, created))

    async def unload_model(body: ModelRequest) -> JSONResponse:
        await session.unload(models.role_of(body.model))
        return JSONResponse(await models.entry(session, body.model, created))

    async def list_keys(limit: Limit = 20, after: After = None) -> JSONResponse:
        return JSONResponse(api_keys.listing(keys, limit, after))

    async def list_key_events(limit: Limit = 20, after: After = None) -> JSONResponse:
        return JSONResponse(api_keys.events(keys, limit, after))

    async def live() -> Response:
        return health.live()

    async def ready() -> Response:
        return health.ready(session)

    async def status() -> Response:
        return health.status(session)

    async def hardware_info() -> JSONResponse:
        return JSONResponse(hardware.info())

    async def show_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    table = (
        ("GET", "/v1/models", list_models),
        ("GET", "/v1/models/{model:path}", show_model),
        ("POST", "/v1/chat/completions", chat_completions),
        ("POST", "/v1/completions", text_completions),
        ("POST", "/v1/fim/completions", fim_completions),
        ("POST", "/infill", infill),
        ("POST", "/v1/responses", create_response),
        ("POST", "/v1/messages", create_message),
        ("POST", "/v1/embeddings", create_embeddings),
        ("POST", "/v1/rerank", create_rerank),
        ("POST", "/v1/rag/search", rag_search),
        ("POST", "/v1/rag/index", rag_index),
        ("GET", "/v1/rag/status", rag_status),
        ("POST", "/api/models/load", load_model),
        ("POST", "/api/models/unload", unload_model),
        ("GET", "/api/keys", list_keys),
        ("GET", "/api/keys/events", list_key_events),
        ("GET", "/api/health/live", live),
        ("GET", "/api/health/ready", ready),
        ("GET", "/api/health/status", status),
        ("GET", "/api/hardware/info", hardware_info),
        ("GET", "/api/metrics", show_metrics),
    )
    for method, path, endpoint in table:
        app.add_api_route(path, endpoint, methods=[method], response_model=None, responses=_ERRORS)
        short = path.removeprefix("/v1")
        aliases = [short] if short in _SHORT else []
        aliases += [alias for alias in messages.PATHS if path == messages.PATHS[0] != alias]
        for alias in aliases:
            app.add_api_route(alias, endpoint, methods=[method], response_model=None, include_in_schema=False)
