"""The HTTP port as a task of the engine's own event loop: embedded uvicorn on a socket that we bind."""

import asyncio
import contextlib
import socket
from collections.abc import Collection, Iterator

import uvicorn

from impetus.config import Settings
from impetus.services.keys import Keys
from impetus.services.session import Session
from impetus.web.app import create_app

#: Answers under way get so long to end when the port closes.
GRACE_SECONDS = 1


class EmbeddedServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process that embeds this server."""
        yield


class HttpServer:
    def __init__(self, session: Session, settings: Settings, keys: Keys) -> None:
        config = uvicorn.Config(
            create_app(session, settings, keys),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self._server = EmbeddedServer(config)

    @property
    def requests(self) -> int:
        """How many have come."""
        return self._server.server_state.total_requests

    @property
    def answers(self) -> Collection[asyncio.Task[None]]:
        """Those under way."""
        return self._server.server_state.tasks

    @property
    def connections(self) -> int:
        return len(self._server.server_state.connections)

    async def serve(self, bound: socket.socket) -> None:
        """Serve until canceled; answers under way get a moment to end."""
        serving = asyncio.ensure_future(self._server.serve(sockets=[bound]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self._server.should_exit = True
            await serving
            raise
