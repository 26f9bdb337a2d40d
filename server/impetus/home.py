"""The one directory that holds all state. Imports next to nothing: the shim asks before anything else is loaded."""

import os


def folder() -> str:
    """`IMPETUS_HOME`, else `~/.impetus`; absolute."""
    return os.path.abspath(os.path.expanduser(os.environ.get("IMPETUS_HOME") or "~/.impetus"))
