"""What `impetus status` shows of a running engine: plain values for one line of JSON."""

import contextlib
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impetus import __version__
from impetus.daemon.sessions import Sessions

if TYPE_CHECKING:
    from impetus.services.engine import Engine


def state(engine: "Engine | None", sessions: Sessions, now: float, started: float, url: str) -> dict[str, Any]:
    """Times are of the event loop, so the wall clock may be set without harm."""
    shown: dict[str, Any] = {
        "pid": os.getpid(),
        "version": __version__,
        "uptime_s": round(now - started, 1),
        "memory_bytes": resident(os.getpid()),
        "url": url,
        "sessions": [
            {
                "editor": each.client.editor or "an editor",
                "pid": each.pid,
                "roots": [str(root) for root in each.client.roots],
                "since_s": round(now - each.since, 1),
            }
            for each in sessions.all()
        ],
        "health": "ok",
        "message": "Nothing was asked of it yet",
        "indexes": [],
        "models": [],
        "problems": [],
    }
    if engine is not None:
        status = engine.status()
        shown |= {
            "health": status.health.value,
            "message": status.message,
            "indexes": [{**asdict(index), "root": str(index.root)} for index in status.indexes],
            "models": [asdict(model) for model in status.models],
            "problems": [asdict(problem) for problem in status.problems],
        }
    return shown


def resident(pid: int) -> int:
    """Bytes of memory that a process holds now; 0 where nobody tells."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, timeout=5).stdout) * 1024
    return 0
