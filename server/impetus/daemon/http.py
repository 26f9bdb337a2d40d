"""The HTTP port in the engine: bound at once, loaded by the first request.

A port that cannot be opened is a problem in the status and harms no editor; it is tried again, because what holds it
may be an engine of an older version that is about to leave.
"""

import asyncio
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from impetus.errors import BadRequest
from impetus.web.port import base_url, bind

if TYPE_CHECKING:
    from impetus.services.engine import Engine
    from impetus.services.keys import Keys
    from impetus.services.session import Session
    from impetus.web.server import HttpServer

_AGAIN_S = 15.0


class HttpPort:
    """`url` is empty while the port is not open."""

    def __init__(
        self, engine: "Engine", session: "Session", keys: "Callable[[], Keys]", *, insists: bool = False
    ) -> None:
        """`insists`: a port that cannot be opened is an error of `run`, and no problem to be shown."""
        self._insists = insists
        self.url = ""
        self.opened = asyncio.Event()
        self._engine = engine
        self._session = session
        self._keys = keys
        self._server: HttpServer | None = None

    async def run(self) -> None:
        """Until canceled."""
        bound = await self._bind()
        try:
            self.url = base_url(bound)
            self.opened.set()
            await _readable(bound)
            server = await asyncio.to_thread(self._load)
            self._server = server
            await server.serve(bound)
        finally:
            self.url = ""
            bound.close()

    async def _bind(self) -> socket.socket:
        while True:
            try:
                bound = bind(self._engine.settings.http)
            except BadRequest as error:
                if self._insists:
                    raise
                self._engine.set_problem("http", str(error))
                await asyncio.sleep(_AGAIN_S)
            else:
                self._engine.set_problem("http", "")
                return bound

    def _load(self) -> "HttpServer":
        from impetus.web.server import HttpServer  # FastAPI and uvicorn take memory that most people never need

        return HttpServer(self._session, self._engine.settings, self._keys())

    @property
    def requests(self) -> int:
        """How many have come; whoever sees it grow knows that the port is used."""
        return self._server.requests if self._server is not None else 0

    @property
    def answers(self) -> "Collection[asyncio.Task[None]]":
        """Those under way."""
        return self._server.answers if self._server is not None else ()

    @property
    def busy(self) -> bool:
        return self._server is not None and self._server.connections > 0


async def _readable(bound: socket.socket) -> None:
    """Until somebody connects."""
    loop = asyncio.get_running_loop()
    somebody = asyncio.Event()
    loop.add_reader(bound, somebody.set)
    try:
        await somebody.wait()
    finally:
        loop.remove_reader(bound)
