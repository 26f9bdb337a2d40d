"""How changes get into the index: begun here, and where they are many, gone on with by the index worker.

The worker takes a moment to start, and what is small would wait for it; what is large would hold up every answer if it
stayed here, because one thread at a time runs Python.
"""

from collections.abc import Callable, Iterator
from typing import Final

from impetus.domain.ports import Changes, IndexWorker
from impetus.domain.types import IndexProgress
from impetus.services.indexer import Indexer

#: Bytes of changed files from which on the worker is asked: more than a second of indexing, a few times its start.
WORTH_A_WORKER: Final = 1_500_000


def update(
    indexer: Indexer,
    changes: Changes,
    steps: Iterator[IndexProgress],
    worker: IndexWorker | None,
    rest: Callable[[IndexWorker], Iterator[IndexProgress]],
) -> Iterator[IndexProgress]:
    """Apply `changes`, by `steps` of `indexer` here until `worker` can do the `rest`; yields after each transaction."""
    large = sum(size for size, _ in changes.dirty.values()) >= WORTH_A_WORKER
    for progress in steps:
        yield progress
        # A branch that was here before is large and known: nothing of it has to be cut.
        if worker and large and indexer.digested and progress.done < progress.total and worker.ready():
            yield from rest(worker)
            return
