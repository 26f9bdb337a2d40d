"""Which BLAS computes, and on how many cores.

MLX on Linux: the CPU wheel brings reference BLAS, 20 to 45 times slower in float32 than OpenBLAS. A library loaded
globally before `mlx.core` takes the place of the bundled one.
"""

import ctypes
import sys
from functools import lru_cache

#: Debian and Ubuntu (libopenblas0), Fedora (openblas), in the order they are tried.
LIBRARIES = ("libopenblas.so.0", "libopenblasp.so.0", "libopenblas.so")


@lru_cache(maxsize=1)
def preload() -> str | None:
    """Before anything imports MLX. The library now in use, or None: none is installed, not Linux, or too late."""
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
def numpy_on_one_core() -> None:
    """Make numpy compute on one core from here on; a BLAS that belongs to a model runtime keeps its own.

    Our products are small, and on a busy machine the threads of a BLAS spend their time waiting for each other: 16,000
    rows of 256 took 1.6 ms with one thread and 10 to 20 ms with two, on two cores that others were using.
    """
    from threadpoolctl import ThreadpoolController

    for library in ThreadpoolController().lib_controllers:
        if "numpy" in library.filepath:
            library.set_num_threads(1)
