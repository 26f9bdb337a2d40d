"""The OpenAPI document: what FastAPI finds, mended where this port does otherwise."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from impetus.web.access import OPEN_PATHS, access
from impetus.web.answers import ErrorAnswer

#: What any request may meet: guard, limits, models, indexes.
STATUSES = (400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503, 507)

#: One server-sent event; its data is JSON, or `[DONE]`.
_EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
_TELLS = {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}


def answers(answer: type[BaseModel] | None, *, status: int = 200, events: bool = False) -> dict[int | str, Any]:
    """What a route may answer; with `events`, server-sent events when the request asks for a stream."""
    good: dict[str, Any] = {} if answer is None else {"model": answer}
    if answer is None:
        good["content"] = {"text/plain": {"schema": {"type": "string"}}}
    elif events:
        good["content"] = {"text/event-stream": {"schema": _EVENT}}
    return {**failures(), status: good}


def failures() -> dict[int | str, dict[str, Any]]:
    """The refusals that any route may give."""
    return {each: {"model": ErrorAnswer} for each in STATUSES}


def document(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    return made


def _document(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
    schema["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `impetus keys create`."},
        "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)  # such requests are 400 here, as they are with OpenAI
            operation["responses"]["429"]["headers"] = {"Retry-After": _TELLS}
            if path not in OPEN_PATHS:
                operation["security"] = [{"bearer": []}, {"header": []}]
                operation["x-role"] = access(method.upper(), path).role
    return schema
