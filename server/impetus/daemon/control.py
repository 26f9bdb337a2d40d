"""What a command asks of the engines that run now: how they are, and to end."""

import contextlib
import json
import os
import signal
import time
from dataclasses import dataclass
from typing import Any, Final

from impetus import __version__
from impetus.daemon import address
from impetus.daemon.greeting import Refused, Silent, call
from impetus.daemon.lock import holder
from impetus.errors import ModelError

_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Running:
    """An engine that holds its lock; somebody may have deleted its socket."""

    version: str
    path: str
    lock: str
    pid: int


def running(folder: str) -> list[Running]:
    """Engines of all versions under this home directory."""
    found = []
    for version in address.versions(folder):
        lock = address.engine_lock(folder, version)
        pid = holder(lock)
        if pid is not None:
            found.append(Running(version, address.socket_path(folder, version), lock, pid))
    return found


def state_of(engine: Running, patience: float = 5.0) -> dict[str, Any] | None:
    """What the engine says of itself; None when it does not answer. Only an engine of our version does."""
    try:
        connection, answer = call(engine.path, __version__, "state", patience=patience)
    except (OSError, Silent, Refused):
        return None
    connection.close()
    value: dict[str, Any] = json.loads(answer)
    return value


def model(engine: Running, action: str, role: str, patience: float) -> None:
    """`load` or `unload` the model of a role. Raises ModelError with what the engine says."""
    try:
        connection, _role = call(engine.path, __version__, action, role, patience=patience)
    except Refused as error:
        raise ModelError(str(error)) from error
    except (OSError, Silent) as error:
        raise ModelError(
            f"The engine (process {engine.pid}) does not answer; `impetus status` says how it is"
        ) from error
    connection.close()


def stop(engine: Running, patience: float) -> bool:
    """Ask it to end and wait until it has let go of its lock; whether it has."""
    try:
        connection, _pid = call(engine.path, __version__, "stop", patience=patience)
        connection.close()
    except (FileNotFoundError, ConnectionError):
        _terminate(engine)
    except (OSError, Silent, Refused):
        return False
    until = time.monotonic() + patience
    while holder(engine.lock) == engine.pid:
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_S)
    return True


def _terminate(engine: Running) -> None:
    """Where it cannot be asked. Only while it holds its lock, or the number may be that of another process by now."""
    if holder(engine.lock) == engine.pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine.pid, signal.SIGTERM)


def retire_others(folder: str) -> None:
    """Engines of other versions leave once nobody uses them."""
    for engine in running(folder):
        if engine.version != __version__:
            try:
                connection, _pid = call(engine.path, __version__, "retire", patience=1.0)
                connection.close()
            except (OSError, Silent, Refused):
                pass  # it hangs; it is not ours to kill
