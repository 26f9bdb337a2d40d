"""`impetus lsp`: the language server on standard input and output. Imports nothing before the pipes are its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impetus.lsp.host import EngineFactory


def language_server() -> int:
    """One session with its engine in this process; returns when the editor leaves."""
    from impetus.lsp import stdio

    return stdio.run(_load)


def _load() -> "EngineFactory":
    from impetus.app import create_engine

    return create_engine
