"""The large index behind the segment: a Chroma collection in a folder of our own, or on a server that a team shares.

Chroma gets ids and vectors only: no documents, no metadata of ours but the embedder's name, no embedding function, no
telemetry. Every method may raise whatever Chroma raises; the store decides what that means.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from impetus.domain.ports import Vectors

#: Ids in one look-up or deletion.
_BATCH = 2_000
#: A server that takes longer is treated as away; the segment answers alone meanwhile.
_TIMEOUT_S = 10.0
_CONNECT_S = 2.0
#: Chosen by figures, docs/large-indexes.md.
HNSW: Final = {"space": "cosine", "ef_construction": 100, "max_neighbors": 16, "ef_search": 200}


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """Where a server is. `key` is sent as a bearer token (proxies) and as Chroma Cloud's header."""

    url: str
    key: str = ""


class ChromaIndex:
    """What both kinds share. `key` names the place; `generation` counts how often it was opened or closed."""

    key: str
    place: str
    shared: bool

    def __init__(self, name: str, embedder_id: str, hnsw: dict[str, Any] = HNSW) -> None:
        self._name = name
        self._embedder_id = embedder_id
        self._hnsw = hnsw
        self._client: Any = None
        self._collection: Any = None
        self.generation = 0

    @property
    def is_open(self) -> bool:
        return self._collection is not None

    @property
    def identity(self) -> str:
        """Another one when the collection was deleted and made anew."""
        return str(self._collection.id)

    def open(self) -> None:
        """Connect; a collection of another embedder is started over."""
        self._client = self._connect()
        self._collection = self._create()
        if (self._collection.metadata or {}).get("embedder") != self._embedder_id:
            self._client.delete_collection(self._name)
            self._collection = self._create()
        self.generation += 1

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._collection.upsert(ids=list(ids), embeddings=vectors)

    def query(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        answer = self._collection.query(query_embeddings=[vector], n_results=limit, include=["distances"])
        return [(key, 1.0 - d) for key, d in zip(answer["ids"][0], answer["distances"][0], strict=True)]

    def count(self) -> int:
        return int(self._collection.count())

    def held(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are there."""
        found: set[str] = set()
        for start in range(0, len(ids), _BATCH):
            found.update(self._collection.get(ids=list(ids[start : start + _BATCH]), include=[])["ids"])
        return found

    def delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _BATCH):
            self._collection.delete(ids=list(ids[start : start + _BATCH]))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = self._collection = None
        self.generation += 1

    def _connect(self) -> Any:
        raise NotImplementedError

    def _create(self) -> Any:
        return self._client.get_or_create_collection(
            self._name,
            embedding_function=None,
            metadata={"embedder": self._embedder_id},
            configuration={"hnsw": self._hnsw},
        )


class EmbeddedIndex(ChromaIndex):
    """In `folder`, in this process, for this process alone."""

    key = "folder"  # wherever the home directory moves to
    shared = False

    def __init__(self, folder: Path, embedder_id: str, hnsw: dict[str, Any] = HNSW) -> None:
        super().__init__("chunks", embedder_id, hnsw)
        self._folder = folder
        self.place = str(folder)

    def _connect(self) -> Any:
        import chromadb
        from chromadb.config import Settings

        self._folder.mkdir(parents=True, exist_ok=True)
        return chromadb.PersistentClient(
            str(self._folder), settings=Settings(anonymized_telemetry=False, allow_reset=False)
        )

    def close(self) -> None:
        if self._client is None and "chromadb" in sys.modules:
            # A client whose start failed stays in Chroma's table of systems (shared_system_client.py, 1.5.9) and would
            # be handed out again for this folder.
            from chromadb.api.shared_system_client import SharedSystemClient

            SharedSystemClient._identifier_to_system.pop(str(self._folder), None)
        super().close()

    def discard(self) -> None:
        """Delete the folder: its vectors can be made again."""
        self.close()
        if self._folder.exists():
            broken = self._folder.with_name(f"{self._folder.name}.broken")
            shutil.rmtree(broken, ignore_errors=True)
            self._folder.rename(broken)
            shutil.rmtree(broken, ignore_errors=True)


class ServerIndex(ChromaIndex):
    """On a server. Ids are hashes of content, so that colleagues who store the same chunk mean the same vector."""

    shared = True

    def __init__(self, server: ChromaServer, subject: str, embedder_id: str, hnsw: dict[str, Any] = HNSW) -> None:
        """`subject` is what colleagues share, a repository; each embedder has a collection of its own."""
        digest = blake2b(f"{subject}\n{embedder_id}".encode(), digest_size=12).hexdigest()
        super().__init__(f"impetus-{digest}", embedder_id, hnsw)
        self._server = server
        self.key = self.place = server.url

    def _connect(self) -> Any:
        import chromadb
        import httpx
        from chromadb.config import Settings

        url = urlsplit(self._server.url)
        secure = url.scheme == "https"
        headers = {"Authorization": f"Bearer {self._server.key}", "x-chroma-token": self._server.key}
        headers = headers if self._server.key else {}
        # Chroma's client waits without end for a machine that does not answer; this asks first.
        heartbeat = f"{self._server.url.rstrip('/')}/api/v2/heartbeat"
        httpx.get(heartbeat, headers=headers, timeout=_CONNECT_S, trust_env=False).raise_for_status()
        client = chromadb.HttpClient(
            host=url.hostname or "localhost",
            port=url.port or (443 if secure else 8000),
            ssl=secure,
            headers=headers,
            settings=Settings(anonymized_telemetry=False),
        )
        client._server._session.timeout = httpx.Timeout(_TIMEOUT_S, connect=_CONNECT_S)
        return client
