"""Where the engine of a version listens, and the files beside its socket.

Each version has a socket of its own, so an upgrade never talks to an engine it does not know.
"""

import os
import stat

from impetus import home

#: Longest path of a socket in bytes: macOS has room for 104, the last one a zero.
LONGEST = 103


def runtime_folder(state: str | None = None) -> str:
    """The folder of sockets and locks, mode 0700. Raises OSError when it is not ours alone.

    `run` in the home directory; where that makes the path of a socket too long, a folder of this person under
    `XDG_RUNTIME_DIR` or `/tmp`, named by the home directory.
    """
    state = state or home.folder()
    os.makedirs(state, exist_ok=True)
    folder = os.path.join(state, "run")
    if len(os.fsencode(folder)) + len("/engine-00.00.00rc00.sock") > LONGEST:
        folder = _short(state)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        _check(folder)
    return folder


def _short(state: str) -> str:
    from hashlib import blake2b

    base = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"
    return os.path.join(base, f"impetus-{os.getuid()}-{blake2b(os.fsencode(state), digest_size=6).hexdigest()}")


def _check(folder: str) -> None:
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of yours, so it is not safe to use; delete it")
    if found.st_mode & 0o077:
        os.chmod(folder, 0o700)


def socket_path(folder: str, version: str) -> str:
    return os.path.join(folder, f"engine-{version}.sock")


def engine_lock(folder: str, version: str) -> str:
    """Held by the engine for its life; holds its process id."""
    return os.path.join(folder, f"engine-{version}.lock")


def start_lock(folder: str, version: str) -> str:
    """Held by whoever starts an engine, until it listens."""
    return os.path.join(folder, f"start-{version}.lock")


def farewell(folder: str, version: str) -> str:
    """Why the last engine ended, in its own words; empty while one runs, and after one that was killed."""
    try:
        with open(_farewell_path(folder, version), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def say_farewell(folder: str, version: str, reason: str) -> None:
    """As far as the disk lets it: an engine ends in good order all the same."""
    try:
        with open(_farewell_path(folder, version), "w", encoding="utf-8") as file:
            file.write(reason)
    except OSError:
        pass


def _farewell_path(folder: str, version: str) -> str:
    return os.path.join(folder, f"engine-{version}.end")


def versions(folder: str) -> list[str]:
    """Of the engines that run here or have run."""
    return sorted(
        name.removeprefix("engine-").removesuffix(".lock")
        for name in os.listdir(folder)
        if name.startswith("engine-") and name.endswith(".lock")
    )


def log_path(name: str = "engine.log") -> str:
    return os.path.join(home.folder(), "logs", name)


def made_log_path() -> str:
    """With its folder. Raises OSError where there can be none."""
    path = log_path()
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    return path


def last_lines(path: str, count: int = 8) -> list[str]:
    """The end of a log; empty when there is none."""
    try:
        with open(path, "rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - 8192))
            return log.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []
