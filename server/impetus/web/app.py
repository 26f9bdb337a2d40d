"""The HTTP application: routes behind the guard, errors in one form."""

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
from impetus.web import documents, messages, tracing
from impetus.web.errors import HttpProblem, Refused, problem
from impetus.web.guard import Guard, GuardRules
from impetus.web.limits import Limits
from impetus.web.measured import Measured
from impetus.web.metrics import Metrics
from impetus.web.observe import Observed
from impetus.web.openapi import document
from impetus.web.routes import add_routes


def create_app(session: Session, settings: Settings, keys: Keys) -> ASGIApp:
    """The whole surface: guard outside, routes inside."""
    tracing.start()
    http = settings.http
    # The address bound may be named in Host, unless it stands for every address: no client names that one in earnest.
    names = frozenset(name.lower() for name in (*http.allowed_hosts, http.host)) - {"0.0.0.0", "::", ""}
    verify = keys.verify if http.require_key else None
    rules = GuardRules(names, verify, frozenset(http.allowed_origins), Limits(http))
    metrics = Metrics(session.engine.models.memory)
    app = routes(session, settings, keys, metrics)
    if http.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=http.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],  # named back, not a star: clients send x-stainless-* and more
            expose_headers=["x-request-id", "retry-after"],
        )
    return Observed(Guard(app, rules), metrics)


def routes(session: Session, settings: Settings, keys: Keys, metrics: Metrics) -> FastAPI:
    app = FastAPI(title="Impetus", version=__version__, docs_url=None, redoc_url=None)
    measured = Measured(session, metrics)
    add_routes(app, measured, settings, keys, metrics)
    app.include_router(documents.router(session.engine.documents, measured))
    app.openapi = document(app)  # type: ignore[method-assign]
    app.add_exception_handler(ImpetusError, _failed)
    app.add_exception_handler(Refused, _failed)
    app.add_exception_handler(RecursionError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    return app


async def _failed(request: Request, error: Exception) -> Response:
    return _shown(request, problem(error))


def _shown(request: Request, told: HttpProblem) -> Response:
    body = told.body()
    if request.url.path in messages.PATHS:
        body["type"] = "error"  # by which its clients know one
    return JSONResponse(body, told.status, headers=dict(told.headers))


async def _invalid(request: Request, error: Exception) -> Response:
    """The first complaint, in words, with the name of the parameter."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        message, parameter = "The body is not valid JSON", None
    else:
        # A union reports each of its members; their names are of no use to the caller.
        where = [str(part) for part in first["loc"][1:]]  # the first says body, path or query
        parameter = where[0] if where else None
        message = f"{parameter or 'The body'}: {first['msg']}"
    return _shown(request, HttpProblem(400, message, "invalid_request_error", "INVALID_REQUEST", parameter))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "UNKNOWN_URL", 405: "METHOD_NOT_ALLOWED"}
    message = f"{request.method} {request.url.path}: {error.detail}"
    code = codes.get(error.status_code, "INVALID_REQUEST")
    headers = dict(error.headers or {})
    return HttpProblem(error.status_code, message, "invalid_request_error", code, None, headers).response()
