"""The HTTP port as a task of the engine's own event loop: embedded uvicorn on a socket that we bind."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator

import uvicorn

from impetus.config import Settings
from impetus.errors import BadRequest
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


async def serve_http(
    session: Session, settings: Settings, keys: Keys, *, started: Callable[[str], None] | None = None
) -> None:
    """Serve until canceled. `started` is told the base URL once requests are answered."""
    bound = bind(settings)
    config = uvicorn.Config(
        create_app(session, settings, keys),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = EmbeddedServer(config)
    if started is not None:
        # The socket listens already: a request sent now waits a moment and is answered.
        started(base_url(bound))
    serving = asyncio.ensure_future(server.serve(sockets=[bound]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
    finally:
        bound.close()


def bind(settings: Settings) -> socket.socket:
    """A listening socket. An address that others can reach needs keys: raises BadRequest without them."""
    host, port = settings.http.host, settings.http.port
    if not is_loopback(host) and not settings.http.require_key:
        raise BadRequest(
            f"http.host is {host!r}, which other machines can reach, while http.require_key is off; switch keys on or "
            "bind 127.0.0.1",
            parameter="http.require_key",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise BadRequest(
            f"The HTTP port {host}:{port} cannot be opened: {error}. Choose another one with http.port or --port",
            parameter="http.port",
        ) from error


def base_url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
