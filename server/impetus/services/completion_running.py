"""A completion under way. It belongs to a text, not to a request: whoever types on as it writes may wait for it too."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Running:
    """`before` and `after` are the whole text around the place it was started for."""

    def __init__(self, before: str, after: str) -> None:
        self.before = before
        self.after = after
        self.result = ""  # what is to be shown at that place; valid when it is done
        self.error: BaseException | None = None
        self._stopped = False
        self._raw = ""
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, work: Callable[[], Coroutine[Any, Any, str]]) -> None:
        """`work` returns the result; it reports progress through `wrote`. Stopped at once, it is never called."""

        async def run() -> None:
            try:
                self.result = await work()
            except Exception as error:
                self.error = error
            finally:
                self._tell()

        self._task = asyncio.create_task(run())

    @property
    def done(self) -> bool:
        return self._task is not None and self._task.done()

    def wrote(self, raw: str) -> None:
        """All that the model has written so far."""
        self._raw = raw
        self._tell()

    def agrees(self, text: str) -> bool:
        """Whether `text` is the text it was started for, with at most what it writes typed into it."""
        if self._stopped or (self.done and self.error is not None):
            return False
        kept = len(self.before) + len(self.after)
        if len(text) < kept or not text.startswith(self.before) or not text.endswith(self.after):
            return False
        typed = text[len(self.before) : len(text) - len(self.after)]
        return self._raw.startswith(typed) or (not self.done and typed.startswith(self._raw))

    async def settled(self, text: str) -> bool:
        """Wait until it is done, or no longer agrees with `text`; whether it agreed to the end."""
        while not self.done and self.agrees(text):
            await self._news.wait()
        return self.agrees(text)

    def stop(self) -> None:
        """Nobody wants it any more; the model stops before its next step."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
