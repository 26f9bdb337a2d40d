"""Small SQLite files that only their owner may read, opened anew for each call: another process may use them too."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from impetus.errors import ImpetusError


@contextmanager
def opened(path: Path, prepare: Callable[[sqlite3.Connection], None], failed: str) -> Iterator[sqlite3.Connection]:
    """One transaction, committed when the block ends well. `failed` says of a file that cannot be used what to do."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite creates files by the umask and gives a journal the mode of its database: make it private first.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        with closing(sqlite3.connect(path, timeout=5.0)) as database:
            prepare(database)
            with database:
                yield database
    except (OSError, sqlite3.Error) as error:
        raise ImpetusError(f"{path} cannot be used: {error}. {failed}") from error
