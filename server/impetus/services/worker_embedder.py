"""An embedding model that the worker computes, as an `Embedder` for threads other than the event loop's."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import cast

import numpy as np

from impetus.domain.ports import ModelWorker, Vectors
from impetus.domain.prefixes import Prefixes
from impetus.errors import EngineStopped, ModelError

#: A batch takes a second; whoever waits so long waits for an event loop that is gone.
_PATIENCE_S = 120.0


class WorkerEmbedder:
    """Implements `Embedder`. Made on the event loop that runs `worker`, and never used there: it waits for it."""

    def __init__(self, worker: ModelWorker, folder: Path, id: str, dimensions: int, prefixes: Prefixes) -> None:
        self.id = id
        self.dimensions = dimensions
        self._worker = worker
        self._name = str(folder)
        self._prefixes = prefixes
        self._loop = asyncio.get_running_loop()

    def embed(self, texts: Sequence[str]) -> Vectors:
        return self._embed([self._prefixes.document + text for text in texts])

    def embed_query(self, text: str) -> Vectors:
        return cast(Vectors, self._embed([self._prefixes.query + text])[0])

    def _embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        work = self._worker.embed(self._name, texts)
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)
        except (RuntimeError, CancelledError) as error:
            work.close()
            raise EngineStopped("Impetus is shutting down") from error
        except TimeoutError as error:
            raise ModelError(f"The model process has not answered for {_PATIENCE_S:.0f} s; ask again") from error
