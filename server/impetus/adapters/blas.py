"""OpenBLAS for MLX on Linux: the CPU wheel brings reference BLAS, 20 to 45 times slower in float32.

A library loaded globally before `mlx.core` takes the place of the bundled one. Must run before anything imports MLX.
"""

import ctypes
import sys
from functools import lru_cache

#: Debian and Ubuntu (libopenblas0), Fedora (openblas), in the order they are tried.
LIBRARIES = ("libopenblas.so.0", "libopenblasp.so.0", "libopenblas.so")


@lru_cache(maxsize=1)
def preload() -> str | None:
    """The library now in use, or None: none is installed, not Linux, or MLX was imported before."""
    if not sys.platform.startswith("linux") or "mlx.core" in sys.modules:
        return None
    for library in LIBRARIES:
        try:
            ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return library
    return None
