"""Composition root: the only module that names adapters. Settings in, an engine out; nothing heavy is imported here
before it is used (Chroma and MLX load on first need)."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from impetus import __version__, config
from impetus.adapters import lora, machine, mlx_loader, store
from impetus.adapters.chroma_index import ChromaServer
from impetus.adapters.disk import Disk
from impetus.adapters.document_process import DocumentProcess
from impetus.adapters.document_store import SqliteDocumentStore
from impetus.adapters.draft_verdicts import DraftVerdictFiles
from impetus.adapters.git_history import GitHistory
from impetus.adapters.machine import MachinePower
from impetus.adapters.parse_pool import ParsePool
from impetus.adapters.sqlite_conversations import SqliteConversationStore
from impetus.adapters.sqlite_keys import SqliteKeyStore
from impetus.adapters.sqlite_tallies import SqliteTallyStore
from impetus.adapters.static_embedder import StaticEmbedder
from impetus.adapters.watchfiles_watcher import WatchfilesWatcher
from impetus.app_models import model_puller
from impetus.config import ChatSettings, CompletionSettings, EmbeddingSettings, IndexSettings, Settings
from impetus.domain.feedback import TallyStore
from impetus.domain.ports import Embedder, ModelWorker
from impetus.domain.types import Problem
from impetus.errors import ModelError
from impetus.languages import languages
from impetus.services.background import Background
from impetus.services.dispatcher import Backend, Dispatcher
from impetus.services.documents import Documents
from impetus.services.engine import Engine, Parts
from impetus.services.evaluation_history import History
from impetus.services.keys import Keys
from impetus.services.models import ModelRole, Models, RemoteModel
from impetus.services.neural import Neural
from impetus.services.repository import Repository, Store
from impetus.services.worker_embedder import WorkerEmbedder
from impetus.worker.index_process import IndexProcess
from impetus.worker.supervisor import Supervisor

_BUNDLED_COMPLETION = Path(__file__).parent / "data" / "models" / "impetus-fim-43m"

#: Thresholds of the garbage collector. Indexing makes many values that live; by default (700, 10, 10) looking through
#: them takes 7 % of a scan, and to look through all of them stops every thread for tens of milliseconds.
COLLECTOR = (20_000, 20, 20)

#: What a killed index worker leaves is cleaned up by the tracker of its processes, which would tell the person so.
_QUIET = "ignore::UserWarning:multiprocessing.resource_tracker"
_INDEX_WORKER = os.name != "nt"  # Windows hands no socket to a child

log = logging.getLogger(__name__)


async def create_engine(settings: Settings, problems: Sequence[str] = (), *, home: Path | None = None) -> Engine:
    """An engine whose state lies under `home`, by default `config.home()`. With a home of its own it keeps to that, and
    leaves a Chroma server alone.
    """
    gc.set_threshold(*COLLECTOR)
    server = chroma_server(settings.index) if home is None else None
    embedder = StaticEmbedder()
    if settings.embedding.model or settings.chat.draft_model:
        await asyncio.to_thread(machine.hardware)  # runs commands, and is remembered
    worker = _worker(settings)
    background = Background(MachinePower(), spare=not settings.models.background_on_battery)
    neural, said = _neural(settings.embedding, home or config.home(), worker)
    files, watcher = _Disks(), WatchfilesWatcher()
    parts = Parts(
        files_for=files.under,
        embedder=embedder,
        # Where there is an index worker, other processes are its to start.
        analyzer=ParsePool(1 if _INDEX_WORKER else settings.index.processes),
        watcher=watcher,
        models=_models(worker, background, home or config.home()),
        tallies=SqliteTallyStore((home or config.home()) / "stats.sqlite"),
        conversations=SqliteConversationStore((home or config.home()) / "conversations.sqlite"),
        repository_for=partial(_repository, home or config.home(), embedder, neural, server),
        documents=_documents(home or config.home(), embedder),
        neural=Neural(neural, background) if neural is not None else None,
        machine=machine,
        pull=model_puller(home or config.home()),
        problem_sources=(files, watcher, _Grammars()),
    )
    return Engine(settings, parts, (*problems, *said))


def open_history(directory: Path) -> History:
    """The past of the repository that holds `directory`."""
    return GitHistory(directory)


def open_keys() -> Keys:
    """The keys of the HTTP port; another process may change them at any time."""
    return Keys(SqliteKeyStore(config.home() / "keys.sqlite"))


def open_documents() -> Documents:
    """The documents of this machine; another process may change them at any time."""
    return _documents(config.home(), StaticEmbedder())


def open_tallies() -> TallyStore:
    """What became of suggestions on this machine."""
    return SqliteTallyStore(config.home() / "stats.sqlite")


def _documents(home: Path, embedder: Embedder) -> Documents:
    store = SqliteDocumentStore(home / "documents.sqlite", embedder)
    return Documents(store, DocumentProcess(), embedder)


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

    # -P: modules of the folder that we were started in must not stand in for ours.
    command = (sys.executable, "-P", "-W", _QUIET, "-m", "impetus.app_indexer", __version__)
    return Repository(folder.name, open_store, IndexProcess(command, folder) if _INDEX_WORKER else None)


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


class _Grammars:
    """Code without them is indexed all the same, as plain text, and only worse answers would tell."""

    def __init__(self) -> None:
        message = (
            "No grammars were found beside the server, so every file is indexed as plain text and no definitions are"
            " known; reinstall Impetus, or put the folder grammars next to server"
        )
        self._problems = () if languages() else (Problem("grammars", message),)
        for problem in self._problems:
            log.warning(problem.message)

    def problems(self) -> tuple[Problem, ...]:
        return self._problems


def _worker(settings: Settings) -> ModelWorker:
    # -P: modules of the folder that we were started in must not stand in for ours.
    limits = (str(settings.models.memory_mb), str(settings.models.cache_bits))
    command = (sys.executable, "-P", "-m", "impetus.app_worker", __version__, *limits)
    return Supervisor(command, idle_s=settings.models.idle_s)


def _models(worker: ModelWorker, background: Background, home: Path) -> Models:
    return Models(
        worker,
        background,
        connect=_remote_model,
        context_length=lambda folder: mlx_loader.context_length(mlx_loader.read_config(lora.base_of(folder))),
        bundled=_BUNDLED_COMPLETION,
        drafts=DraftVerdictFiles(home / "drafts", machine.hardware),
    )


def _remote_model(role: ModelRole, settings: ChatSettings | CompletionSettings) -> RemoteModel:
    from impetus.adapters.remote_generator import RemoteGenerator  # httpx is slow to import and seldom needed

    return RemoteGenerator(settings.base_url, settings.model, _key(settings.api_key_env), setting=role)


def _neural(settings: EmbeddingSettings, home: Path, worker: ModelWorker) -> tuple[Embedder | None, list[str]]:
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
    try:
        return _local_embedder(settings, home, worker), []
    except ModelError as error:
        return None, [f"{error}. Static vectors are used alone"]


def _local_embedder(settings: EmbeddingSettings, home: Path, worker: ModelWorker) -> Embedder:
    """The encoder in a folder, on whatever this machine computes it best with. Raises ModelError."""
    from impetus.adapters import coreml_embedder
    from impetus.adapters.local_embedder import LocalEmbedder
    from impetus.adapters.verdict_file import VerdictFile

    path = Path(settings.model).expanduser().absolute()
    local = partial(LocalEmbedder, path, query_prefix=settings.query_prefix, document_prefix=settings.document_prefix)
    cpu = local()
    backends = [Backend("CPU", cpu)]
    apple = sys.platform == "darwin"
    if settings.compute == "gpu" or (settings.compute == "auto" and apple):
        gpu = WorkerEmbedder(worker, path, cpu.id, cpu.dimensions, cpu.prefixes)
        backends.insert(0, Backend("GPU", gpu))
    if settings.compute == "auto" and apple:
        packages = home / "coreml"
        engine = local(coreml_embedder.backend(packages))
        placed = partial(coreml_embedder.placed, packages, cpu.id)
        backends.insert(0, Backend("Neural Engine", engine, lambda: min(placed().values())))
    verdicts = VerdictFile(home / "embedding-backends", cpu.id, machine.hardware())
    return Dispatcher(backends, verdicts, lambda: machine.conditions().heat())


def chroma_server(settings: IndexSettings) -> ChromaServer | None:
    return ChromaServer(settings.chroma_url, _key(settings.chroma_key_env)) if settings.chroma_url else None


def _key(variable: str) -> str:
    return os.environ.get(variable, "") if variable else ""
