"""Answers that stop when their reader leaves: as one JSON body, or as server-sent events.

ASGI tells of a disconnect only to who asks, so each answer is made beside a task that waits for it. Nothing is sent
before the first frame exists: what fails until then still gets its own status.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from impetus.web.errors import problem

DONE = "data: [DONE]\n\n"

#: Logged by proxies for "client closed request"; nobody reads it.
CLIENT_CLOSED = 499


def data(value: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def named(event: str, value: Mapping[str, Any]) -> str:
    """An event that says its type in its own line as well, as Responses and Messages do."""
    return f"event: {event}\n{data(value)}"


def comment(text: str) -> str:
    """A line that clients skip and that keeps proxies from giving up."""
    return f": {text}\n\n"


async def answer(request: Request, work: Awaitable[Mapping[str, Any]]) -> Response:
    """The JSON that `work` gives; `work` is canceled when the client leaves."""
    task = asyncio.ensure_future(work)
    if await _finished(task, request.receive):
        return JSONResponse(await task)
    return Response(status_code=CLIENT_CLOSED)


class EventStream(Response):
    """Frames of a generator as a `text/event-stream`; the generator is closed however the answer ends."""

    media_type = "text/event-stream"

    def __init__(self, frames: Callable[[], AsyncGenerator[str, None]]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _finished(asyncio.ensure_future(self._pump(scope, receive, send)), receive)

    async def _pump(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def start() -> None:
            nonlocal started
            if not started:
                started = True
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

        async with aclosing(self._frames()) as frames:
            try:
                async for frame in frames:
                    await start()
                    await send({"type": "http.response.body", "body": frame.encode(), "more_body": True})
            except Exception as error:
                if not started:
                    await problem(error).response()(scope, receive, send)
                    return
                # The status is gone; clients know this frame and raise it as an error.
                frame = data(problem(error).body())
                await send({"type": "http.response.body", "body": frame.encode(), "more_body": True})
        await start()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _finished(task: asyncio.Future[Any], receive: Receive) -> bool:
    """Wait for `task`, or cancel it when the client leaves first. Errors of the task are raised."""
    gone = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return True
        return False
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
