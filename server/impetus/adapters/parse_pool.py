"""Contents to digests: in this process when they are few, and on parser processes beside it when they are many.

The processes live for one `analyze` call. Digests come back in the order of the contents. A grammar that crashes takes
its process with it, never the scan.
"""

import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import chain, islice
from typing import Any

import msgspec

from impetus.domain.chunking import blob_id
from impetus.domain.digest import digest
from impetus.domain.ports import Digest

log = logging.getLogger(__name__)

Content = tuple[str, bytes]
Make = Callable[[bytes, str], Digest]
_Running = tuple[list[Content], "Future[bytes]"]

# Pickling digests to and fro takes a sixth of the time that making them takes, this a thirtieth.
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Digest]).decode

#: Starting processes costs about a third of a second, which is what one core needs for so much source.
_WORTH_A_POOL = 1_500_000
#: Contents that go to a process at a time, in bytes: large enough that the pipe does not matter.
_PARCEL = 256_000


def _digest_all(contents: list[Content], make: Make) -> bytes:
    return _encode([make(data, language) for language, data in contents])


class ParsePool:
    """Implements `Analyzer`."""

    def __init__(self, processes: int = 0, digest: Make = digest, *, careful: bool = False) -> None:
        """`digest` is what the processes run; it must be importable by name. `careful`: nothing runs in this one."""
        self._processes = processes or min(8, os.cpu_count() or 1)
        self._digest = digest
        self._careful = careful

    def analyze(self, contents: Iterable[Content]) -> Iterator[Digest]:
        source = iter(contents)
        if self._careful:
            yield from self._pooled([], _parcels(source))
            return
        head: list[Content] = []
        size = 0
        for content in source:
            head.append(content)
            size += len(content[1])
            if size >= _WORTH_A_POOL:
                break
        if size < _WORTH_A_POOL or self._processes == 1:
            for language, data in chain(head, source):
                yield self._digest(data, language)
            return
        yield from self._pooled(head, _parcels(source))

    def _pooled(self, head: list[Content], parcels: Iterator[list[Content]]) -> Iterator[Digest]:
        """The head is digested here while the processes start: the first results do not wait for them."""
        pool = _start(self._processes)
        try:
            running: deque[_Running] = deque()
            for parcel in islice(parcels, self._processes * 2):
                running.append((parcel, self._submit(pool, parcel)))
            for language, data in head:
                yield self._digest(data, language)
            while running:
                parcel, future = running.popleft()
                try:
                    done = _decode(future.result())
                except BrokenProcessPool:
                    # A parser crashed on some content of what was running; nobody knows on which.
                    _end(pool)
                    yield from self._one_by_one(parcel)
                    pool = _start(self._processes)
                    running = deque((other, self._submit(pool, other)) for other, _ in running)
                    done = []
                for parcel in islice(parcels, 1):
                    running.append((parcel, self._submit(pool, parcel)))
                yield from done
        finally:
            _end(pool)

    def _submit(self, pool: ProcessPoolExecutor, parcel: list[Content]) -> "Future[bytes]":
        try:
            return pool.submit(_digest_all, parcel, self._digest)
        except BrokenProcessPool as error:  # known only now; whoever waits for the result deals with it
            failed: Future[bytes] = Future()
            failed.set_exception(error)
            return failed

    def _one_by_one(self, parcel: list[Content]) -> Iterator[Digest]:
        """Each content by itself; one that ends its process is kept as plain text."""
        pool = _start(1)
        try:
            for language, data in parcel:
                try:
                    yield from _decode(pool.submit(_digest_all, [(language, data)], self._digest).result())
                except BrokenProcessPool:
                    log.warning("the parser of %s crashed on a file, which is indexed as plain text", language)
                    yield _plain(data, language)
                    _end(pool)
                    pool = _start(1)
        finally:
            _end(pool)


def _plain(data: bytes, language: str) -> Digest:
    """As text, under the address that the content has in its language."""
    made = digest(data, "text")
    return Digest(replace(made.analysis, blob=blob_id(data, language), language=language), made.terms)


def _start(processes: int) -> ProcessPoolExecutor:
    context: Any = multiprocessing.get_context("spawn" if os.name == "nt" else "forkserver")
    if os.name != "nt":
        context.set_forkserver_preload([__name__])  # imported once for all of them
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)


def _end(pool: ProcessPoolExecutor) -> None:
    pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent() -> None:
    """A killed parent cannot end its processes, and they would wait for work forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


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
