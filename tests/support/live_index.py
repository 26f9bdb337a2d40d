"""A root indexed as the engine does it, without an engine: real store, real scan, one change path."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from impetus import __version__
from impetus.adapters import store
from impetus.adapters.disk import Disk
from impetus.adapters.parse_pool import ParsePool
from impetus.config import IndexSettings
from impetus.domain.ports import Embedder, IndexWorker
from impetus.services.neural import Neural
from impetus.services.repository import Repository, Store
from impetus.services.root_index import RootIndex
from impetus.worker.index_process import IndexProcess


def opener(folder: Path, embedder: Embedder, neural: Embedder | None = None) -> Callable[[bool], Store]:
    def open_store(fresh: bool) -> Store:
        if fresh:
            store.delete(folder)
        opened = store.OpenStore(folder, embedder, neural=neural)
        return Store(
            opened.reader, opened.writer, opened.vectors, opened.problems, opened.close, opened.ownable, opened.neural
        )

    return open_store


def repository_in(
    folder: Path, embedder: Embedder, neural: Embedder | None = None, worker: IndexWorker | None = None
) -> Repository:
    return Repository(folder.name, opener(folder, embedder, neural), worker)


def index_worker(folder: Path) -> IndexProcess:
    """The engine's own, for the index in `folder`; it embeds with the static embedder."""
    return IndexProcess((sys.executable, "-m", "impetus.app_indexer", __version__), folder)


@asynccontextmanager
async def live_index(
    home: Path,
    root: Path,
    embedder: Embedder,
    *,
    settings: IndexSettings | None = None,
    on_change: Callable[[], None] = lambda: None,
    repository: Repository | None = None,
    neural: Neural | None = None,
    open_first: Callable[[], set[str]] = set,
) -> AsyncIterator[RootIndex]:
    """Open the index of `root` under `home` and start it; the caller waits for `idle()`.

    A second root of the same repository is given the first one's `repository`, as the engine would.
    """
    settings = settings or IndexSettings()
    own = repository is None
    repository = repository or repository_in(store.folder_for(home, root), embedder, neural and neural.embedder)
    await repository.open()
    index = RootIndex(root, repository, Disk(settings), embedder, ParsePool(1), None, settings, on_change, neural)
    index.users.append(lambda _root: open_first())
    index.start()
    try:
        yield index
    finally:
        await index.close()
        if own:
            await repository.close()
