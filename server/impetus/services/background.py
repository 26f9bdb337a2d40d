"""When background work may use the models: not on battery and not on a hot machine, unless told otherwise."""

import asyncio
import logging

from impetus.domain.ports import Power

log = logging.getLogger(__name__)

#: While work waits, the machine is asked so often, in seconds.
ASK_EVERY_S = 30.0


class Background:
    """`wait` is awaited before each batch of background work."""

    def __init__(self, power: Power, *, spare: bool, ask_every_s: float = ASK_EVERY_S) -> None:
        self._power = power
        self._spare = spare
        self._ask_every_s = ask_every_s
        self.reason = ""  # why work waits now; empty while it does not

    async def wait(self) -> None:
        """Until the machine need not be spared."""
        while self._spare and (reason := await asyncio.to_thread(self._power.strain)):
            if reason != self.reason:
                log.info("Background work of the models waits: %s", reason)
            self.reason = reason
            await asyncio.sleep(self._ask_every_s)
        self.reason = ""
