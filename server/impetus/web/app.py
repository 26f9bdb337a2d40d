"""The HTTP application: its routes in one table, its errors in one form, behind the guard."""

import time

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from impetus import __version__
from impetus.config import Settings
from impetus.errors import ImpetusError
from impetus.services.keys import Keys
from impetus.services.session import Session
from impetus.web import chat, completions, embeddings, health, models
from impetus.web import keys as api_keys
from impetus.web.errors import HttpProblem, Refused, problem
from impetus.web.guard import Guard, GuardRules
from impetus.web.limits import Limits
from impetus.web.observe import Observed
from impetus.web.paging import After, Limit
from impetus.web.schema import ChatRequest, CompletionRequest, EmbeddingRequest


def create_app(session: Session, settings: Settings, keys: Keys) -> ASGIApp:
    """The whole surface: guard outside, routes inside."""
    http = settings.http
    # The address bound may be named in Host, unless it stands for every address: no client names that one in earnest.
    names = frozenset(name.lower() for name in (*http.allowed_hosts, http.host)) - {"0.0.0.0", "::", ""}
    verify = keys.verify if http.require_key else None
    rules = GuardRules(names, verify, frozenset(http.allowed_origins), Limits(http))
    app = routes(session, settings, keys)
    if http.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=http.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],  # named back, not a star: clients send x-stainless-* and more
            expose_headers=["x-request-id", "retry-after"],
        )
    return Observed(Guard(app, rules))


def routes(session: Session, settings: Settings, keys: Keys) -> FastAPI:
    app = FastAPI(title="Impetus", version=__version__, docs_url=None, redoc_url=None)
    created = int(time.time())

    async def list_models() -> JSONResponse:
        return JSONResponse(await models.listing(session, created))

    async def show_model(model: str) -> JSONResponse:
        return JSONResponse(await models.entry(session, model, created))

    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        return await chat.chat(session, settings, body, request)

    async def text_completions(body: CompletionRequest, request: Request) -> Response:
        return await completions.complete(session, settings, body, request)

    async def create_embeddings(body: EmbeddingRequest, request: Request) -> Response:
        return await embeddings.embed(session, body, request)

    async def live() -> Response:
        return health.live()

    async def ready() -> Response:
        return health.ready(session)

    async def status() -> Response:
        return health.status(session)

    async def list_keys(limit: Limit = 20, after: After = None) -> JSONResponse:
        return JSONResponse(api_keys.listing(keys, limit, after))

    async def list_key_events(limit: Limit = 20, after: After = None) -> JSONResponse:
        return JSONResponse(api_keys.events(keys, limit, after))

    table = (
        ("GET", "/v1/models", list_models),
        ("GET", "/v1/models/{model}", show_model),
        ("POST", "/v1/chat/completions", chat_completions),
        ("POST", "/v1/completions", text_completions),
        ("POST", "/v1/embeddings", create_embeddings),
        ("GET", "/api/keys", list_keys),
        ("GET", "/api/keys/events", list_key_events),
        ("GET", "/api/health/live", live),
        ("GET", "/api/health/ready", ready),
        ("GET", "/api/health/status", status),
    )
    for method, path, endpoint in table:
        app.add_api_route(path, endpoint, methods=[method], response_model=None)
    app.add_exception_handler(ImpetusError, _failed)
    app.add_exception_handler(Refused, _failed)
    app.add_exception_handler(RecursionError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    return app


async def _failed(request: Request, error: Exception) -> Response:
    return problem(error).response()


async def _invalid(request: Request, error: Exception) -> Response:
    """The first complaint, in words, with the name of the parameter."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        message, parameter = "The body is not valid JSON", None
    else:
        # A union reports each of its members; their names are of no use to the caller.
        where = [str(part) for part in first["loc"] if part not in ("body", "query")]
        parameter = where[0] if where else None
        message = f"{parameter or 'The body'}: {first['msg']}"
    return HttpProblem(400, message, "invalid_request_error", "INVALID_REQUEST", parameter).response()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "UNKNOWN_URL", 405: "METHOD_NOT_ALLOWED"}
    message = f"{request.method} {request.url.path}: {error.detail}"
    code = codes.get(error.status_code, "INVALID_REQUEST")
    headers = dict(error.headers or {})
    return HttpProblem(error.status_code, message, "invalid_request_error", code, None, headers).response()
