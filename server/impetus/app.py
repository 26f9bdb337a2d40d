"""Composition root: the only module that names adapters. Settings in, an engine out; nothing heavy is imported here
before it is used (Chroma and MLX load on first need)."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from impetus import config
from impetus.adapters import mlx_loader, store
from impetus.adapters.disk import Disk
from impetus.adapters.git_history import GitHistory
from impetus.adapters.machine_power import MachinePower
from impetus.adapters.parse_pool import ParsePool
from impetus.adapters.sqlite_keys import SqliteKeyStore
from impetus.adapters.sqlite_tallies import SqliteTallyStore
from impetus.adapters.static_embedder import StaticEmbedder
from impetus.adapters.watchfiles_watcher import WatchfilesWatcher
from impetus.config import ChatSettings, CompletionSettings, IndexSettings, Settings
from impetus.domain.feedback import TallyStore
from impetus.domain.ports import Embedder
from impetus.domain.types import Problem
from impetus.services.background import Background
from impetus.services.engine import Engine, Parts
from impetus.services.evaluation_history import History
from impetus.services.keys import Keys
from impetus.services.models import ModelRole, Models, RemoteModel
from impetus.services.repository import Repository, Store
from impetus.worker.supervisor import Supervisor

_BUNDLED_COMPLETION = Path(__file__).parent / "data" / "models" / "fim-pilot-42m"


async def create_engine(settings: Settings, problems: Sequence[str] = (), *, home: Path | None = None) -> Engine:
    """An engine whose state lies under `home`, by default `config.home()`."""
    embedder = StaticEmbedder()
    files, watcher = _Disks(), WatchfilesWatcher()
    parts = Parts(
        files_for=files.under,
        embedder=embedder,
        analyzer=ParsePool(settings.index.processes),
        watcher=watcher,
        models=_models(settings),
        tallies=SqliteTallyStore((home or config.home()) / "stats.sqlite"),
        repository_for=partial(_repository, home or config.home(), embedder),
        problem_sources=(files, watcher),
    )
    return Engine(settings, parts, problems)


def open_history(directory: Path) -> History:
    """The past of the repository that holds `directory`."""
    return GitHistory(directory)


def open_keys() -> Keys:
    """The keys of the HTTP port; another process may change them at any time."""
    return Keys(SqliteKeyStore(config.home() / "keys.sqlite"))


def open_tallies() -> TallyStore:
    """What became of suggestions on this machine."""
    return SqliteTallyStore(config.home() / "stats.sqlite")


def _repository(home: Path, embedder: Embedder, root: Path) -> Repository:
    folder = store.folder_for(home, root)

    def open_store(fresh: bool) -> Store:
        if fresh:
            store.delete(folder)
        opened = store.OpenStore(folder, embedder)
        return Store(
            opened.reader, opened.writer, opened.vectors, opened.vectors.problems, opened.close, opened.ownable
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


def _key(variable: str) -> str:
    return os.environ.get(variable, "") if variable else ""
