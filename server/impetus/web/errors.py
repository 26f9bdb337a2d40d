"""Our errors as OpenAI-shaped HTTP errors: the one table from error class to status, type and code.

Codes are ours and in capitals, but for `context_length_exceeded`, by which agents know when to shorten a conversation.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse

from impetus import errors

log = logging.getLogger(__name__)

#: The OpenAI clients retry 429 and 5xx on their own unless told not to; what needs a person must not be retried.
NO_RETRY = {"x-should-retry": "false"}


@dataclass(frozen=True, slots=True)
class HttpProblem:
    """`{"error": {message, type, param, code}}` with its status and headers."""

    status: int
    message: str
    type: str
    code: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body(), self.status, headers=dict(self.headers))


class Refused(Exception):
    """Raised by a route for what the table cannot know, such as an unknown model id."""

    def __init__(self, problem: HttpProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


#: Most special class first; the first that matches counts.
_TABLE: tuple[tuple[type[Exception], int, str, str, Mapping[str, str]], ...] = (
    (errors.ContextOverflow, 400, "invalid_request_error", "context_length_exceeded", {}),
    (errors.BadRequest, 400, "invalid_request_error", "INVALID_REQUEST", {}),
    (errors.NotFound, 404, "not_found_error", "NOT_FOUND", {}),
    (errors.Busy, 429, "rate_limit_error", "RATE_LIMITED", {}),
    (errors.Denied, 403, "permission_error", "FORBIDDEN", {}),
    (errors.IndexLocked, 503, "server_error", "RAG_INDEX_ERROR", {"retry-after": "5"}),
    (errors.IndexFailed, 500, "server_error", "RAG_INDEX_ERROR", NO_RETRY),
    (errors.ModelUnavailable, 503, "server_error", "MODEL_NOT_LOADED", {"retry-after": "60", **NO_RETRY}),
    (errors.InsufficientMemory, 507, "server_error", "INSUFFICIENT_MEMORY", NO_RETRY),
    (errors.ModelError, 500, "server_error", "INFERENCE_ERROR", NO_RETRY),
    (errors.EngineStopped, 503, "server_error", "SHUTTING_DOWN", {"retry-after": "2"}),
    (errors.ImpetusError, 500, "server_error", "FAILED", NO_RETRY),
)


def problem(error: Exception) -> HttpProblem:
    """Map any exception. What we did not raise on purpose is logged and shown without its text."""
    if isinstance(error, Refused):
        return error.problem
    for kind, status, type_, code, headers in _TABLE:
        if isinstance(error, kind):
            parameter = error.parameter if isinstance(error, errors.BadRequest) else None
            if isinstance(error, errors.Busy):
                headers = {"retry-after": f"{max(1, round(error.retry_after))}"}
            return HttpProblem(status, str(error), type_, code, parameter, headers)
    log.error("Unexpected error while answering a request", exc_info=error)
    return HttpProblem(
        500, "Something went wrong inside Impetus; its log says what", "server_error", "INTERNAL_ERROR", None, NO_RETRY
    )


@contextmanager
def embedding() -> Iterator[None]:
    """A model that fails inside of this block fails at embedding, which has a code of its own."""
    try:
        yield
    except (errors.ModelUnavailable, errors.InsufficientMemory):
        raise
    except errors.ModelError as error:
        raise Refused(HttpProblem(500, str(error), "server_error", "EMBEDDING_ERROR", None, NO_RETRY)) from error


def unknown_model(model: str, known: tuple[str, ...]) -> Refused:
    return Refused(
        HttpProblem(
            404,
            f"The model {model[:200]!r} does not exist here; use one of {', '.join(known)}",
            "invalid_request_error",
            "MODEL_NOT_FOUND",
            "model",
        )
    )
