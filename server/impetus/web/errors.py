"""Our errors as OpenAI-shaped HTTP errors: the one table from error class to status, type and code."""

import logging
from collections.abc import Mapping
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
    (errors.BadRequest, 400, "invalid_request_error", "invalid_value", {}),
    (errors.NotFound, 404, "invalid_request_error", "not_found", {}),
    (errors.Busy, 429, "rate_limit_error", "queue_full", {}),
    (errors.Denied, 403, "permission_error", "denied", {}),
    (errors.IndexLocked, 503, "server_error", "index_locked", {"retry-after": "5"}),
    (errors.IndexFailed, 500, "server_error", "index_failed", NO_RETRY),
    (errors.ModelUnavailable, 503, "server_error", "model_not_configured", NO_RETRY),
    (errors.InsufficientMemory, 507, "server_error", "insufficient_memory", NO_RETRY),
    (errors.ModelError, 500, "server_error", "model_failed", NO_RETRY),
    (errors.EngineStopped, 503, "server_error", "shutting_down", {"retry-after": "2"}),
    (errors.ImpetusError, 500, "server_error", "failed", NO_RETRY),
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
        500, "Something went wrong inside Impetus; its log says what", "server_error", "internal_error", None, NO_RETRY
    )


def unknown_model(model: str, known: tuple[str, ...]) -> Refused:
    return Refused(
        HttpProblem(
            404,
            f"The model {model[:200]!r} does not exist here; use one of {', '.join(known)}",
            "invalid_request_error",
            "model_not_found",
            "model",
        )
    )
