"""What travels between the engine and the index worker.

The worker is given one update at a time, asks which vectors are missing, hands in those that it made, and says how far
it is after each transaction. Vectors travel as raw little-endian float32.
"""

from typing import Any

import msgspec

from impetus.domain.ports import Changes
from impetus.domain.types import Problem
from impetus.worker.messages import Failed


class _Message(msgspec.Struct, tag=True, frozen=True):
    pass


# -- to the worker -----------------------------------------------------------------------------------------------------


class Update(_Message, frozen=True):
    """Answered by any number of `Missing`, `Store` and `Progressed`, then by `Finished` or `Failed`."""

    folder: str  # of the index
    root: str
    settings: dict[str, Any]  # IndexSettings
    changes: Changes
    first: tuple[str, ...]
    careful: bool  # a worker died of this: parse nothing in the worker itself


class Lacking(_Message, frozen=True):
    """Answers `Missing`."""

    ids: tuple[str, ...]


class Stored(_Message, frozen=True):
    """Answers `Store`: the vectors are durable."""


ToIndexWorker = Update | Lacking | Stored


# -- to the engine -----------------------------------------------------------------------------------------------------


class Up(_Message, frozen=True):
    """The first word of a worker."""


class Missing(_Message, frozen=True):
    ids: tuple[str, ...]


class Store(_Message, frozen=True):
    ids: tuple[str, ...]
    dimensions: int
    vectors: bytes


class Progressed(_Message, frozen=True):
    """A transaction is closed. The counts are those of `IndexProgress`."""

    done: int
    total: int
    rate: float
    failed: int
    problems: tuple[Problem, ...]


class Finished(_Message, frozen=True):
    pass


FromIndexWorker = Up | Missing | Store | Progressed | Finished | Failed

for_index_worker = msgspec.msgpack.Decoder(ToIndexWorker).decode
from_index_worker = msgspec.msgpack.Decoder(FromIndexWorker).decode
