"""`impetus lsp`: connects an editor's pipes with the engine of this person, starting the engine where there is none.

Knows nothing of LSP and loads nothing that it does not need: an editor waits for it, and there is one per window.
"""

import os
import sys

from impetus import __version__, home
from impetus.daemon import address
from impetus.daemon.greeting import Refused, Silent, call, environment_sent
from impetus.daemon.pump import pump

#: No engine could be reached, as in `impetus.cli.exits`.
FAILED = 3


def main() -> int:
    """The exit code of the session: 0 after shutdown, 1 without; 3 when the engine ended or cannot be reached."""
    try:
        folder = address.runtime_folder()
        connection, number = _connect(folder)
    except Refused as error:
        return _fail(f"the engine refuses this connection: {error}")
    except Silent:
        return _fail("the engine runs and does not answer; `impetus stop` ends it")
    except OSError as error:
        return _fail(f"no engine can be reached or started under {home.folder()}: {error}")
    if connection is None:
        return _fail("the engine could not be started", log=True)
    if not pump(connection):
        return 1
    connection.close()
    return _ending(folder, number)


def _connect(folder: str):  # type: ignore[no-untyped-def]  # naming the type would load what only a start needs
    """The connection to the engine and the number of our session; None when no engine would start."""
    path = address.socket_path(folder, __version__)
    body = environment_sent()
    words = ("lsp", str(os.getpid()), str(len(body)))
    try:
        return call(path, __version__, *words, body=body)
    except (FileNotFoundError, ConnectionError):
        from impetus.daemon.launch import launch

        return call(path, __version__, *words, body=body) if launch(folder) else (None, "")


def _ending(folder: str, number: str) -> int:
    """The engine knows how each session ended; when there is none to ask, it was the engine that ended."""
    reason = address.farewell(folder, __version__)
    if reason:
        return _fail(f"the engine has ended: {reason}")
    try:
        connection, told = call(address.socket_path(folder, __version__), __version__, "ended", number)
    except (OSError, Refused, Silent):
        return _fail("the engine was killed or has crashed; start the language server again", log=True)
    connection.close()
    code, _space, reason = told.partition(" ")
    if reason:
        _say(f"the engine closed the connection: {reason}")
    return int(code)


def _fail(message: str, *, log: bool = False) -> int:
    path = address.log_path()
    lines = address.last_lines(path) if log else []
    _say(message + (f". The log, {path}, ends with" if lines else ""))
    for line in lines:
        sys.stderr.write(f"  {line}\n")
    return FAILED


def _say(message: str) -> None:
    sys.stderr.write(f"impetus: {message}\n")
