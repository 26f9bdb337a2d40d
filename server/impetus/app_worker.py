"""The composition root of the model worker, a child of the engine: `python -m impetus.app_worker MEGABYTES --fd N`.

MEGABYTES is the setting `models.memory_mb`. Nobody types this command; the engine does.
"""

import logging
import sys
from functools import partial

from impetus.adapters.mlx_model import clear_streams, load_model
from impetus.domain.ports import Embedder
from impetus.errors import NotFound
from impetus.worker import memory
from impetus.worker.main import run
from impetus.worker.residency import Machine


def main() -> None:
    megabytes, _, fd = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # Without Metal, weights are computed as float32, whatever they are on disk.
    machine = Machine(
        memory.available, partial(memory.needed, float32=sys.platform != "darwin"), memory.limit(int(megabytes))
    )
    run(int(fd), load_model, _embedder, machine, clear_streams)


def _embedder(name: str) -> Embedder:
    raise NotFound(f"There is no embedder {name!r} in the model process; the static one works without it")


if __name__ == "__main__":
    main()
