"""Contents to digests: in this process when they are few, on parser processes for a large scan.

The processes live for one `analyze` call. Digests come back in the order of the contents.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice

from impetus.domain.digest import digest
from impetus.domain.ports import Digest

Content = tuple[str, bytes]

#: Starting processes costs about a third of a second, which is what one core needs for so much source.
_WORTH_A_POOL = 1_500_000
#: Contents that go to a process at a time, in bytes: large enough that the pipe does not matter.
_PARCEL = 256_000


def _digest_all(contents: list[Content]) -> list[Digest]:
    return [digest(data, language) for language, data in contents]


class ParsePool:
    """Implements `Analyzer`."""

    def __init__(self, processes: int = 0) -> None:
        self._processes = processes or min(8, os.cpu_count() or 1)

    def analyze(self, contents: Iterable[Content]) -> Iterator[Digest]:
        source = iter(contents)
        head: list[Content] = []
        size = 0
        for content in source:
            head.append(content)
            size += len(content[1])
            if size >= _WORTH_A_POOL:
                break
        if size < _WORTH_A_POOL or self._processes == 1:
            for language, data in chain(head, source):
                yield digest(data, language)
            return
        yield from self._pooled(chain(head, source))

    def _pooled(self, contents: Iterator[Content]) -> Iterator[Digest]:
        parcels = _parcels(contents)
        pool = ProcessPoolExecutor(self._processes, mp_context=multiprocessing.get_context("spawn"))
        try:
            running: deque[Future[list[Digest]]] = deque(
                pool.submit(_digest_all, parcel) for parcel in islice(parcels, self._processes * 2)
            )
            while running:
                done = running.popleft().result()
                for parcel in islice(parcels, 1):
                    running.append(pool.submit(_digest_all, parcel))
                yield from done
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _parcels(contents: Iterator[Content]) -> Iterator[list[Content]]:
    parcel: list[Content] = []
    size = 0
    for content in contents:
        parcel.append(content)
        size += len(content[1])
        if size >= _PARCEL:
            yield parcel
            parcel, size = [], 0
    if parcel:
        yield parcel
