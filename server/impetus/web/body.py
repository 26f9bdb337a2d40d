"""Reads the body of a request before any route sees it, bounded in size, time and depth."""

import asyncio
import re

from starlette.types import Message, Receive

from impetus.web.errors import HttpProblem

MAX_BODY = 16 * 1024 * 1024

#: A client that sends its body slower than this is cut off.
BODY_SECONDS = 30.0

#: Brackets inside of brackets; JSON parsers and validators recurse.
MAX_DEPTH = 64

#: Strings are skipped whole, also one that does not end. Possessive, so that no input makes it go back.
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


async def read(receive: Receive, max_body: int, seconds: float) -> bytes | HttpProblem | None:
    """The whole body; a refusal when it is too large, too slow or too deep; None when the client left."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part = message.get("body", b"")
                size += len(part)
                if size > max_body:
                    return too_large(max_body)
                parts.append(part)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        return refused(408, "The body did not arrive in time", "INVALID_REQUEST")
    body = b"".join(parts)
    if too_deep(body, MAX_DEPTH):
        return refused(400, f"The JSON is nested deeper than {MAX_DEPTH} levels", "INVALID_REQUEST")
    return body


def too_deep(body: bytes, limit: int) -> bool:
    if body.count(b"{") + body.count(b"[") <= limit:
        return False
    depth = 0
    for match in _STRUCTURE.finditer(body):
        first = body[match.start()]
        if first in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def too_large(max_body: int) -> HttpProblem:
    return refused(413, f"The body is larger than {max_body} bytes", "INVALID_REQUEST")


def refused(status: int, message: str, code: str) -> HttpProblem:
    # The rest of a refused body is not read; closing keeps it from being taken for the next request.
    return HttpProblem(status, message, "invalid_request_error", code, None, {"connection": "close"})


def replay(body: bytes, receive: Receive) -> Receive:
    """Give the body once, then what the connection says: a disconnect, in time."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed
