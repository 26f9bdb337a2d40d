"""Paths that wait to be looked at: settle, but not forever."""

import asyncio
from collections.abc import Iterable
from pathlib import Path


class DirtySet:
    """A batch is taken after `settle` quiet seconds, or `ceiling` seconds after its first path."""

    def __init__(self, settle: float = 0.1, ceiling: float = 2.0) -> None:
        self._settle = settle
        self._ceiling = ceiling
        self._paths: set[Path] = set()
        self._noted = asyncio.Event()

    def __bool__(self) -> bool:
        return bool(self._paths)

    def note(self, paths: Iterable[Path]) -> None:
        self._paths.update(paths)
        if self._paths:
            self._noted.set()

    async def take(self) -> set[Path]:
        await self._noted.wait()
        deadline = asyncio.get_running_loop().time() + self._ceiling
        while True:
            self._noted.clear()
            left = deadline - asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(min(self._settle, left)):
                    await self._noted.wait()
            except TimeoutError:
                break
        batch, self._paths = self._paths, set()
        self._noted.clear()
        return batch
