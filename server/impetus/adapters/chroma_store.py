"""Vectors in Chroma, behind a fast segment.

New vectors are durable and searchable at once in the segment; `settle()` moves them into Chroma in batches once they
are many (below that, exact search is faster than Chroma's first import). A query asks both. Chroma gets ids and
vectors only: no documents, no metadata, no embedding function, no telemetry. It is opened by the first housekeeping
or query that needs it, and one process may have it open: the one that holds the index lock.
"""

import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impetus.adapters.vector_segment import VectorSegment
from impetus.domain.ports import Vectors
from impetus.domain.types import Problem
from impetus.errors import IndexFailed

#: Above so many vectors the segment is moved: exact search over 16k rows of 256 takes about 2 ms.
SEGMENT_LIMIT = 16_384
#: Ids in one look-up or deletion.
_BATCH = 2_000
#: Vectors moved in one step of housekeeping: 0.05 to 0.25 s of Chroma, which a closing engine or a removal waits for.
_STEP = 250
_COLLECTION = "chunks"


class ChromaStore:
    """Implements `VectorStore` for one embedder. `folder` holds `vectors.sqlite` and `chroma/`."""

    def __init__(
        self,
        folder: Path,
        embedder_id: str,
        dimensions: int,
        *,
        read_only: bool = False,
        segment_limit: int = SEGMENT_LIMIT,
    ) -> None:
        self._folder = folder / "chroma"
        self._embedder_id = embedder_id
        self._read_only = read_only
        self._limit = segment_limit
        self._lock = threading.Lock()  # held while Chroma is opened, written or closed; queries run beside writes
        self._closed = False
        self._client: Any = None
        self._collection: Any = None
        self._emptying = False
        self._problems: tuple[Problem, ...] = ()
        self._segment = VectorSegment(folder / "vectors.sqlite", embedder_id, dimensions, read_only=read_only)

    def problems(self) -> tuple[Problem, ...]:
        return self._problems

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._close_client()
            self._segment.close()

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        norms = np.linalg.norm(vectors, axis=1)
        good = np.isfinite(norms) & (norms > 0)  # a zero vector passes every test for NaN and matches nothing
        if not good.all():
            self._segment.add_empty([key for key, norm in zip(ids, norms, strict=True) if norm == 0])
            ids, vectors = [key for key, ok in zip(ids, good, strict=True) if ok], vectors[good]
        self._segment.add(ids, vectors)

    def missing(self, ids: Sequence[str]) -> set[str]:
        return self._segment.missing(ids)

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
            stored = self._open_chroma() if self._segment.count_in_chroma() else None
            if stored is not None:
                for i in range(0, len(ids), _BATCH):
                    self._guard(lambda i=i: stored.delete(ids=list(ids[i : i + _BATCH])))
            self._segment.remove(ids)

    def settle(self) -> bool:
        with self._lock:
            if self._read_only or self._closed:
                return False
            if not self._above_water():
                if self._segment.count_in_chroma():
                    self._open_chroma()  # the first query need not wait for it
                return False
            ids, vectors = self._segment.oldest(_STEP)
            collection = self._open_chroma()
            # Chroma first, then the mark: a crash between the two only repeats an upsert.
            if not self._guard(lambda: collection.upsert(ids=ids, embeddings=vectors)):
                return False
            self._segment.moved(ids)
            return True

    def _above_water(self) -> bool:
        """True from the moment the segment passes its limit until little is left: a query then pays for Chroma alone.

        Where Chroma is in use already, the limit is lower.
        """
        size, limit = len(self._segment), self._limit
        if size > (limit // 4 if self._segment.count_in_chroma() else limit):
            self._emptying = True
        elif size <= limit // 8:
            self._emptying = False
        return self._emptying

    def _search_chroma(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        collection = self._collection
        if collection is None:
            with self._lock:
                if self._closed:
                    return []
                collection = self._open_chroma()
        try:
            answer = collection.query(query_embeddings=[vector], n_results=limit, include=["distances"])
        except Exception as error:
            with self._lock:
                if collection is self._collection:  # else it was closed or started over meanwhile
                    self._reset(error)
            return []
        return [(key, 1.0 - d) for key, d in zip(answer["ids"][0], answer["distances"][0], strict=True)]

    def _open_chroma(self) -> Any:
        """The collection; a folder that Chroma cannot read, or that lost vectors, is started over."""
        if self._collection is not None:
            return self._collection
        try:
            self._connect()
            lost = self._lost()
        except Exception as error:  # Chroma raises whatever its Rust core raises, up to bare Exception
            self._reset(error)
        else:
            if lost:
                self._segment.remove(lost)
                self._say(f"{len(lost):,} vectors were lost and are being made again")
        return self._collection

    def _connect(self) -> None:
        import chromadb
        from chromadb.config import Settings

        self._folder.mkdir(parents=True, exist_ok=True)
        self._client = chromadb.PersistentClient(
            str(self._folder), settings=Settings(anonymized_telemetry=False, allow_reset=False)
        )
        self._collection = self._client.get_or_create_collection(
            _COLLECTION,
            embedding_function=None,
            metadata={"embedder": self._embedder_id},
            configuration={"hnsw": {"space": "cosine", "ef_construction": 100, "max_neighbors": 16, "ef_search": 200}},
        )
        if (self._collection.metadata or {}).get("embedder") != self._embedder_id:
            self._client.delete_collection(_COLLECTION)
            self._close_client()
            self._connect()

    def _lost(self) -> list[str]:
        """Ids that the segment believes to be in Chroma and that are not there."""
        expected = self._segment.in_chroma()
        if self._collection.count() == len(expected):
            return []
        lost: list[str] = []
        for i in range(0, len(expected), _BATCH):
            part = expected[i : i + _BATCH]
            lost += sorted(set(part) - set(self._collection.get(ids=part, include=[])["ids"]))
        return lost

    def _guard(self, work: Any) -> bool:
        """Run one call into Chroma; when it fails, start Chroma over and say so. The vectors will be made again."""
        try:
            work()
        except Exception as error:
            self._reset(error)
            return False
        return True

    def _reset(self, error: Exception) -> None:
        self._close_client()
        if self._folder.exists():
            broken = self._folder.with_name("chroma.broken")
            shutil.rmtree(broken, ignore_errors=True)
            self._folder.rename(broken)
            shutil.rmtree(broken, ignore_errors=True)
        self._segment.remove(self._segment.in_chroma())
        self._say(f"The vector index could not be read and is being built anew ({type(error).__name__}: {error})")
        try:
            self._connect()
        except Exception as again:
            raise IndexFailed(f"Chroma cannot be opened in {self._folder}: {again}") from again

    def _say(self, message: str) -> None:
        self._problems = (Problem("vectors", message),)

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()
        elif "chromadb" in sys.modules:
            # A client whose start failed stays in Chroma's table of systems (shared_system_client.py, 1.5.9) and would
            # be handed out again for this folder.
            from chromadb.api.shared_system_client import SharedSystemClient

            SharedSystemClient._identifier_to_system.pop(str(self._folder), None)
        self._client = self._collection = None
