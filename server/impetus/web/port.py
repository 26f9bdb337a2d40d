"""The HTTP port before anybody uses it: a listening socket of our own; the server is loaded when it is needed."""

import ipaddress
import socket

from impetus.config import HttpSettings
from impetus.errors import BadRequest


def bind(http: HttpSettings) -> socket.socket:
    """A listening socket. An address that others can reach needs keys: raises BadRequest without them."""
    if not is_loopback(http.host) and not http.require_key:
        raise BadRequest(
            f"http.host is {http.host!r}, which other machines can reach, while http.require_key is off; switch keys "
            "on or bind 127.0.0.1",
            parameter="http.require_key",
        )
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    try:
        bound = socket.create_server((http.host, http.port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise BadRequest(
            f"The HTTP port {http.host}:{http.port} cannot be opened: {error}. Choose another one with http.port or "
            "--port",
            parameter="http.port",
        ) from error
    # asyncio switches Nagle's algorithm off on sockets that say they are TCP, which those of create_server do not; each
    # answer on a kept connection would wait 40 ms for an acknowledgement.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=bound.detach())


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
