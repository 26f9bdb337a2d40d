"""Starts the engine of this version in the background, at most one however many windows ask at once."""

import fcntl
import os
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket

from impetus import __version__
from impetus.daemon import address

#: What the engine writes to the pipe it is handed once its socket listens.
READY = b"ready"
READY_FD = 3


def launch(folder: str) -> bool:
    """Whether an engine listens when this returns; the log says why not. Raises OSError where none can be tried."""
    lock = os.open(address.start_lock(folder, __version__), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the operating system lets go of it when this process dies
        return _listens(folder) or _start()
    finally:
        os.close(lock)


def _listens(folder: str) -> bool:
    """Somebody else may have started it while we waited for the lock."""
    probe = socket(AF_UNIX, SOCK_STREAM)
    try:
        probe.connect(address.socket_path(folder, __version__))
    except (FileNotFoundError, ConnectionError):
        return False
    finally:
        probe.close()
    return True


def _start() -> bool:
    log = os.open(address.made_log_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        _become_engine(log, tell)
    os.close(log)
    os.close(tell)
    os.waitpid(child, 0)
    try:
        return os.read(told, len(READY)) == READY
    finally:
        os.close(told)


def _become_engine(log: int, tell: int) -> None:
    """Nobody's child and in a session of its own: editors end the whole tree of what they started."""
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in enumerate((nothing, log, log)):
            os.dup2(source, target)
        os.setsid()
        if os.fork():
            os._exit(0)
        if tell != READY_FD:
            os.dup2(tell, READY_FD)
        os.set_inheritable(READY_FD, True)
        for leaked in map(int, os.listdir("/dev/fd")):  # an editor's own files would stay open for good
            if leaked > READY_FD:
                try:
                    os.close(leaked)
                except OSError:
                    pass  # the listing itself
        os.chdir("/")
        # -P: a folder named like one of our modules must not be taken for it.
        command = [sys.executable, "-P", "-m", "impetus", "serve", "--background"]
        os.execv(sys.executable, command)
    except OSError as error:
        os.write(2, f"impetus: the engine cannot be started: {error}\n".encode())
    finally:
        os._exit(1)
