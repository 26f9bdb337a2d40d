"""One engine of a version per home directory: a lock that the operating system lets go of however the process ends."""

import fcntl
import os
import time
from typing import Final

from impetus.errors import BadRequest

_LOOK_S: Final = 0.05


class EngineLock:
    """Held from its making on. Holds the process id, for those who find an engine that hangs."""

    def __init__(self, path: str, patience_s: float) -> None:
        """Wait `patience_s` for an engine that is just leaving. Raises BadRequest."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        until = time.monotonic() + patience_s
        while not self._taken():
            if time.monotonic() > until:
                pid = os.pread(self._file, 20, 0).decode("ascii", "replace").strip()
                os.close(self._file)
                raise BadRequest(
                    f"An engine runs already (process {pid}); `impetus status` shows what it does, "
                    "`impetus stop` ends it"
                )
            time.sleep(_LOOK_S)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._file)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def holder(path: str) -> int | None:
    """The process that holds the lock; None when nobody does."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(file, 20, 0) or b"0") or None
    finally:
        os.close(file)
    return None
