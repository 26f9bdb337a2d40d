"""What every request passes before any route sees it: Host, Origin, content type, key and size, in this order.

Pure ASGI, so that nothing is parsed before it is allowed. Bodies are read here, bounded in size and time.
"""

import asyncio
import ipaddress
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impetus.errors import ImpetusError
from impetus.web.errors import HttpProblem, problem

MAX_BODY = 16 * 1024 * 1024

#: A client that sends its body slower than this is cut off.
BODY_SECONDS = 30.0

#: Answered without a key, and says nothing but that the process lives.
OPEN_PATHS = frozenset({"/api/health/live"})

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class GuardRules:
    """`hosts`: names accepted in Host beside loopback, lower case. `verify` is None when no key is asked for."""

    hosts: frozenset[str]
    verify: Callable[[str], bool] | None
    max_body: int = MAX_BODY
    body_seconds: float = BODY_SECONDS


class Guard:
    def __init__(self, app: ASGIApp, rules: GuardRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websockets here, and no lifespan: the server is started without one
        send = _with_headers(send)
        headers = Headers(scope=scope)
        try:
            refusal = self._refuse(scope["method"], scope["path"], headers)
        except ImpetusError as error:  # the keys cannot be read
            refusal = problem(error)
        if refusal is None and scope["method"] in _BODY_METHODS:
            body = await self._body(receive)
            if body is None:
                return  # the client left
            if isinstance(body, HttpProblem):
                refusal = body
            else:
                receive = _replay(body, receive)
        if refusal is not None:
            await refusal.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refuse(self, method: str, path: str, headers: Headers) -> HttpProblem | None:
        # A page whose DNS name was rebound to this machine is same-origin to the browser: only Host gives it away.
        host = headers.get("host", "")
        if not host_allowed(host, self._rules.hosts):
            message = f"The Host header {host[:100]!r} is not accepted; add the name to http.allowed_hosts"
            return _denied(message, "host")
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return _denied("Requests from web pages of another origin are not accepted", "origin")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return _denied("Requests from web pages of another site are not accepted", "sec-fetch-site")
        if method in _BODY_METHODS:
            # Any page may post text/plain or forms without asking first; JSON makes the browser ask, and be refused.
            media = headers.get("content-type", "").split(";")[0].strip().lower()
            if media != "application/json":
                return _invalid(415, "Send JSON, with the header Content-Type: application/json", "media_type")
            length = headers.get("content-length", "0")
            if not length.isdecimal():
                return _invalid(400, "The Content-Length header is not a number", "content_length")
            if int(length) > self._rules.max_body:
                return self._too_large()
        if self._rules.verify is not None and path not in OPEN_PATHS and not self._known(headers):
            return HttpProblem(
                401,
                "No valid API key; make one with `impetus keys create --name NAME` and send it as "
                "`Authorization: Bearer KEY`",
                "invalid_request_error",
                "invalid_api_key",
                None,
                {"www-authenticate": "Bearer"},
            )
        return None

    def _known(self, headers: Headers) -> bool:
        assert self._rules.verify is not None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        offered = [bearer.strip()] if scheme.lower() == "bearer" else []
        offered += [headers.get(name, "") for name in ("x-api-key", "api-key")]
        return any(self._rules.verify(secret) for secret in dict.fromkeys(offered) if secret)

    async def _body(self, receive: Receive) -> bytes | HttpProblem | None:
        """The whole body; a refusal when it is too large or too slow; None when the client left."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._rules.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    if size > self._rules.max_body:
                        return self._too_large()
                    parts.append(part)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            return _invalid(408, "The body did not arrive in time", "timeout")

    def _too_large(self) -> HttpProblem:
        return _invalid(413, f"The body is larger than {self._rules.max_body} bytes", "body_too_large")


def host_allowed(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header names this machine by loopback or by a name of `names`; the port does not matter."""
    host = host.strip().lower()
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        if not bracket or (port and not (port.startswith(":") and port[1:].isdecimal())):
            return False
    else:
        name, colon, port = host.partition(":")
        if colon and not port.isdecimal():
            return False
    if name == "localhost" or (name and name in names):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _denied(message: str, code: str) -> HttpProblem:
    return HttpProblem(403, message, "permission_error", f"forbidden_{code.replace('-', '_')}")


def _invalid(status: int, message: str, code: str) -> HttpProblem:
    # The rest of a refused body is not read; closing keeps it from being taken for the next request.
    return HttpProblem(status, message, "invalid_request_error", code, None, {"connection": "close"})


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body once, then what the connection says: a disconnect, in time."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


def _with_headers(send: Send) -> Send:
    started = time.perf_counter()
    request_id = f"req_{uuid.uuid4().hex}"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = request_id
            headers["openai-processing-ms"] = str(round((time.perf_counter() - started) * 1000))
            headers["x-content-type-options"] = "nosniff"
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
