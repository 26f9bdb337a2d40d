"""Whether there can be an engine that all windows share, which stands on Unix sockets and locks.

The commands about it import what needs them late, after they have asked here.
"""

import os

from impetus.errors import BadRequest


def here(system: str = os.name) -> bool:
    """Whether this system can have one."""
    return system == "posix"


def need(system: str = os.name) -> None:
    """Raises BadRequest where there can be none."""
    if not here(system):
        raise BadRequest(
            "On Windows no engine is shared: each editor has its own, with `impetus lsp --standalone`. WSL has the "
            "whole"
        )
