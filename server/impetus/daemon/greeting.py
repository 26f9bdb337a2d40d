"""The first line on a connection to the engine, and its answer.

A client says `impetus VERSION VERB ARGUMENT…`; the engine answers `impetus VERSION ok …`, or `… no REASON`.
The versions have to be equal, but for `retire` and `stop`, which every version understands.

    lsp PID SIZE      SIZE bytes of environment follow, then LSP both ways; answered with the number of the session
    ended NUMBER      how that session ended: an exit code and, when it was cut off, why
    state             answered with one line of JSON
    load ROLE         loads the chat or completion model of the engine's settings; answered once it is there
    unload ROLE       gives its memory back
    stop              ends the engine, which lets go of its lock as the last thing
    retire            ends the engine as soon as nobody uses it
"""

import os
import select

# `socket` costs as much time as the start of the interpreter, and the shim needs nothing that it adds.
from _socket import AF_UNIX, SOCK_STREAM, socket

#: The engine answers within a millisecond; one that is quiet for so long hangs or is stopped.
PATIENCE_S = 10.0

#: No answer but the state is longer than this.
LONGEST = 1 << 20


class Silent(Exception):
    """The engine took the connection and did not answer in time."""


class Refused(Exception):
    """The engine answered `no`; the text says why."""


def call(path: str, version: str, *words: str, body: bytes = b"", patience: float = PATIENCE_S) -> tuple[socket, str]:
    """Connect, greet, and return the connection with what came after `ok`.

    Raises FileNotFoundError or ConnectionError when no engine listens there, Silent, Refused.
    """
    connection = socket(AF_UNIX, SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.connect(path)
        _send(connection, f"impetus {version} {' '.join(words)}\n".encode() + body, patience)
        answer = _line(connection, patience)
    except BlockingIOError as error:  # a full backlog: the engine does not accept
        connection.close()
        raise Silent from error
    except BaseException:
        connection.close()
        raise
    verdict, _space, rest = answer.partition(" ")[2].partition(" ")[2].partition(" ")  # after name and version
    if verdict != "ok":
        connection.close()
        raise Refused(rest or f"what listens on {path} is no engine")
    return connection, rest


def _send(connection: socket, data: bytes, patience: float) -> None:
    ready = select.poll()
    ready.register(connection.fileno(), select.POLLOUT)
    while data:
        if not ready.poll(patience * 1000):
            raise Silent
        data = data[connection.send(data) :]


def _line(connection: socket, patience: float) -> str:
    """After this line the engine is silent until it is spoken to, so nothing else is read by accident."""
    ready = select.poll()
    ready.register(connection.fileno(), select.POLLIN)
    line = b""
    while not line.endswith(b"\n"):
        if not ready.poll(patience * 1000):
            raise Silent
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError("the engine closed the connection")
        line += piece
        if len(line) > LONGEST:
            raise ConnectionResetError("the engine talks nonsense")
    return line.decode("utf-8", "replace").rstrip("\n")


def environment_sent() -> bytes:
    """The settings in this process' environment, as `NAME=value` with zeros between."""
    kept = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("IMPETUS_")]
    return "\0".join(kept).encode("utf-8", "surrogateescape")


def environment_received(body: bytes) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in body.decode("utf-8", "surrogateescape").split("\0") if pair)
    return {name: value for name, _equals, value in pairs}
