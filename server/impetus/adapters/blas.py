"""The libraries of linear algebra: which one MLX uses on Linux, and how many threads numpy's may take."""

import ctypes
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

#: Debian and Ubuntu (libopenblas0), Fedora (openblas), in the order they are tried.
LIBRARIES = ("libopenblas.so.0", "libopenblasp.so.0", "libopenblas.so")


@lru_cache(maxsize=1)
def preload() -> str | None:
    """Give MLX OpenBLAS: its CPU wheel brings reference BLAS, 20 to 45 times slower in float32.

    A library loaded globally before `mlx.core` takes the place of the bundled one. Returns the one now in use, or
    None: none is installed, not Linux, or MLX was imported before.
    """
    if not sys.platform.startswith("linux") or "mlx.core" in sys.modules:
        return None
    for library in LIBRARIES:
        try:
            ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return library
    return None


@lru_cache(maxsize=1)
def one_thread_for_numpy() -> None:
    """A search multiplies one matrix by one vector: on one core as fast as memory is read, while the threads of
    OpenBLAS wait for each other whenever the machine is busy (docs/performance.md). The library of MLX is left alone.
    """
    packages = Path(np.__file__).parent.parent
    for library in ThreadpoolController().lib_controllers:
        if Path(library.filepath).is_relative_to(packages):
            library.set_num_threads(1)
