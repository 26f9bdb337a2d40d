"""When background work may use the models: not on battery and not on a hot machine, unless told otherwise."""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from impetus.domain.ports import Power

log = logging.getLogger(__name__)

#: How long an answer of the machine holds, in seconds: a Mac gives one by running three programs, and work that follows
#: typing asks after every pause.
ASK_EVERY_S = 30.0


class Background:
    """`wait` is awaited before each batch of background work."""

    def __init__(
        self,
        power: Power,
        *,
        spare: bool,
        ask_every_s: float = ASK_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._power = power
        self._spare = spare
        self._ask_every_s = ask_every_s
        self._clock = clock
        self._strain = ""
        self._asked = -math.inf
        self.reason = ""  # why work waits now; empty while it does not

    async def wait(self) -> None:
        """Until the machine need not be spared."""
        while self._spare and (reason := await self._ask()):
            if reason != self.reason:
                log.info("Background work of the models waits: %s", reason)
            self.reason = reason
            await asyncio.sleep(self._ask_every_s)
        self.reason = ""

    async def _ask(self) -> str:
        now = self._clock()
        if now - self._asked >= self._ask_every_s:
            self._strain = await asyncio.to_thread(self._power.strain)
            self._asked = now
        return self._strain
