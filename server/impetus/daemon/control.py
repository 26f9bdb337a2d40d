"""What a command asks of the engines that run now: how they are, and to end."""

import json
import os
import select
from dataclasses import dataclass
from typing import Any

from impetus import __version__
from impetus.daemon import address
from impetus.daemon.greeting import Refused, Silent, call
from impetus.daemon.lock import holder
from impetus.errors import ModelError


@dataclass(frozen=True, slots=True)
class Running:
    """An engine with a socket. `pid` is None when the socket was left behind by one that is gone."""

    version: str
    path: str
    pid: int | None


def running(folder: str) -> list[Running]:
    """Engines of all versions under this home directory."""
    found = []
    for path in address.sockets(folder):
        version = os.path.basename(path).removeprefix("engine-").removesuffix(".sock")
        pid = holder(address.engine_lock(folder, version))
        if pid is not None:
            found.append(Running(version, path, pid))
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
    """Ask it to end and wait until it has; whether it has."""
    try:
        connection, _pid = call(engine.path, __version__, "stop", patience=patience)
    except (FileNotFoundError, ConnectionError):
        return True
    except (OSError, Silent, Refused):
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    try:
        return bool(poll.poll(patience * 1000))
    finally:
        connection.close()


def retire_others(folder: str) -> None:
    """Engines of other versions leave once nobody uses them."""
    for engine in running(folder):
        if engine.version != __version__:
            try:
                connection, _pid = call(engine.path, __version__, "retire", patience=1.0)
                connection.close()
            except (OSError, Silent, Refused):
                pass  # it hangs; it is not ours to kill
