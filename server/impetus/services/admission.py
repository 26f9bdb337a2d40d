"""How many requests may be under way at once, by what they are for. Who comes too late is told when to come back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from impetus.domain.types import Priority
from impetus.errors import Busy

#: For the local models, in all sessions together. INDEX work comes in batches of its own making.
LIMITS: Mapping[Priority, int] = {Priority.TYPING: 32, Priority.CHAT: 64, Priority.INDEX: 64}

#: For remote models, whose servers have limits of their own.
REMOTE_LIMIT = 32

#: Seconds after which a refused caller may try again.
RETRY_AFTER = {Priority.TYPING: 0.5, Priority.CHAT: 2.0, Priority.INDEX: 5.0}


class Admission:
    def __init__(self, limits: Mapping[Priority, int] = LIMITS, remote: int = REMOTE_LIMIT) -> None:
        self._limits = limits
        self._remote_limit = remote
        self._local = dict.fromkeys(Priority, 0)
        self._remote = 0

    @contextmanager
    def local(self, priority: Priority) -> Iterator[None]:
        """Counts a request while it is under way. Raises Busy."""
        if self._local[priority] >= self._limits[priority]:
            raise Busy(
                f"{self._limits[priority]} requests of this kind wait for the local models; try again in a moment",
                retry_after=RETRY_AFTER[priority],
            )
        self._local[priority] += 1
        try:
            yield
        finally:
            self._local[priority] -= 1

    @contextmanager
    def remote(self) -> Iterator[None]:
        """As `local`, for the models behind the network."""
        if self._remote >= self._remote_limit:
            raise Busy(f"{self._remote_limit} requests to remote models are under way; try again in a moment")
        self._remote += 1
        try:
            yield
        finally:
            self._remote -= 1
