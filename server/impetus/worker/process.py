"""One worker process as the engine sees it: started, spoken to, watched, ended. A new one takes its place, it never
comes back."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from impetus.worker import frames, messages
from impetus.worker.messages import Ping, Pong, Stop, ToEngine, ToWorker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. A worker is replaced when it is silent for `silence_s`, or at one step, load or request for longer."""

    start_s: float = 60.0  # to its first sign of life
    beat_s: float = 2.0
    silence_s: float = 60.0  # a process that was stopped for half a minute goes on where it was
    step_s: float = 300.0
    load_s: float = 1_800.0  # a large model from a slow disk
    stop_s: float = 10.0  # to end when asked to


class WorkerProcess:
    """`receive` gets its messages. `ended` is called once when it is gone: how, and whether it was asked to."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        receive: Callable[[ToEngine], None],
        ended: Callable[[str, bool], None],
        patience: Patience,
    ) -> None:
        self._process = process
        self._reader, self._writer = connection
        self._receive = receive
        self._ended = ended
        self._patience = patience
        self._verdict = ""  # why we had to end it
        self._asked = False
        self._alive = asyncio.Event()
        self._unanswered = 0  # beats since the last sign of life
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._beat())]

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        receive: Callable[[ToEngine], None],
        ended: Callable[[str, bool], None],
        patience: Patience,
    ) -> "WorkerProcess":
        """Run `command` with `--fd N` added. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    "--fd",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=2,  # libraries print, and our own output may be a protocol's
                )
            except OSError:
                ours.close()
                raise
        return cls(process, await asyncio.open_connection(sock=ours), receive, ended, patience)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: ToWorker) -> None:
        if not self._writer.is_closing():
            self._writer.write(frames.encode(message))

    async def stop(self) -> None:
        """End it after its step; at once when it does not. Returns when it is gone."""
        self._asked = True
        self.send(Stop())
        try:
            async with asyncio.timeout(self._patience.stop_s):
                await self._process.wait()
        except TimeoutError:
            self._kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _listen(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(frames.HEAD_BYTES)
                message = messages.for_engine(await self._reader.readexactly(frames.length(head)))
                self._unanswered = 0
                self._alive.set()
                if isinstance(message, Pong):
                    self._judge(message)
                else:
                    self._receive(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except msgspec.DecodeError as error:
            self._condemn(f"sent what is no message ({error})")
        finally:
            self._tasks[1].cancel()
            self._writer.close()
            try:
                async with asyncio.timeout(self._patience.stop_s):
                    code = await self._process.wait()
            except TimeoutError:
                self._condemn("hung up and did not end")
                code = await self._process.wait()
            likely = " (probably by the system, because memory ran out)" if code == -signal.SIGKILL else ""
            self._ended(self._verdict or how(code) + likely, self._asked)

    async def _beat(self) -> None:
        """Counts beats of our own instead of reading a clock: while this process is stopped, nothing is missed."""
        patience = self._patience
        try:
            async with asyncio.timeout(patience.start_s):
                await self._alive.wait()
        except TimeoutError:
            self._condemn(f"did not come up within {patience.start_s:g} s")
            return
        while True:
            await asyncio.sleep(patience.beat_s)
            if self._unanswered * patience.beat_s > patience.silence_s:
                self._condemn(f"did not answer for {patience.silence_s:g} s")
                return
            self._unanswered += 1
            self.send(Ping())

    def _judge(self, pong: Pong) -> None:
        allowed = self._patience.load_s if pong.doing == "load" else self._patience.step_s
        if pong.doing and pong.seconds > allowed:
            self._condemn(f"was busy with one {pong.doing} for {pong.seconds:.0f} s")

    def _condemn(self, verdict: str) -> None:
        log.error("The model process %s; it is ended", verdict)
        self._verdict = verdict
        self._kill()


def how(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
