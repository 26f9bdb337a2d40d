"""Paths that wait to be looked at: settle, but not forever."""

import asyncio
import math
from collections.abc import Callable, Iterable
from pathlib import Path


class DirtySet:
    """The first batch, which is everything, is taken at once, each further one after `settle` quiet seconds, or
    `ceiling` seconds after its first path.

    After `calm` seconds without a batch only `quick` quiet seconds are waited for: that is how a saved file comes. Of a
    storm (a branch switch) the first few paths go ahead, the others settle.
    """

    def __init__(self, settle: float = 0.1, ceiling: float = 2.0, quick: float = 0.01, calm: float = 0.5) -> None:
        self._settle = settle
        self._ceiling = ceiling
        self._quick = quick
        self._calm = calm
        self._paths: set[Path] = set()
        self._noted = asyncio.Event()
        self._taken = -math.inf

    def __bool__(self) -> bool:
        return bool(self._paths)

    def note(self, paths: Iterable[Path]) -> None:
        new = set(paths) - self._paths
        if new:  # a path that waits already must not put the batch off again
            self._paths |= new
            self._noted.set()

    async def take(self) -> set[Path]:
        await self._noted.wait()
        clock = asyncio.get_running_loop().time
        if self._taken > -math.inf:
            await self._settled(clock)
        batch, self._paths = self._paths, set()
        self._noted.clear()
        self._taken = clock()
        return batch

    async def _settled(self, clock: Callable[[], float]) -> None:
        settle = self._quick if clock() - self._taken > self._calm else self._settle
        deadline = clock() + self._ceiling
        while True:
            self._noted.clear()
            try:
                async with asyncio.timeout(min(settle, deadline - clock())):
                    await self._noted.wait()
            except TimeoutError:
                return
