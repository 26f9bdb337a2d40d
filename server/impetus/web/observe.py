"""Around every request: an id that its log lines carry, the headers that clients read, and a line in the access log.

The log names the route, never a query or a body.
"""

import logging
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impetus.request_id import request_id

log = logging.getLogger(__name__)


class Observed:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
        try:
            await self._app(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            key = scope.get("state", {}).get("key")
            facts = {
                "method": scope["method"],
                "route": route_of(scope),
                "status": status,
                "duration_ms": round(seconds * 1000, 1),
                "key": key.id if key is not None else None,
            }
            log.info("%(method)s %(route)s %(status)s in %(duration_ms)s ms", facts, extra={"facts": facts})
            request_id.reset(token)


def route_of(scope: Scope) -> str:
    """The path as the table of routes has it, so that what a client invents is never a label."""
    return getattr(scope.get("route"), "path", "none")
