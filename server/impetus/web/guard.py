"""What every request passes before any route sees it: Host, Origin, content type, key, role, limit and body, in this
order.

Pure ASGI, so that nothing is parsed before it is allowed.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impetus.domain.keys import ApiKey, Role
from impetus.errors import ImpetusError
from impetus.web import body as bodies
from impetus.web.access import OPEN_PATHS, access
from impetus.web.errors import HttpProblem, problem
from impetus.web.limits import Limits

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})

#: Who calls where no key is asked for.
_ANYBODY = ApiKey("local", "local", "admin", 0.0, b"")


@dataclass(frozen=True, slots=True)
class GuardRules:
    """`hosts`: names accepted in Host beside loopback, lower case; `origins`: accepted beside the port's own.

    `verify` gives the key of a secret; None when no key is asked for.
    """

    hosts: frozenset[str]
    verify: Callable[[str], ApiKey | None] | None
    origins: frozenset[str] = frozenset()
    limits: Limits | None = None
    max_body: int = bodies.MAX_BODY
    body_seconds: float = bodies.BODY_SECONDS


class Guard:
    def __init__(self, app: ASGIApp, rules: GuardRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websockets here, and no lifespan: the server is started without one
        try:
            passed = await self._pass(scope, receive, Headers(scope=scope))
        except ImpetusError as error:  # the keys cannot be read
            passed = problem(error)
        if passed is None:
            return  # the client left
        if isinstance(passed, HttpProblem):
            await passed.response()(scope, receive, send)
            return
        receive, told = passed
        await self._app(scope, receive, _with_headers(send, told))

    async def _pass(
        self, scope: Scope, receive: Receive, headers: Headers
    ) -> tuple[Receive, dict[str, str]] | HttpProblem | None:
        """How to read the body, and headers for the answer; or why not."""
        method, path = scope["method"], scope["path"]
        refusal = self._refuse(method, headers)
        if refusal is not None:
            return refusal
        told: dict[str, str] = {}
        if path not in OPEN_PATHS and not _asks_first(method, headers):
            needed = access(method, path)
            # Off the loop, which all windows share: a locked file of keys is waited for.
            key = await asyncio.to_thread(self._key, headers)
            if key is None:
                return _no_key()
            scope.setdefault("state", {})["key"] = key
            if not key.allows(needed.role):
                return _no_role(key.role, needed.role)
            allowance = await self._rules.limits.take(key.id, needed.limit) if self._rules.limits else None
            if allowance is not None:
                told = allowance.headers()
                if allowance.refused:
                    return _too_often(allowance.limit, needed.limit, told)
        if method not in _BODY_METHODS:
            return receive, told
        body = await bodies.read(receive, self._rules.max_body, self._rules.body_seconds)
        return (bodies.replay(body, receive), told) if isinstance(body, bytes) else body

    def _refuse(self, method: str, headers: Headers) -> HttpProblem | None:
        # A page whose DNS name was rebound to this machine is same-origin to the browser: only Host gives it away.
        host = headers.get("host", "")
        if not host_allowed(host, self._rules.hosts):
            message = f"The Host header {host[:100]!r} is not accepted; add the name to http.allowed_hosts"
            return _denied(message, "host")
        origin = headers.get("origin")
        if origin not in self._rules.origins:
            if origin is not None and origin.lower() != f"http://{host.lower()}":
                message = "Requests from web pages of another origin are not accepted; see http.allowed_origins"
                return _denied(message, "origin")
            if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
                return _denied("Requests from web pages of another site are not accepted", "sec-fetch-site")
        if method in _BODY_METHODS:
            # Any page may post text/plain or forms without asking first; JSON makes the browser ask, and be refused.
            media = headers.get("content-type", "").split(";")[0].strip().lower()
            if media != "application/json":
                return bodies.refused(
                    415, "Send JSON, with the header Content-Type: application/json", "INVALID_REQUEST"
                )
            length = headers.get("content-length", "0")
            if not length.isdecimal():
                return bodies.refused(400, "The Content-Length header is not a number", "INVALID_REQUEST")
            if int(length) > self._rules.max_body:
                return bodies.too_large(self._rules.max_body)
        return None

    def _key(self, headers: Headers) -> ApiKey | None:
        if self._rules.verify is None:
            return _ANYBODY
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        offered = [bearer.strip()] if scheme.lower() == "bearer" else []
        offered += [headers.get(name, "") for name in ("x-api-key", "api-key")]
        for secret in dict.fromkeys(offered):
            key = self._rules.verify(secret) if secret else None
            if key is not None:
                return key
        return None


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


def _asks_first(method: str, headers: Headers) -> bool:
    """A browser's question on behalf of a page whose origin is accepted; it cannot carry a key."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def _no_key() -> HttpProblem:
    message = (
        "No valid API key; make one with `impetus keys create --name NAME` and send it as `Authorization: Bearer KEY`"
    )
    return HttpProblem(401, message, "authentication_error", "AUTH_REQUIRED", None, {"www-authenticate": "Bearer"})


def _no_role(role: Role, needed: Role) -> HttpProblem:
    message = (
        f"This key has the role {role} and this needs {needed}; make one with `impetus keys create --name NAME --role "
        f"{needed}`"
    )
    return HttpProblem(403, message, "permission_error", "ROLE_REQUIRED")


def _too_often(limit: int, kind: str, told: dict[str, str]) -> HttpProblem:
    setting = "http.inference_per_minute" if kind == "inference" else "http.reads_per_minute"
    message = f"More than {limit} requests in a minute with this key; wait {told['retry-after']} s or raise {setting}"
    return HttpProblem(429, message, "rate_limit_error", "RATE_LIMITED", None, told)


def _denied(message: str, code: str) -> HttpProblem:
    return HttpProblem(403, message, "permission_error", f"FORBIDDEN_{code.replace('-', '_').upper()}")


def _with_headers(send: Send, told: dict[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in told.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
