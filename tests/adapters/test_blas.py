"""Threads of linear algebra."""

from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from impetus.adapters import blas


def test_the_library_of_numpy_takes_one_thread() -> None:
    blas.one_thread_for_numpy()
    packages = Path(np.__file__).parent.parent
    own = [lib for lib in ThreadpoolController().lib_controllers if Path(lib.filepath).is_relative_to(packages)]
    assert {library.num_threads for library in own} <= {1}
