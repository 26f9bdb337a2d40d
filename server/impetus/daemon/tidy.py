"""Memory that work leaves behind, given back to the machine a few seconds later."""

import asyncio
import gc
from typing import Final

from impetus.daemon import allocator

#: Long enough to serve a burst of work once.
_AFTER_S: Final = 5.0


class Tidy:
    """What a closed window leaves are cycles inside of pygls, 15 kB each, and the collector comes after thousands of
    them, as it was made rare for the sake of indexing. It looks through everything that is held, so it comes after
    windows alone.
    """

    def __init__(self, after_s: float = _AFTER_S) -> None:
        self._after_s = after_s
        self._due: asyncio.TimerHandle | None = None
        self._cycles = False

    def after_work(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._after_s, self._tidy)

    def after_window(self) -> None:
        self._cycles = True
        self.after_work()

    def _tidy(self) -> None:
        self._due = None
        if self._cycles:
            self._cycles = False
            gc.collect()
        asyncio.get_running_loop().run_in_executor(None, allocator.give_back)
