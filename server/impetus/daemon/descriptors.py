"""How many files the engine may have open: connections, indexes and watches of all windows together."""

import contextlib
import resource
from typing import Final

#: Programs started from the desktop of a Mac get 256, of which an index with its watch and workers takes dozens.
_ENOUGH: Final = 4096


def raise_limit() -> None:
    """As far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
