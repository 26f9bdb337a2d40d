"""Vectors in Chroma, behind a fast segment.

New vectors are durable and searchable at once in the segment; `settle()` moves them into Chroma in batches once they
are many (below that, exact search is faster than Chroma's first import). A query asks both. Chroma is opened by the
first housekeeping or query that needs it. One process may have a folder open, the one that holds the index lock; a
server takes any number.

A folder that Chroma cannot read is started over, since its vectors can be made again. A server that is away is waited
for: the segment goes on serving and keeps what is new. Nothing is ever deleted on a server, because colleagues may use
it.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from impetus.adapters.chroma_index import ChromaServer, EmbeddedIndex, LargeIndex
from impetus.adapters.vector_segment import VectorSegment
from impetus.domain.ports import Vectors
from impetus.domain.types import Problem
from impetus.errors import IndexFailed

#: Above so many numbers the segment is moved: exact search over 16k rows of 256 takes about 2 ms.
SEGMENT_NUMBERS = 16_384 * 256
#: Vectors moved in one step of housekeeping: 0.05 to 0.25 s of Chroma, which a closing engine or a removal waits for.
_STEP = 250
_WORDS_ALONE = (
    "The vectors of this large index are open in another Impetus process, so it is searched by words alone here; "
    "search in that one, or end it"
)
#: A server that failed is asked again after so many seconds.
_AGAIN_S = 15.0


class ChromaStore:
    """Implements `VectorStore` for one embedder. `folder` holds `vectors.sqlite` and, without a server, `chroma/`.

    `dimensions` may be 0: those of the first vector. `subject` names on a server what is shared, a repository.
    """

    def __init__(
        self,
        folder: Path,
        embedder_id: str,
        dimensions: int,
        *,
        read_only: bool = False,
        segment_limit: int | None = None,
        server: ChromaServer | None = None,
        subject: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.on_lost: Callable[[], None] = lambda: None
        self._read_only = read_only
        self._limit = segment_limit
        self._clock = clock
        self._lock = threading.Lock()  # held while Chroma is opened, written or closed; queries run beside writes
        self._closed = False
        self._emptying = False
        self._retry_at = 0.0  # after a failure of a server
        self._opening: threading.Thread | None = None
        self._problems: tuple[Problem, ...] = ()
        self._index: LargeIndex
        if server is None:
            self._index = EmbeddedIndex(folder / "chroma", embedder_id)
        else:
            from impetus.adapters.chroma_server import ServerIndex  # httpx is slow to import and seldom needed

            self._index = ServerIndex(server, subject, embedder_id)
        folder.mkdir(parents=True, exist_ok=True)
        self._segment = VectorSegment(folder / "vectors.sqlite", embedder_id, dimensions, read_only=read_only)
        self._segment.keep_to(self._index.key)

    def problems(self) -> tuple[Problem, ...]:
        if self._read_only and self._segment.count_in_chroma():
            return (Problem("vectors", _WORDS_ALONE),)
        return self._problems

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._index.close()
            self._segment.close()

    def __len__(self) -> int:
        return self._segment.known()

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        norms = np.linalg.norm(vectors, axis=1)
        good = np.isfinite(norms) & (norms > 0)  # a zero vector passes every test for NaN and matches nothing
        if not good.all():
            self._segment.add_empty([key for key, norm in zip(ids, norms, strict=True) if norm == 0])
            ids, vectors = [key for key, ok in zip(ids, good, strict=True) if ok], vectors[good]
        self._segment.add(ids, vectors)

    def missing(self, ids: Sequence[str]) -> set[str]:
        return self._segment.missing(ids)

    def adopt(self, ids: Sequence[str]) -> None:
        if self._read_only or not self._index.shared:
            return
        unknown = sorted(self._segment.missing(ids))
        with self._lock:
            if unknown and not self._closed and self._open():
                self._write(lambda: self._segment.add_moved(sorted(self._index.held(unknown))))

    def ids(self) -> set[str]:
        return self._segment.ids()

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        found = self._segment.search(vector, limit)
        if not self._read_only and self._segment.count_in_chroma():
            found += self._search_chroma(vector, limit)
            found.sort(key=lambda hit: -hit[1])
        return found[:limit]

    def remove(self, ids: Sequence[str]) -> None:
        with self._lock:
            if not self._index.shared and self._segment.count_in_chroma() and self._open():
                self._write(lambda: self._index.delete(ids))
            self._segment.remove(ids)

    def settle(self) -> bool:
        with self._lock:
            if self._read_only or self._closed:
                return False
            if not self._above_water():
                if self._segment.count_in_chroma():
                    self._open()  # the first query need not wait for it
                return False
            ids, vectors = self._segment.oldest(_STEP)
            # Chroma first, then the mark: a crash between the two only repeats an upsert.
            if not self._open() or not self._write(lambda: self._index.upsert(ids, vectors)):
                return False
            self._segment.moved(ids)
            return True

    def _above_water(self) -> bool:
        """True from the moment the segment passes its limit until little is left: a query then pays for Chroma alone.

        Where Chroma is in use already, the limit is lower.
        """
        size = len(self._segment)
        limit = self._limit if self._limit is not None else SEGMENT_NUMBERS // max(1, self._segment.dimensions)
        if size > (limit // 4 if self._segment.count_in_chroma() else limit):
            self._emptying = True
        elif size <= limit // 8:
            self._emptying = False
        return self._emptying

    def _search_chroma(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        if not self._index.is_open:
            if self._retry_at:  # a server that failed: no query waits for it to be there again
                self._open_aside()
                return []
            with self._lock:
                if self._closed or not self._open():
                    return []
        opened = self._index.generation
        try:
            # Of what a server finds some may be only colleagues', so more is asked for.
            found = self._index.query(vector, 2 * limit if self._index.shared else limit)
        except Exception as error:
            with self._lock:
                if self._index.generation == opened:  # else it was closed or started over meanwhile
                    self._failed(error)
            return []
        if self._index.shared and found:  # what only colleagues have is no chunk of ours
            strange = self._segment.missing([key for key, _ in found])
            found = [hit for hit in found if hit[0] not in strange]
        return found

    def _open(self) -> bool:
        """Whether Chroma can be used now. A folder that cannot be read or that lost vectors is filled anew."""
        if self._index.is_open:
            return True
        if self._clock() < self._retry_at:
            return False
        try:
            self._index.open()
            lost = self._lost()
        except Exception as error:  # Chroma raises whatever its Rust core raises, up to bare Exception
            self._failed(error)
            return self._index.is_open
        self._problems, self._retry_at = (), 0.0
        if lost:
            self._say(f"{len(lost):,} vectors were lost and are being made again")
            self._lose(lost)
        self._segment.keep_to(self._index.key, self._index.identity)
        return True

    def _open_aside(self) -> None:
        def work() -> None:
            with self._lock:
                if not self._closed:
                    self._open()

        if self._clock() >= self._retry_at and not (self._opening and self._opening.is_alive()):
            self._opening = threading.Thread(target=work, name="chroma-open", daemon=True)
            self._opening.start()

    def _lost(self) -> list[str]:
        """Ids that the segment believes to be in Chroma and that are not there."""
        here, there = self._segment.count_in_chroma(), self._index.count()
        same = self._segment.kept_to(self._index.identity)
        # On a server a colleague's vectors are counted too, and to ask for each of ours takes long.
        if (there >= here and same) if self._index.shared else there == here:
            return []
        expected = self._segment.in_chroma()
        return sorted(set(expected) - self._index.held(expected))

    def _write(self, work: Callable[[], object]) -> bool:
        """One change in Chroma; whether it went well. A full disk is no reason to give up what can be read: whether it
        can, the next query or start finds out.
        """
        try:
            work()
        except Exception as error:
            if self._index.shared:
                self._failed(error)
            else:
                self._index.close()  # Chroma's writer can hang for good after a failure; it is opened anew
                self._say(
                    f"The vector index cannot be written ({type(error).__name__}: {error}); what is new is kept beside "
                    "it. Free disk space or check the rights of its folder; `impetus index --full` makes it anew"
                )
            return False
        self._problems = ()
        return True

    def _failed(self, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        self._index.discard()
        if self._index.shared:
            self._retry_at = self._clock() + _AGAIN_S
            self._say(
                f"The Chroma server at {self._index.place} cannot be used ({reason}); what it holds is found again "
                "once it is back. Start it, or change index.chroma_url"
            )
            return
        self._say(f"The vector index could not be read and is being built anew ({reason})")
        self._lose(self._segment.in_chroma())
        try:
            self._index.open()
        except Exception as again:
            raise IndexFailed(
                f"Chroma cannot be opened in {self._index.place} ({again}); free disk space or check the rights of the "
                "folder, then `impetus index --full` starts it over"
            ) from again

    def _lose(self, ids: Sequence[str]) -> None:
        self._segment.remove(ids)
        self.on_lost()

    def _say(self, message: str) -> None:
        self._problems = (Problem("vectors", message),)
