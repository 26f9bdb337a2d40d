"""The large index behind the segment: a Chroma collection in a folder of our own.

Chroma gets ids and vectors only: no documents, no metadata but the embedder's name, no embedding function, no
telemetry. Every method may raise whatever Chroma raises; the store decides what that means.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from impetus.domain.ports import Vectors

#: Ids in one look-up or deletion.
BATCH = 2_000
#: Chosen by figures, docs/large-indexes.md.
HNSW: Final[dict[str, Any]] = {"space": "cosine", "ef_construction": 100, "max_neighbors": 16, "ef_search": 400}


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """Where a server is. `key` is sent as a bearer token, which is what proxies before it look at. One that takes
    longer than `timeout_s` is treated as away.
    """

    url: str
    key: str = ""
    timeout_s: float = 10.0


class LargeIndex(Protocol):
    """A Chroma collection, wherever it is. `key` names the place; `generation` counts how often it was opened or
    closed; `identity` is another one when the collection was deleted and made anew.
    """

    shared: ClassVar[bool]  # whether others may use it too
    key: str
    place: str
    generation: int
    identity: str

    @property
    def is_open(self) -> bool: ...

    def open(self) -> None:
        """A collection of another embedder is started over."""
        ...

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None: ...

    def query(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """Ids and cosines, best first."""
        ...

    def count(self) -> int: ...

    def held(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are there."""
        ...

    def delete(self, ids: Sequence[str]) -> None: ...

    def close(self) -> None: ...

    def discard(self) -> None:
        """Delete what cannot be read: its vectors can be made again."""
        ...


class EmbeddedIndex:
    """In `folder`, in this process, for this process alone."""

    shared: ClassVar[bool] = False
    key = "folder"  # wherever the home directory moves to

    def __init__(self, folder: Path, embedder_id: str) -> None:
        self.place = str(folder)
        self.generation = 0
        self.identity = ""
        self._folder = folder
        self._embedder_id = embedder_id
        self._client: Any = None
        self._collection: Any = None

    @property
    def is_open(self) -> bool:
        return self._collection is not None

    def open(self) -> None:
        import chromadb
        from chromadb.config import Settings

        self._folder.mkdir(parents=True, exist_ok=True)
        self._client = chromadb.PersistentClient(
            str(self._folder), settings=Settings(anonymized_telemetry=False, allow_reset=False)
        )
        collection = self._create()
        if (collection.metadata or {}).get("embedder") != self._embedder_id:
            self._client.delete_collection(collection.name)
            collection = self._create()
        self._collection = collection
        self.identity = str(collection.id)
        self.generation += 1

    def _create(self) -> Any:
        return self._client.get_or_create_collection(
            "chunks",
            embedding_function=None,
            metadata={"embedder": self._embedder_id},
            configuration={"hnsw": HNSW},
        )

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._collection.upsert(ids=list(ids), embeddings=vectors)

    def query(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        answer = self._collection.query(query_embeddings=[vector], n_results=limit, include=["distances"])
        return [(key, 1.0 - d) for key, d in zip(answer["ids"][0], answer["distances"][0], strict=True)]

    def count(self) -> int:
        return int(self._collection.count())

    def held(self, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(ids), BATCH):
            found.update(self._collection.get(ids=list(ids[start : start + BATCH]), include=[])["ids"])
        return found

    def delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), BATCH):
            self._collection.delete(ids=list(ids[start : start + BATCH]))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        elif "chromadb" in sys.modules:
            # A client whose start failed stays in Chroma's table of systems (shared_system_client.py, 1.5.9) and would
            # be handed out again for this folder.
            from chromadb.api.shared_system_client import SharedSystemClient

            SharedSystemClient._identifier_to_system.pop(self.place, None)
        self._client = self._collection = None
        self.generation += 1

    def discard(self) -> None:
        self.close()
        if self._folder.exists():
            broken = self._folder.with_name(f"{self._folder.name}.broken")
            shutil.rmtree(broken, ignore_errors=True)
            self._folder.rename(broken)
            shutil.rmtree(broken, ignore_errors=True)
