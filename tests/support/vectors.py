"""A vector store in a dictionary; what the real one must agree with."""

from collections.abc import Sequence

import numpy as np

from impetus.domain.ports import Vectors


class MemoryVectorStore:
    def __init__(self) -> None:
        self._vectors: dict[str, Vectors] = {}
        self._empty: set[str] = set()
        self.on_lost = lambda: None

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        for key, vector in zip(ids, vectors, strict=True):
            if not np.isfinite(vector).all():
                continue
            if vector.any():
                self._vectors.setdefault(key, vector)
            else:
                self._empty.add(key)

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        scored = [(key, float(other @ vector)) for key, other in self._vectors.items()]
        return sorted(scored, key=lambda hit: -hit[1])[:limit]

    def missing(self, ids: Sequence[str]) -> set[str]:
        return set(ids) - self._vectors.keys() - self._empty

    def adopt(self, ids: Sequence[str]) -> None:
        pass

    def __len__(self) -> int:
        return len(self.ids())

    def ids(self) -> set[str]:
        return self._vectors.keys() | self._empty

    def remove(self, ids: Sequence[str]) -> None:
        for key in ids:
            self._vectors.pop(key, None)
            self._empty.discard(key)

    def settle(self) -> bool:
        return False
