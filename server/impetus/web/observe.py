"""Around every request: an id that its log lines carry, the headers that clients read, its metrics, a line in the log.

The log names the route, never a query or a body.
"""

import logging
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impetus.request_id import request_id
from impetus.web.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

log = logging.getLogger(__name__)


class Observed:
    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        number = f"req_{uuid.uuid4().hex}"
        status = 499  # what proxies log for a client that left before the answer

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = number
                headers["openai-processing-ms"] = str(round((time.perf_counter() - started) * 1000))
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("cache-control", "no-store")
            await send(message)

        token = request_id.set(number)
        self._metrics.active.inc()
        try:
            await self._app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            key = scope.get("state", {}).get("key")
            facts = {
                "method": method_of(scope),
                "route": route_of(scope),
                "status": status,
                "duration_ms": round(seconds * 1000, 1),
                "key": key.id if key is not None else None,
            }
            self._metrics.active.dec()
            self._metrics.requests.labels(method_of(scope), facts["route"], status).inc()
            self._metrics.request_seconds.labels(method_of(scope), facts["route"]).observe(seconds)
            log.info("%(method)s %(route)s %(status)s in %(duration_ms)s ms", facts, extra={"facts": facts})
            request_id.reset(token)


def route_of(scope: Scope) -> str:
    """The path as the table of routes has it, so that what a client invents is never a label."""
    return getattr(scope.get("route"), "path", "none")


def method_of(scope: Scope) -> str:
    method = scope["method"]
    return method if method in _METHODS else "other"
