"""`impetus lsp`: the shim, or with `--standalone` the whole language server, on standard input and output."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impetus.lsp.host import EngineFactory


def language_server(*, alone: bool) -> int:
    """Returns when the editor leaves."""
    if alone or os.name != "posix":
        return standalone()
    from impetus.daemon.shim import main

    return main()


def standalone() -> int:
    """One session with its engine in this process. Imports nothing before the pipes are its own."""
    from impetus.lsp import stdio

    return stdio.run(load_engine)


def load_engine() -> "EngineFactory":
    from impetus.app import create_engine

    return create_engine
