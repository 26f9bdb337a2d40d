"""The index worker's side: one update after the other, until the engine is gone or has given nothing for a while."""

import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from impetus.domain.ports import Vectors, VectorStore
from impetus.domain.types import IndexProgress
from impetus.errors import ImpetusError
from impetus.worker import messages
from impetus.worker.frames import Channel, end_with_parent
from impetus.worker.index_messages import (
    Finished,
    Lacking,
    Missing,
    Progressed,
    Store,
    Stored,
    ToIndexWorker,
    Up,
    Update,
    for_index_worker,
)

#: Typing and questions go first on a machine with few cores.
_NICE: Final = 5
#: What an update makes is plain data without circles, which the collector would look through in vain.
_COLLECT_AFTER: Final = 100_000


class EngineGone(Exception):
    """The engine ended, or wants nothing more of this worker."""


class EngineVectors:
    """The engine's store of vectors, as far as an update needs it."""

    def __init__(self, channel: Channel[ToIndexWorker]) -> None:
        self._channel = channel

    def missing(self, ids: Sequence[str]) -> set[str]:
        self._channel.send(Missing(tuple(ids)))
        answer = self._channel.receive()
        if not isinstance(answer, Lacking):
            raise EngineGone
        return set(answer.ids)

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._channel.send(Store(tuple(ids), vectors.shape[1], np.ascontiguousarray(vectors, "<f4").tobytes()))
        if not isinstance(self._channel.receive(), Stored):
            raise EngineGone


def run(fd: int, apply: Callable[[Update, VectorStore], Iterator[IndexProgress]], *, idle_s: float) -> None:
    """Serve the engine behind the socket `fd`; ends after `idle_s` seconds without an update."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the engine's to handle
    end_with_parent()
    os.nice(_NICE)
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 50, 100)
    channel: Channel[ToIndexWorker] = Channel(socket.socket(fileno=fd), for_index_worker)
    vectors = EngineVectors(channel)
    try:
        channel.send(Up())
        while channel.waits(idle_s) and isinstance(update := channel.receive(), Update):
            try:
                for progress in apply(update, vectors):  # type: ignore[arg-type]  # nothing else of the port is used
                    channel.send(_progressed(progress))
                channel.send(Finished())
            except ImpetusError as error:
                channel.send(messages.failed(0, error))
    except (EngineGone, ConnectionError):
        pass


def _progressed(progress: IndexProgress) -> Progressed:
    return Progressed(progress.done, progress.total, progress.rate, progress.failed, progress.problems)
