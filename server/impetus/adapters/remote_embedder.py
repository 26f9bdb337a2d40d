"""Any OpenAI-compatible `/v1/embeddings` as the neural embedder: Ollama, llama.cpp, vLLM, LM Studio, OpenAI.

Waits and tries again when the server is busy. A vector that is not finite, is zero or has another length than the ones
before never leaves here.
"""

import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, cast

import httpx
import numpy as np

from impetus.adapters import openai_wire
from impetus.domain.ports import Vectors
from impetus.domain.prefixes import AUTO, prefixes
from impetus.errors import ModelError

#: Texts in one request; servers refuse more at different points, OpenAI at 2,048.
BATCH = 64
#: Waits between tries while a server is busy or starting, in seconds; `Retry-After` goes before.
PAUSES = (0.5, 1.0, 2.0, 4.0)
_LONGEST_PAUSE = 30.0
#: A server that loads its model at the first request takes long.
_TIMEOUT = httpx.Timeout(5.0, read=60.0)
#: A person waits for a query; past this the answer is of no use.
_QUERY_TIMEOUT = httpx.Timeout(2.0)
_AGAIN = (408, 409, 429, 500, 502, 503, 504)


class RemoteEmbedder:
    """Implements `Embedder`. `dimensions` are those of the vectors that came, until then those asked for (0: any).

    Two servers with one model name count as one vector space. `wait` sleeps between tries and returns True when it was
    woken because of `close`.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str = "",
        *,
        dimensions: int = 0,
        query_prefix: str = AUTO,
        document_prefix: str = AUTO,
        timeout: httpx.Timeout = _TIMEOUT,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._asked = dimensions
        self._dimensions = dimensions
        self._timeout = timeout
        self._prefixes = prefixes(model, query_prefix, document_prefix)
        mark = blake2b(f"{dimensions} {self._prefixes.document}".encode(), digest_size=4).hexdigest()
        self._id = f"{model}-{mark}"
        self._closed = threading.Event()
        self._wait = wait or self._closed.wait
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            trust_env=not openai_wire.on_this_machine(base_url),
        )

    @property
    def id(self) -> str:
        return self._id

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._dimensions), np.float32)
        prefixed = [self._prefixes.document + text for text in texts]
        parts = [
            self._ask(prefixed[start : start + BATCH], self._timeout, PAUSES)
            for start in range(0, len(prefixed), BATCH)
        ]
        return np.concatenate(parts)

    def embed_query(self, text: str) -> Vectors:
        return cast(Vectors, self._ask([self._prefixes.query + text], _QUERY_TIMEOUT, ())[0])

    def close(self) -> None:
        self._closed.set()
        self._client.close()

    def _ask(self, texts: list[str], timeout: httpx.Timeout, pauses: Sequence[float]) -> Vectors:
        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if self._asked:
            body["dimensions"] = self._asked
        left = list(pauses)
        while True:
            try:
                response = self._client.post(f"{self._base_url}/embeddings", json=body, timeout=timeout)
            except (httpx.HTTPError, httpx.InvalidURL, RuntimeError) as error:  # RuntimeError: closed meanwhile
                raise ModelError(
                    f"The embedding server at {self._base_url} cannot be used: {error or type(error).__name__}; start "
                    "it, or change embedding.base_url"
                ) from error
            if response.status_code not in _AGAIN or not left:
                break
            if self._wait(_pause(response, left.pop(0))):
                break
        if response.status_code >= 400:
            raise self._refusal(response)
        return self._vectors(response, len(texts))

    def _vectors(self, response: httpx.Response, count: int) -> Vectors:
        try:
            rows = sorted(response.json()["data"], key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in rows], np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"{self._base_url} does not answer like an OpenAI-compatible server; check embedding.base_url, which "
                "usually ends in /v1"
            ) from error
        if vectors.ndim != 2 or len(vectors) != count:
            raise ModelError(f"The embedding server gave {len(vectors)} vectors for {count} texts; see its log")
        expected = self._dimensions or vectors.shape[1]
        if vectors.shape[1] != expected:
            raise ModelError(
                f"The embedding server gave vectors of {vectors.shape[1]} numbers instead of {expected}; check "
                "embedding.model and embedding.dimensions"
            )
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not (lengths > 0).all():
            raise ModelError(
                "The embedding server gave vectors that are zero or not finite; its model does not work on its machine"
            )
        self._dimensions = expected
        return cast(Vectors, (vectors / lengths).astype(np.float32))

    def _refusal(self, response: httpx.Response) -> ModelError:
        try:
            said = openai_wire.message(response.json())
        except ValueError:
            said = response.text.strip()[:200]
        status = response.status_code
        if status in (401, 403):
            advice = "set the variable that embedding.api_key_env names to a valid key"
        elif status == 404:
            advice = "check embedding.base_url and embedding.model"
        else:
            advice = "see the server's log" if status >= 500 else "check embedding.model"
        return ModelError(
            f"The embedding server at {self._base_url} refused the request ({status}): "
            f"{said or response.reason_phrase}; {advice}"
        )


def _pause(response: httpx.Response, default: float) -> float:
    """Seconds to wait; a `Retry-After` with a date is not worth a clock."""
    asked = response.headers.get("retry-after", "")
    return min(float(asked), _LONGEST_PAUSE) if asked.replace(".", "", 1).isdigit() else default
