"""A supervisor over real worker processes with fake models (see `worker_child`)."""

import sys
from pathlib import Path
from typing import Any

from impetus.worker.supervisor import Supervisor

_PROJECT = Path(__file__).parents[2]

#: Ignores the environment's idea of where modules are, as a test runner's is not inherited.
_RUN = (
    "import sys, runpy; sys.path[:0] = sys.argv[1].split(':'); "
    "runpy.run_module('tests.support.worker_child', run_name='__main__', alter_sys=True)"
)
COMMAND = (sys.executable, "-c", _RUN, f"{_PROJECT}:{_PROJECT / 'server'}")


def supervisor(**settings: Any) -> Supervisor:
    return Supervisor(COMMAND, **settings)
