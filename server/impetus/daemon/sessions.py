"""The editors that are connected now, each with its session, and how the last ones ended."""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from impetus.lsp.client import Client
from impetus.lsp.host import SharedEngine
from impetus.lsp.server import converse, new_server

if TYPE_CHECKING:
    from impetus.services.engine import Engine

log = logging.getLogger(__name__)

#: A shim asks within milliseconds how its session ended; older ends are forgotten.
_ENDINGS_KEPT = 256


@dataclass(frozen=True, slots=True)
class Attached:
    """`pid` is that of the shim; `since` is a time of the event loop."""

    client: Client
    pid: int
    since: float
    task: "asyncio.Task[None]"


class Sessions:
    def __init__(self, engine: "Callable[[], Awaitable[Engine]]", changed: Callable[[], None]) -> None:
        self._engine = engine
        self._changed = changed
        # A shim that asks the next engine how its session ended must not be told of a stranger's.
        self._numbers = itertools.count(secrets.randbits(48))
        self._attached: dict[int, Attached] = {}
        self._endings: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._attached)

    def all(self) -> tuple[Attached, ...]:
        return tuple(self._attached.values())

    @property
    def tasks(self) -> "list[asyncio.Task[None]]":
        """Each ends with its session."""
        return [each.task for each in self.all()]

    def next_number(self) -> int:
        return next(self._numbers)

    async def attend(
        self,
        number: int,
        pid: int,
        environment: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """One session, from the first message to the end of its connection."""
        client = new_server(SharedEngine(self._engine, environment))
        task = asyncio.current_task()
        assert task is not None
        self._attached[number] = Attached(client, pid, asyncio.get_running_loop().time(), task)
        self._changed()
        code = 1
        try:
            code = 0 if await converse(reader, writer, client) else 1
        except asyncio.CancelledError:
            if not client.cut_off:
                raise
        except Exception:
            log.exception("A session failed")
            client.cut_off = "it failed for a reason that the log has"
        finally:
            del self._attached[number]
            self._endings[number] = f"{code} {client.cut_off}".strip()
            while len(self._endings) > _ENDINGS_KEPT:
                del self._endings[next(iter(self._endings))]
            self._changed()

    async def ending(self, number: int) -> str:
        """An exit code and, when the editor was cut off, why. Waits for a session that is just ending."""
        if number in self._attached:
            await asyncio.wait([self._attached[number].task])
        return self._endings.get(number, "1")

    async def stop(self, reason: str) -> None:
        """Answer every request under way with the reason and close the connections."""
        attached = self.all()
        await asyncio.gather(*(each.client.stop(reason) for each in attached))
        for each in attached:
            each.task.cancel()
        if attached:
            await asyncio.wait([each.task for each in attached])
