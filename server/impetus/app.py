"""Composition root: the only module that names adapters. Settings in, an engine out; nothing heavy is imported here
before it is used (Chroma and MLX load on first need)."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from impetus import config
from impetus.adapters import mlx_loader, store
from impetus.adapters.chroma_index import ChromaServer
from impetus.adapters.disk import Disk
from impetus.adapters.git_history import GitHistory
from impetus.adapters.machine_power import MachinePower
from impetus.adapters.parse_pool import ParsePool
from impetus.adapters.sqlite_keys import SqliteKeyStore
from impetus.adapters.sqlite_tallies import SqliteTallyStore
from impetus.adapters.static_embedder import StaticEmbedder
from impetus.adapters.watchfiles_watcher import WatchfilesWatcher
from impetus.config import ChatSettings, CompletionSettings, EmbeddingSettings, IndexSettings, Settings
from impetus.domain.feedback import TallyStore
from impetus.domain.ports import Embedder
from impetus.domain.types import Problem
from impetus.errors import ModelError
from impetus.services.background import Background
from impetus.services.engine import Engine, Parts
from impetus.services.evaluation_history import History
from impetus.services.keys import Keys
from impetus.services.models import ModelRole, Models, RemoteModel
from impetus.services.neural import Neural
from impetus.services.repository import Repository, Store
from impetus.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from impetus.adapters.local_embedder import Backend

_BUNDLED_COMPLETION = Path(__file__).parent / "data" / "models" / "fim-pilot-42m"


async def create_engine(settings: Settings, problems: Sequence[str] = (), *, home: Path | None = None) -> Engine:
    """An engine whose state lies under `home`, by default `config.home()`. With a home of its own it keeps to that, and
    leaves a Chroma server alone.
    """
    server = chroma_server(settings.index) if home is None else None
    embedder = StaticEmbedder()
    neural, said = _neural(settings.embedding, home or config.home())
    files, watcher = _Disks(), WatchfilesWatcher()
    parts = Parts(
        files_for=files.under,
        embedder=embedder,
        analyzer=ParsePool(settings.index.processes),
        watcher=watcher,
        models=_models(settings),
        tallies=SqliteTallyStore((home or config.home()) / "stats.sqlite"),
        repository_for=partial(_repository, home or config.home(), embedder, neural, server),
        neural=Neural(neural) if neural is not None else None,
        problem_sources=(files, watcher),
    )
    return Engine(settings, parts, (*problems, *said))


def open_history(directory: Path) -> History:
    """The past of the repository that holds `directory`."""
    return GitHistory(directory)


def open_keys() -> Keys:
    """The keys of the HTTP port; another process may change them at any time."""
    return Keys(SqliteKeyStore(config.home() / "keys.sqlite"))


def open_tallies() -> TallyStore:
    """What became of suggestions on this machine."""
    return SqliteTallyStore(config.home() / "stats.sqlite")


def _repository(
    home: Path, embedder: Embedder, neural: Embedder | None, server: ChromaServer | None, root: Path
) -> Repository:
    folder = store.folder_for(home, root)

    def open_store(fresh: bool) -> Store:
        if fresh:
            store.delete(folder)
        opened = store.OpenStore(folder, embedder, neural=neural, server=server, subject=store.subject_of(root))
        return Store(
            opened.reader, opened.writer, opened.vectors, opened.problems, opened.close, opened.ownable, opened.neural
        )

    return Repository(folder.name, open_store)


class _Disks:
    """One `Disk` for each set of index settings that a client has."""

    def __init__(self) -> None:
        self._made: dict[IndexSettings, Disk] = {}

    def under(self, settings: IndexSettings) -> Disk:
        if settings not in self._made:
            self._made[settings] = Disk(settings)
        return self._made[settings]

    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for disk in self._made.values() for problem in disk.problems())


def _models(settings: Settings) -> Models:
    # -P: modules of the folder that we were started in must not stand in for ours.
    command = (sys.executable, "-P", "-m", "impetus.app_worker", str(settings.models.memory_mb))
    return Models(
        Supervisor(command, idle_s=settings.models.idle_s),
        Background(MachinePower(), spare=not settings.models.background_on_battery),
        connect=_remote_model,
        context_length=lambda folder: mlx_loader.context_length(mlx_loader.read_config(folder)),
        bundled=_BUNDLED_COMPLETION,
    )


def _remote_model(role: ModelRole, settings: ChatSettings | CompletionSettings) -> RemoteModel:
    from impetus.adapters.remote_generator import RemoteGenerator  # httpx is slow to import and seldom needed

    return RemoteGenerator(settings.base_url, settings.model, _key(settings.api_key_env), setting=role)


def _neural(settings: EmbeddingSettings, home: Path) -> tuple[Embedder | None, list[str]]:
    """The neural embedder, if one is configured, and why it cannot be used."""
    if not settings.model:
        return None, ["embedding.base_url has no effect without embedding.model"] if settings.base_url else []
    query_prefix, document_prefix = settings.query_prefix, settings.document_prefix
    if settings.base_url:
        from impetus.adapters.remote_embedder import RemoteEmbedder

        key = _key(settings.api_key_env)
        remote = RemoteEmbedder(
            settings.base_url,
            settings.model,
            key,
            dimensions=settings.dimensions,
            query_prefix=query_prefix,
            document_prefix=document_prefix,
        )
        return remote, []
    from impetus.adapters.local_embedder import LocalEmbedder

    try:
        folder = Path(settings.model).expanduser()
        compute = _compute(settings, home)
        return LocalEmbedder(folder, compute, query_prefix=query_prefix, document_prefix=document_prefix), []
    except ModelError as error:
        return None, [f"{error}. Static vectors are used alone"]


def _compute(settings: EmbeddingSettings, home: Path) -> "Backend":
    if settings.compute == "neural-engine":
        from impetus.adapters import coreml_embedder

        return coreml_embedder.backend(home / "coreml")
    from impetus.adapters import numpy_encoder

    return numpy_encoder.backend


def chroma_server(settings: IndexSettings) -> ChromaServer | None:
    return ChromaServer(settings.chroma_url, _key(settings.chroma_key_env)) if settings.chroma_url else None


def _key(variable: str) -> str:
    return os.environ.get(variable, "") if variable else ""
