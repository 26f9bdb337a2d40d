"""An embedder that a test holds back and breaks."""

import threading
from collections.abc import Sequence

import numpy as np

from impetus.domain.ports import Vectors
from impetus.errors import ModelError
from tests.support.embedder import HashEmbedder


class GatedEmbedder(HashEmbedder):
    """With `gate` closed every call waits for it. `broken` is raised, `poison` is a text that fails its batch."""

    def __init__(self, id: str = "gated-32", dimensions: int = 32) -> None:
        super().__init__(id, dimensions)
        self.gate = threading.Event()
        self.gate.set()
        self.broken: Exception | None = None
        self.poison = ""
        self.bad: float | None = None  # what every number of a vector is instead
        self.asked = threading.Event()  # set by every call
        self.queries: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self._pass()
        if self.poison and any(self.poison in text for text in texts):
            raise ModelError("this text cannot be embedded")
        vectors = super().embed(texts)
        return vectors if self.bad is None else np.full_like(vectors, self.bad)

    def embed_query(self, text: str) -> Vectors:
        self.queries.append(text)
        self._pass()
        return super().embed_query(text)

    def _pass(self) -> None:
        self.asked.set()
        self.gate.wait(30)
        if self.broken is not None:
            raise self.broken
