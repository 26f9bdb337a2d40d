"""The composition root of the model worker, a child of the engine.

`python -m impetus.app_worker VERSION MB BITS --fd N`: VERSION is the engine's, MB is the setting `models.memory_mb`,
BITS is `models.cache_bits`. Nobody types this command; the engine does.
"""

import logging
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

from impetus.adapters import lora, mlx_encoder
from impetus.adapters.local_embedder import LocalEmbedder
from impetus.adapters.mlx_model import clear_cache, clear_streams, load_model
from impetus.domain.ports import Embedder
from impetus.errors import ModelError
from impetus.worker import memory
from impetus.worker.main import run
from impetus.worker.residency import Machine
from impetus.worker.versions import outdated


def main() -> None:
    version, *numbers, _, fd = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if message := outdated(version):
        refuse = partial(_refuse, message)
        run(int(fd), refuse, refuse, Machine(memory.available, lambda _folder: 0, memory.limit(0), clear_cache))
        return
    megabytes, bits = numbers
    machine = Machine(memory.available, _needed, memory.limit(int(megabytes)), clear_cache)
    load = partial(load_model, prefix_bytes=machine.caches, cache_bits=int(bits))
    run(int(fd), load, _embedder, machine, clear_streams)


def _refuse(message: str, _name: object) -> NoReturn:
    raise ModelError(message)


def _needed(folder: Path) -> int:
    """Without Metal, weights are computed as float32, whatever they are on disk."""
    try:
        base = lora.base_of(folder)
    except ModelError:
        return 0  # loading it says better what is wrong
    needed = partial(memory.needed, float32=sys.platform != "darwin")
    return needed(base) + (needed(folder) if base != folder else 0)


def _embedder(folder: str) -> Embedder:
    """The encoder in a folder. Texts come with their prefixes."""
    return LocalEmbedder(Path(folder), mlx_encoder.backend, query_prefix="", document_prefix="")


if __name__ == "__main__":
    main()
