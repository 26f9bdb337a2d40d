"""glibc's allocator keeps what a long-lived process frees; elsewhere there is nothing to do.

Indexing leaves free memory between memory in use. glibc returns only what is free at the end of an arena, and has up to
eight arenas for each core, so that the engine would grow to the sum of its worst moments, by half in an hour.
"""

import ctypes
import sys
from typing import Final

_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None

#: Source: malloc.h of glibc.
_M_ARENA_MAX: Final = -8
#: One for the event loop and one for all threads, which allocate in bulk but seldom at the same time.
_ARENAS: Final = 2


def few_arenas() -> None:
    """Takes effect for arenas that do not exist yet, so before there are threads. Source: mallopt(3)."""
    mallopt = getattr(_LIBC, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_back() -> None:
    """Return every free page; takes milliseconds, without the interpreter. Source: malloc_trim(3)."""
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)
