"""The engine's end of the socket: greets who connects and does what it asks for. The words are those of `greeting`."""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from impetus import __version__
from impetus.daemon.greeting import environment_received
from impetus.daemon.sessions import Sessions
from impetus.errors import ImpetusError

if TYPE_CHECKING:
    from impetus.services.models import ModelRole

log = logging.getLogger(__name__)

#: Who connects and says nothing is not waited for any longer.
_PATIENCE_S: Final = 10.0

#: Of the settings in an editor's environment.
_LARGEST_BODY: Final = 1 << 20

#: What every version understands of any other.
_OF_ANY_VERSION: Final = frozenset({"stop", "retire"})


class Refusal(Exception):
    pass


class SocketServer:
    def __init__(
        self,
        sessions: Sessions,
        state: Callable[[], dict[str, Any]],
        models: "Callable[[str, ModelRole], Awaitable[None]]",
        stop: Callable[[str], None],
        retire: Callable[[], None],
    ) -> None:
        self._sessions = sessions
        self._state = state
        self._models = models
        self._stop = stop
        self._retire = retire
        self._verbs: dict[str, Callable[..., Awaitable[None]]] = {
            "lsp": self._lsp,
            "ended": self._ended,
            "state": self._tell_state,
            "load": partial(self._model, "load"),
            "unload": partial(self._model, "unload"),
            "stop": self._stop_asked,
            "retire": self._retire_asked,
        }
        self._server: asyncio.Server | None = None
        self._path = ""

    async def listen(self, path: str) -> None:
        """Only with the engine's lock in hand: a socket that lies there is left over from an engine that was killed."""
        await asyncio.to_thread(Path(path).unlink, missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._connected, path, backlog=128)
        finally:
            os.umask(mask)
        self._path = path

    def close(self) -> None:
        """No new connections; those there are go on."""
        if self._server is not None:
            self._server.close()
            self._server = None
            Path(self._path).unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                verb, arguments = await self._greeting(reader)
            await self._verbs[verb](reader, writer, *arguments)
        except Refusal as error:
            _answer(writer, "no", str(error))
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError) as error:
            log.info("A connection that said nothing useful: %r", error)
        finally:
            writer.close()

    async def _greeting(self, reader: asyncio.StreamReader) -> tuple[str, list[Any]]:
        words = (await reader.readline()).decode("utf-8", "replace").split()
        if len(words) < 3 or words[0] != "impetus" or words[2] not in self._verbs:
            raise Refusal("this is the engine of Impetus, and that was no greeting")
        _name, version, verb, *rest = words
        if version != __version__ and verb not in _OF_ANY_VERSION:
            raise Refusal(f"this is the engine of Impetus {__version__}, not of {version}")
        if verb == "lsp":
            pid, size = (int(word) for word in rest)
            if not 0 <= size <= _LARGEST_BODY:
                raise Refusal("the settings in the environment are too large")
            return verb, [pid, environment_received(await reader.readexactly(size))]
        if verb in ("load", "unload"):
            if len(rest) != 1 or rest[0] not in ("chat", "completion"):
                raise Refusal("name the model by its role, chat or completion")
            return verb, rest
        return verb, [int(word) for word in rest]

    async def _lsp(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int, environment: dict[str, str]
    ) -> None:
        number = self._sessions.next_number()
        _answer(writer, "ok", str(number))
        await self._sessions.attend(number, pid, environment, reader, writer)

    async def _ended(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        _answer(writer, "ok", await self._sessions.ending(number))

    async def _tell_state(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _answer(writer, "ok", json.dumps(self._state()))
        await writer.drain()

    async def _model(
        self, action: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: "ModelRole"
    ) -> None:
        try:
            await self._models(action, role)
        except ImpetusError as error:
            raise Refusal(" ".join(str(error).split())) from error
        _answer(writer, "ok", role)

    async def _stop_asked(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _answer(writer, "ok", str(os.getpid()))
        self._stop("`impetus stop` ended it")

    async def _retire_asked(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _answer(writer, "ok", str(os.getpid()))
        self._retire()


def _answer(writer: asyncio.StreamWriter, verdict: str, text: str) -> None:
    writer.write(f"impetus {__version__} {verdict} {text}\n".encode())
