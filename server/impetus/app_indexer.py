"""The composition root of the index worker, a child of the engine: `python -m impetus.app_indexer VERSION --fd N`.

VERSION is the engine's. It reads, cuts and stores what a large scan finds, so that the engine goes on answering;
vectors are handed to the engine, which searches them. Nobody types this command; the engine does.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from impetus.domain.digest import digest

if TYPE_CHECKING:
    from impetus.adapters.parse_pool import Make
    from impetus.domain.ports import Embedder, VectorStore
    from impetus.domain.types import IndexProgress
    from impetus.worker.index_messages import Update

#: Seconds without an update after which the process ends: long enough for branches that are switched to and fro.
_IDLE_S = 20.0
#: Larger transactions than the engine's own: nobody waits for this process, and commits cost.
_BATCH_BYTES = 1_000_000

# What is needed is imported late: a parser process imports this module again, and needs nothing but `digest`.


def main() -> None:
    from impetus.adapters.static_embedder import StaticEmbedder
    from impetus.worker.index_child import run
    from impetus.worker.versions import outdated

    version, _, fd = sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if message := outdated(version):
        run(int(fd), lambda _update, _vectors: refused(message), idle_s=_IDLE_S)
        return
    embedder = StaticEmbedder()
    run(int(fd), lambda update, vectors: apply(update, vectors, embedder), idle_s=_IDLE_S)


def refused(message: str) -> "Iterator[IndexProgress]":
    from impetus.errors import IndexFailed

    raise IndexFailed(message)


def apply(
    update: "Update", vectors: "VectorStore", embedder: "Embedder", digest: "Make" = digest
) -> "Iterator[IndexProgress]":
    from impetus.adapters.disk import Disk
    from impetus.adapters.parse_pool import ParsePool
    from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
    from impetus.adapters.store import CATALOG
    from impetus.config import IndexSettings
    from impetus.services.indexer import Indexer

    settings = IndexSettings.model_validate(update.settings)
    analyzer = ParsePool(settings.processes, digest, careful=update.careful)
    with closing(SqliteCatalogWriter(Path(update.folder, CATALOG))) as catalog:
        root, files = Path(update.root), Disk(settings)
        indexer = Indexer(root, files, catalog, vectors, embedder, analyzer, batch_bytes=_BATCH_BYTES)
        yield from indexer.apply(update.changes, first=frozenset(update.first))


if __name__ == "__main__":
    main()
