"""The large index on a Chroma server, over its HTTP interface (v2).

Chroma's own client is not used: it waits without end for a server that hangs, does not close its connections, and costs
a second to import. Seven requests are all that is needed.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, ClassVar, Final

import httpx

from impetus.adapters import openai_wire
from impetus.adapters.chroma_index import BATCH, HNSW, ChromaServer
from impetus.domain.ports import Vectors

_CONNECT_S: Final = 2.0
_QUERY_S: Final = 1.5
_COLLECTIONS = "/api/v2/tenants/default_tenant/databases/default_database/collections"


class ServerIndex:
    """Implements `LargeIndex`. Ids are hashes of content, so colleagues who store one chunk mean the same vector."""

    shared: ClassVar[bool] = True

    def __init__(self, server: ChromaServer, subject: str, embedder_id: str) -> None:
        """`subject` is what colleagues share, a repository; each embedder has a collection of its own."""
        self.key = self.place = server.url.rstrip("/")
        self.generation = 0
        self.identity = ""
        self.name = f"impetus-{blake2b(f'{subject} {embedder_id}'.encode(), digest_size=12).hexdigest()}"
        self._url = self.place + _COLLECTIONS
        self._embedder_id = embedder_id
        self._server = server
        self._client: httpx.Client | None = None

    @property
    def is_open(self) -> bool:
        return self._client is not None

    def open(self) -> None:
        client = httpx.Client(
            headers={"Authorization": f"Bearer {self._server.key}"} if self._server.key else {},
            timeout=httpx.Timeout(self._server.timeout_s, connect=_CONNECT_S),
            trust_env=not openai_wire.on_this_machine(self.place),
        )
        body = {
            "name": self.name,
            "metadata": {"embedder": self._embedder_id},
            "configuration": {"hnsw": HNSW},
            "get_or_create": True,
        }
        try:
            self.identity = _answer(client.post(self._url, json=body))["id"]
        except BaseException:
            client.close()
            raise
        self._client = client
        self.generation += 1

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._ask("upsert", {"ids": list(ids), "embeddings": vectors.tolist()})

    def query(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """Somebody waits for this one, so it is given up sooner."""
        body = {"query_embeddings": [vector.tolist()], "n_results": limit, "include": ["distances"]}
        answer = self._ask("query", body, timeout=min(_QUERY_S, self._server.timeout_s))
        return [(key, 1.0 - d) for key, d in zip(answer["ids"][0], answer["distances"][0], strict=True)]

    def count(self) -> int:
        return int(self._ask("count"))

    def held(self, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(ids), BATCH):
            found.update(self._ask("get", {"ids": list(ids[start : start + BATCH]), "include": []})["ids"])
        return found

    def delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), BATCH):
            self._ask("delete", {"ids": list(ids[start : start + BATCH])})

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self.generation += 1

    def discard(self) -> None:
        """A server is only let go of: what it holds is not ours alone."""
        self.close()

    def _ask(self, what: str, body: dict[str, Any] | None = None, timeout: float | None = None) -> Any:
        client = self._client
        if client is None:
            raise httpx.NetworkError("closed")
        path = f"{self._url}/{self.identity}/{what}"
        limit = httpx.Timeout(timeout or self._server.timeout_s, connect=_CONNECT_S)
        return _answer(client.get(path, timeout=limit) if body is None else client.post(path, json=body, timeout=limit))


def _answer(response: httpx.Response) -> Any:
    if response.status_code >= 400:
        try:
            said = response.json()["message"]
        except (ValueError, KeyError, TypeError):
            said = response.text[:200]
        raise httpx.HTTPStatusError(
            f"{response.status_code} {said}", request=response.request, response=response
        ) from None
    return response.json()
