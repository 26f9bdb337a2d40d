"""The engine's `IndexWorker`: starts the process, gives it an update, keeps what it makes of vectors.

A process that died is replaced and goes on with what is left; one that dies again without having closed a transaction
ends the update. Killing it at any moment is safe, as killing the engine is.
"""

import logging
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from impetus.config import IndexSettings
from impetus.domain.ports import Changes, VectorStore
from impetus.domain.types import IndexProgress
from impetus.errors import IndexFailed
from impetus.worker import messages
from impetus.worker.frames import Channel
from impetus.worker.index_messages import (
    Finished,
    FromIndexWorker,
    Lacking,
    Missing,
    Progressed,
    Store,
    Stored,
    Up,
    Update,
    from_index_worker,
)
from impetus.worker.process import how

log = logging.getLogger(__name__)

#: Deaths without a closed transaction between them, after which an update is given up.
_LETHAL: Final = 2
#: How often `stopped` is asked while the worker is silent, in seconds.
_LOOK_S: Final = 0.1


class _Died(Exception):
    """How the process ended."""


class IndexProcess:
    """`command` starts a worker (`--fd N` is added) for the index in `folder`. One silent for `silence_s` is killed."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        silence_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = tuple(command)
        self._folder = folder
        self._silence_s = silence_s
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel[FromIndexWorker] | None = None
        self._up = False
        self._updating = False

    # -- the port ------------------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        if self._updating:
            return False
        try:
            channel = self._running()
            return self._up or (channel.waits(0) and self._greeted(channel))
        except _Died as death:
            log.warning("The index process %s before it was up", death)
        except IndexFailed as error:
            log.warning("%s", error)
        return False  # whoever asks goes on without it

    def apply(
        self,
        root: Path,
        settings: IndexSettings,
        look: Callable[[], Changes],
        vectors: VectorStore,
        *,
        first: Set[str],
        stopped: Callable[[], bool],
    ) -> Iterator[IndexProgress]:
        deaths = 0
        while True:
            update = Update(
                str(self._folder), str(root), settings.model_dump(), look(), tuple(sorted(first)), deaths > 0
            )
            try:
                for progress in self._updated(update, vectors, stopped):
                    deaths = 0
                    yield progress
                return
            except _Died as death:
                deaths += 1
                log.error("The index process %s while it worked for %s", death, root)
                if deaths == _LETHAL:
                    raise IndexFailed(
                        f"The index process {death}, {deaths} times in a row, while it indexed {root}; "
                        "reindex to try again, or leave out what was added last with index.exclude"
                    ) from death

    def close(self) -> None:
        """At once: what is under way is done again by the next update."""
        if self._process is not None:
            self._process.kill()
            self._forget()

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process is not None else None

    # -- the process ---------------------------------------------------------------------------------------------------

    def _running(self) -> Channel[FromIndexWorker]:
        """The channel to a process that runs, started where there is none."""
        if self._process is not None and self._process.poll() is not None:
            self._forget()  # it ended by itself, idle
        if self._channel is not None:
            return self._channel
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            try:
                self._process = subprocess.Popen(
                    [*self._command, "--fd", str(descriptor)],
                    pass_fds=(descriptor,),
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # libraries print, and our own output may be a protocol's
                )
            except OSError as error:
                ours.close()
                raise IndexFailed(f"The index process cannot be started: {error}; free memory and reindex") from error
        # Nobody else waits for it, and an ended process would stay in the system's table.
        threading.Thread(target=self._process.wait, name="index-process-end", daemon=True).start()
        self._channel = Channel(ours, from_index_worker)
        return self._channel

    def _greeted(self, channel: Channel[FromIndexWorker]) -> bool:
        if not isinstance(channel.receive(), Up):
            raise self._death()
        self._up = True
        return True

    def _death(self) -> _Died:
        """The process is gone, or is ended because it cannot be understood; says how."""
        assert self._process is not None
        process = self._process
        process.kill()
        code = process.wait()
        self._forget()
        return _Died(how(code))

    def _forget(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._process, self._channel, self._up = None, None, False

    # -- an update -----------------------------------------------------------------------------------------------------

    def _updated(self, update: Update, vectors: VectorStore, stopped: Callable[[], bool]) -> Iterator[IndexProgress]:
        channel = self._running()
        finished, self._updating = False, True
        try:
            if not self._up and self._wait(channel, stopped):
                self._greeted(channel)
            channel.send(update)
            while self._wait(channel, stopped):
                match channel.receive():
                    case Missing(ids):
                        channel.send(Lacking(tuple(vectors.missing(ids))))
                    case Store(ids, dimensions, data):
                        vectors.add(ids, np.frombuffer(data, "<f4").reshape(-1, dimensions))
                        channel.send(Stored())
                    case Progressed(done, total, rate, failed, problems):
                        root = Path(update.root)
                        yield IndexProgress(root, "indexing", done, total, rate, failed=failed, problems=problems)
                    case Finished():
                        finished = True
                        return
                    case messages.Failed() as failure:
                        finished = True
                        raise messages.error_of(failure)
                    case _:
                        raise self._death()
        except (ConnectionError, msgspec.DecodeError) as error:
            raise self._death() from error
        finally:
            self._updating = False
            if not finished:
                self.close()  # it may be in the middle of anything

    def _wait(self, channel: Channel[FromIndexWorker], stopped: Callable[[], bool]) -> bool:
        """Until it says something; False once `stopped`."""
        since = self._clock()
        while not stopped():
            if channel.waits(_LOOK_S):
                return True
            if self._clock() - since > self._silence_s:
                raise _Died(f"said nothing for {self._silence_s:g} s")
        return False
