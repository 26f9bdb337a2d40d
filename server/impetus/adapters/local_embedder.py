"""A neural embedder on this machine: an encoder's folder, its tokenizer, and whatever computes it.

All backends of one folder give one vector space, so they share the folder's id and may take each other's place.
"""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from impetus.adapters import numpy_encoder
from impetus.adapters.encoder_folder import EncoderFolder, Tokens
from impetus.domain.ports import Vectors
from impetus.domain.prefixes import AUTO, Prefixes

#: Rows of token ids to unit vectors, (rows, width) float32.
Encode = Callable[[Sequence[Sequence[int]]], Vectors]
#: Loads what it computes with. Raises ModelError.
Backend = Callable[[EncoderFolder], Encode]


class LocalEmbedder:
    """Implements `Embedder`. Weights are read by the first text. As safe to use from several threads as its backend."""

    def __init__(
        self,
        folder: Path,
        backend: Backend = numpy_encoder.backend,
        *,
        query_prefix: str = AUTO,
        document_prefix: str = AUTO,
    ) -> None:
        self._folder = EncoderFolder(folder, query_prefix, document_prefix)
        self._backend = backend
        self._lock = threading.Lock()
        self._loaded: tuple[Encode, Tokens] | None = None

    @property
    def id(self) -> str:
        return self._folder.id

    @property
    def dimensions(self) -> int:
        return self._folder.dimensions

    @property
    def prefixes(self) -> Prefixes:
        return self._folder.prefixes

    def embed(self, texts: Sequence[str]) -> Vectors:
        prefix = self._folder.prefixes.document
        return self._embed([prefix + text for text in texts])

    def embed_query(self, text: str) -> Vectors:
        return cast(Vectors, self._embed([self._folder.prefixes.query + text])[0])

    def close(self) -> None:
        """Give the memory back; the next text loads again."""
        self._loaded = None

    def _embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        encode, tokens = self._load()
        return encode(tokens.encode(texts))

    def _load(self) -> tuple[Encode, Tokens]:
        with self._lock:
            if self._loaded is None:
                self._loaded = self._backend(self._folder), self._folder.tokenizer()
            return self._loaded
