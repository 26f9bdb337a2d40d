"""The one engine of this process: made when the first session needs it, with what is heavy imported off the loop."""

import asyncio
import contextlib
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from impetus import config
from impetus.errors import EngineStopped

if TYPE_CHECKING:
    from impetus.lsp.host import EngineFactory
    from impetus.services.engine import Engine


class OneEngine:
    """`overrides` are settings of the command line; they win over all others."""

    def __init__(self, load: "Callable[[], EngineFactory]", overrides: config.Layer) -> None:
        self._load = load
        self._overrides = overrides
        self._making: asyncio.Task[Engine] | None = None
        self._closed = False
        self.made = asyncio.Event()

    async def get(self) -> "Engine":
        """Raises why it cannot be made; the next call tries again, with the settings as they are then."""
        if self._closed:
            raise EngineStopped("The engine is shutting down; start it again")
        if self._making is None or (self._making.done() and _failed(self._making)):
            self._making = asyncio.create_task(self._make())
        return await asyncio.shield(self._making)  # one editor that leaves must not stop it for the others

    @property
    def now(self) -> "Engine | None":
        making = self._making
        return making.result() if making is not None and making.done() and not _failed(making) else None

    async def _make(self) -> "Engine":
        settings, problems = config.load(self._overrides)
        create = await asyncio.to_thread(self._load)
        engine = await create(settings, problems)
        # What is loaded by now stays. To look through it would hold up every window for a tenth of a second each time.
        gc.freeze()
        self.made.set()
        return engine

    async def close(self) -> None:
        self._closed = True
        if self._making is not None:
            with contextlib.suppress(Exception):
                engine = await self._making
                await engine.close()


def _failed(task: "asyncio.Task[Engine]") -> bool:
    return task.cancelled() or task.exception() is not None
