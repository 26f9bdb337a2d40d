"""A neural embedder on this machine's CPU: an encoder's folder, its tokenizer and numpy.

It takes one core: it works in the background, and threads of a BLAS that share a busy machine wait for each other (four
times as long for a query on two cores under load).
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from impetus.adapters import numpy_encoder
from impetus.adapters.encoder_folder import Encoder, EncoderFolder, Tokens
from impetus.domain.ports import Vectors
from impetus.domain.prefixes import AUTO


class LocalEmbedder:
    """Implements `Embedder`. Weights are read by the first text. Safe to use from several threads."""

    def __init__(self, folder: Path, *, query_prefix: str = AUTO, document_prefix: str = AUTO) -> None:
        self._folder = EncoderFolder(folder, query_prefix, document_prefix)
        self._lock = threading.Lock()
        self._loaded: tuple[Encoder, Tokens] | None = None

    @property
    def id(self) -> str:
        return self._folder.id

    @property
    def dimensions(self) -> int:
        return self._folder.dimensions

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
        encoder, tokens = self._load()
        return numpy_encoder.encode(encoder, tokens.encode(texts), self._folder.pooling)

    def _load(self) -> tuple[Encoder, Tokens]:
        with self._lock:
            if self._loaded is None:
                _use_one_core()
                self._loaded = self._folder.load(), self._folder.tokenizer()
            return self._loaded


def _use_one_core() -> None:
    """Of numpy's own BLAS alone: another one in this process belongs to a model runtime."""
    from threadpoolctl import ThreadpoolController

    for library in ThreadpoolController().lib_controllers:
        if "numpy" in library.filepath:
            library.set_num_threads(1)
