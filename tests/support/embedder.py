"""A real, tiny embedder for tests: words hashed into a few dimensions. Deterministic, no data, same contract."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from impetus.domain.ports import Vectors
from impetus.domain.tokens import words


class HashEmbedder:
    def __init__(self, id: str = "hash-64", dimensions: int = 64) -> None:
        self.id = id
        self.dimensions = dimensions
        self.embedded: list[str] = []  # every text that was embedded, for tests that count work

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.embedded += texts
        return np.stack([self._vector(text) for text in texts]) if texts else np.zeros((0, self.dimensions), np.float32)

    def embed_query(self, text: str) -> Vectors:
        return self._vector(text)

    def _vector(self, text: str) -> Vectors:
        vector = np.zeros(self.dimensions, np.float32)
        for word in words(text):
            digest = blake2b(word.encode(), digest_size=8).digest()
            vector[digest[0] % self.dimensions] += 1.0 if digest[1] & 1 else -1.0
        norm = float(np.linalg.norm(vector))
        return vector / np.float32(norm) if norm else vector
