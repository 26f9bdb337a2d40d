"""Real child processes of the engine, with what `worker_child` and `index_child` put into them."""

import sys
from pathlib import Path
from typing import Any

from impetus.worker.supervisor import Supervisor

_PROJECT = Path(__file__).parents[2]

#: Ignores the environment's idea of where modules are, as a test runner's is not inherited.
_RUN = (
    "import sys, runpy; sys.path[:0] = sys.argv[2].split(':'); "
    "runpy.run_module(sys.argv[1], run_name='__main__', alter_sys=True)"
)


def command(module: str) -> tuple[str, ...]:
    """Runs `module` of this folder as a process."""
    return (sys.executable, "-c", _RUN, f"tests.support.{module}", f"{_PROJECT}:{_PROJECT / 'server'}")


COMMAND = command("worker_child")


def supervisor(**settings: Any) -> Supervisor:
    return Supervisor(COMMAND, **settings)
