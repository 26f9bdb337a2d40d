"""The table of routes: method, path, handler. Handlers decode, make one call, and encode."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from impetus.config import Settings
from impetus.services.keys import Keys
from impetus.web import answers as bodies
from impetus.web import (
    chat,
    completions,
    conversations,
    embeddings,
    fim,
    hardware,
    health,
    messages,
    models,
    pull,
    rag,
    rerank,
    responses,
)
from impetus.web import engine_answers as engine_bodies
from impetus.web import keys as api_keys
from impetus.web.chat_request import ChatRequest
from impetus.web.measured import Measured
from impetus.web.messages_request import MessagesRequest
from impetus.web.metrics import CONTENT_TYPE, Metrics
from impetus.web.openapi import answers
from impetus.web.paging import After, Limit
from impetus.web.responses_request import ResponsesRequest
from impetus.web.schema import CompletionRequest, EmbeddingRequest


class ModelRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, description="An id of /v1/models, never a path.")]


Endpoint = Callable[..., Any]
Answer = type[BaseModel] | None  # None: plain text

ModelId = Annotated[str | None, Query(max_length=500)]

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

    async def create_response(body: ResponsesRequest, request: Request) -> Response:
        return await responses.respond(session, settings, body, request)

    async def create_message(body: MessagesRequest, request: Request) -> Response:
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

    async def pull_model(body: pull.PullRequest, request: Request) -> Response:
        return await pull.pull(session.pull, body, request)

    async def begin_conversation(body: conversations.ConversationRequest, request: Request) -> JSONResponse:
        return JSONResponse(await conversations.begin(session, request, body), 201)

    async def list_conversations(
        request: Request, model: ModelId = None, limit: Limit = 20, after: After = None
    ) -> JSONResponse:
        return JSONResponse(await conversations.listing(session, request, model, limit, after))

    async def show_conversation(conversation: str, request: Request) -> JSONResponse:
        found = await session.conversations.get(conversations.owner(request), conversation)
        return JSONResponse(conversations.entry(found))

    async def list_items(conversation: str, request: Request, limit: Limit = 20, after: After = None) -> JSONResponse:
        return JSONResponse(await conversations.items(session, request, conversation, limit, after))

    async def remove_conversation(conversation: str, request: Request) -> JSONResponse:
        await session.conversations.remove(conversations.owner(request), conversation)
        return JSONResponse(conversations.deleted(conversation))

    async def list_keys(limit: Limit = 20, after: After = None) -> JSONResponse:
        return JSONResponse(api_keys.listing(keys, limit, after))

    async def list_key_events(limit: Limit = 20, after: After = None) -> JSONResponse:
        return JSONResponse(api_keys.events(keys, limit, after))

    async def live() -> Response:
        return health.live()

    async def ready() -> Response:
        return health.ready(session)

    async def status() -> Response:
        return await health.status(session)

    async def hardware_info() -> JSONResponse:
        return JSONResponse(hardware.info(await session.machine(), session.embedding_backends()))

    async def show_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    def route(method: str, path: str, endpoint: Endpoint, answer: Answer, *, status: int = 200, **how: bool) -> None:
        responses = answers(answer, status=status, **how)
        short = path.removeprefix("/v1")
        aliases = [short] if short in _SHORT else []
        aliases += [alias for alias in messages.PATHS if path == messages.PATHS[0] != alias]
        app.add_api_route(
            path, endpoint, methods=[method], response_model=None, status_code=status, responses=responses
        )
        for alias in aliases:
            app.add_api_route(alias, endpoint, methods=[method], response_model=None, include_in_schema=False)

    route("GET", "/v1/models", list_models, engine_bodies.ModelList)
    route("GET", "/v1/models/{model:path}", show_model, engine_bodies.ModelEntry)
    route("POST", "/v1/chat/completions", chat_completions, bodies.ChatAnswer, events=True)
    route("POST", "/v1/completions", text_completions, bodies.TextAnswer, events=True)
    route("POST", "/v1/fim/completions", fim_completions, bodies.FimAnswer, events=True)
    route("POST", "/infill", infill, bodies.InfillAnswer, events=True)
    route("POST", "/v1/responses", create_response, bodies.ResponseAnswer, events=True)
    route("POST", "/v1/messages", create_message, bodies.MessageAnswer, events=True)
    route("POST", "/v1/embeddings", create_embeddings, bodies.EmbeddingAnswer)
    route("POST", "/v1/rerank", create_rerank, bodies.RerankAnswer)
    route("POST", "/v1/rag/search", rag_search, bodies.SearchAnswer)
    route("POST", "/v1/rag/index", rag_index, bodies.IndexAnswer, status=202)
    route("GET", "/v1/rag/status", rag_status, bodies.IndexAnswer)
    route("POST", "/v1/conversations", begin_conversation, engine_bodies.ConversationEntry, status=201)
    route("GET", "/v1/conversations", list_conversations, engine_bodies.ConversationList)
    route("GET", "/v1/conversations/{conversation}", show_conversation, engine_bodies.ConversationEntry)
    route("GET", "/v1/conversations/{conversation}/items", list_items, engine_bodies.ItemList)
    route("DELETE", "/v1/conversations/{conversation}", remove_conversation, engine_bodies.Deleted)
    route("POST", "/api/models/load", load_model, engine_bodies.ModelEntry)
    route("POST", "/api/models/unload", unload_model, engine_bodies.ModelEntry)
    route("POST", "/api/models/pull", pull_model, engine_bodies.PullAnswer, events=True)
    route("GET", "/api/keys", list_keys, engine_bodies.KeyList)
    route("GET", "/api/keys/events", list_key_events, engine_bodies.KeyEventList)
    route("GET", "/api/health/live", live, engine_bodies.LiveAnswer)
    route("GET", "/api/health/ready", ready, engine_bodies.ReadyAnswer)
    route("GET", "/api/health/status", status, engine_bodies.StatusAnswer)
    route("GET", "/api/hardware/info", hardware_info, engine_bodies.HardwareAnswer)
    route("GET", "/api/metrics", show_metrics, None)
