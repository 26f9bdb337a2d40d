"""What all clients of one process share: the indexes, the models, the status. Sessions are its clients' views."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from impetus.config import IndexSettings, Settings
from impetus.domain.conversations import ConversationStore
from impetus.domain.feedback import TallyStore
from impetus.domain.hardware import Conditions, Hardware
from impetus.domain.ports import (
    Analyzer,
    CatalogCounts,
    Embedder,
    FileSource,
    Machine,
    ProblemSource,
    Vectors,
    Watcher,
)
from impetus.domain.types import EngineStatus, ModelState, Problem, ScanReport, SkippedFile
from impetus.errors import EngineStopped, ImpetusError, NotFound
from impetus.services.conversations import Conversations
from impetus.services.dispatcher import BackendState
from impetus.services.documents import Documents
from impetus.services.engine_status import summed_up
from impetus.services.feedback import Feedback
from impetus.services.files import RootFiles
from impetus.services.filling import filling_state
from impetus.services.models import ModelPull, Models, SessionModels
from impetus.services.neural import Neural
from impetus.services.repository import Repository
from impetus.services.retriever import Retriever
from impetus.services.root_index import OpenPaths, RootIndex

log = logging.getLogger(__name__)

#: The status is told at most this often, in seconds; the last change is never lost.
_STATUS_INTERVAL = 0.2


@dataclass(frozen=True, slots=True)
class Parts:
    """The adapters an engine works with; made by the composition root."""

    files_for: Callable[[IndexSettings], FileSource]  # the same object for the same settings
    embedder: Embedder
    analyzer: Analyzer
    watcher: Watcher | None
    models: Models
    tallies: TallyStore
    repository_for: Callable[[Path], Repository]
    documents: Documents
    conversations: ConversationStore
    pull: ModelPull
    neural: Neural | None = None
    machine: Machine | None = None
    problem_sources: tuple[ProblemSource, ...] = ()  # adapters that say when they are degraded


class Engine:
    """`settings` are what a client without settings of its own gets, and those of the engine itself."""

    def __init__(self, settings: Settings, parts: Parts, problems: Sequence[str] = ()) -> None:
        self.settings = settings
        self._parts = parts
        self._problems = tuple(Problem("settings", message) for message in problems)
        self._troubles: dict[str, Problem] = {}  # by subject, told by who runs this engine
        self._repositories: dict[str, Repository] = {}
        self._indexes: dict[Path, RootIndex] = {}
        #: By repository: one that is closed lets go of its files before it is opened again.
        self._gates: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._listeners: list[Callable[[EngineStatus], None]] = []
        self._telling: asyncio.TimerHandle | None = None
        self._closed = False
        self.files = RootFiles(self._files_of)
        self.models = parts.models
        self.models.subscribe(self._changed)
        self.retriever = Retriever(self._repository_of, self.files, parts.embedder, self._note_stale, parts.neural)
        self.feedback = Feedback(parts.tallies)
        self.documents = parts.documents
        self.conversations = Conversations(parts.conversations)
        self.pull = parts.pull

    @property
    def embedding_id(self) -> str:
        return self._parts.embedder.id

    # -- roots ---------------------------------------------------------------------------------------------------------

    async def open_root(self, root: Path, settings: IndexSettings, client: OpenPaths) -> None:
        """Index and watch `root` (absolute); returns at once, the index follows.

        Opening again only counts: an index keeps the settings of its first client until all have left it.
        """
        repository = await asyncio.to_thread(self._repository_for, root)
        async with self._gates[repository.key]:
            self._check_open()
            index = self._indexes.get(root)
            if index is None:
                index = await self._new_index(root, repository, settings)
            else:
                await index.repository.open()  # where it could not be built anew
            index.users.append(client)

    def _repository_for(self, root: Path) -> Repository:
        try:
            if root.is_dir():
                return self._parts.repository_for(root)
        except OSError as error:
            raise NotFound(
                f"The folder {root} cannot be opened: {error.strerror}; make it readable, or open another"
            ) from error
        raise NotFound(f"The folder {root} does not exist; open one that does")

    async def _new_index(self, root: Path, repository: Repository, settings: IndexSettings) -> RootIndex:
        repository = self._repositories.setdefault(repository.key, repository)
        index = RootIndex(
            root,
            repository,
            self._parts.files_for(settings),
            self._parts.embedder,
            self._parts.analyzer,
            self._parts.watcher if settings.watch else None,
            settings,
            self._changed,
            self._parts.neural,
        )
        repository.users += 1
        try:
            await repository.open()
        except ImpetusError:
            await self._leave(repository)
            raise
        self._indexes[root] = index
        if settings.enable:
            index.start()
        elif index.filling is not None:
            await index.filling.measure()
        return index

    async def close_root(self, root: Path, client: OpenPaths) -> None:
        """`client` is what opened it."""
        index = self._indexes.get(root)
        if index is None:
            return
        async with self._gates[index.repository.key]:
            index.users.remove(client)
            if index.users:
                return
            del self._indexes[root]
            await index.close()
            await self._leave(index.repository)
        self._changed()

    async def _leave(self, repository: Repository) -> None:
        repository.users -= 1
        if repository.users == 0:
            del self._repositories[repository.key]
            await repository.close()

    @property
    def roots(self) -> tuple[Path, ...]:
        """The open folders of all clients."""
        return tuple(self._indexes)

    def index(self, root: Path) -> RootIndex:
        try:
            return self._indexes[root]
        except KeyError:
            raise NotFound(f"{root} is not an open workspace folder; open it first") from None

    def index_settings(self, root: Path) -> IndexSettings | None:
        """Those that the index of an open root has; None when it is not open."""
        index = self._indexes.get(root)
        return index.settings if index is not None else None

    async def rebuild(self, root: Path) -> None:
        index = self.index(root)
        await index.repository.rebuild()
        for other in self._indexes.values():
            if other.repository is index.repository:
                other.note([other.root])

    async def counts(self, root: Path) -> CatalogCounts:
        repository = self.index(root).repository
        return await repository.run(lambda: repository.store.reader.counts(root))

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self._parts.embedder.embed, texts)

    async def dry_run(self, root: Path, settings: IndexSettings) -> ScanReport:
        """What an index of `root` would hold, content rules applied, nothing written."""
        files = self._parts.files_for(settings)

        def look() -> ScanReport:
            report = files.scan(root)
            kept, skipped, problems = dict(report.files), list(report.skipped), list(report.problems)
            for path in report.files:
                try:
                    reason = files.reject(path, files.read(root, path))
                except NotFound as error:
                    problems.append(Problem(path, str(error)))
                    continue
                if reason:
                    del kept[path]
                    skipped.append(SkippedFile(path, reason))
            return ScanReport(root, kept, tuple(sorted(skipped, key=lambda s: s.path)), tuple(problems))

        return await asyncio.to_thread(look)

    def _repository_of(self, root: Path) -> Repository | None:
        index = self._indexes.get(root)
        return index.repository if index else None

    def _files_of(self, root: Path) -> FileSource:
        index = self._indexes.get(root)
        return index.files if index is not None else self._parts.files_for(self.settings.index)

    def _note_stale(self, path: Path) -> None:
        for index in self._indexes.values():
            if path.is_relative_to(index.root):
                index.note([path])

    # -- status --------------------------------------------------------------------------------------------------------

    def status(
        self,
        roots: Collection[Path] | None = None,
        models: SessionModels | None = None,
        problems: Sequence[Problem] = (),
    ) -> EngineStatus:
        """Of these roots, models and problems; by default of all roots, with the models of the engine's settings."""
        shown = [index for root, index in self._indexes.items() if roots is None or root in roots]
        return summed_up(
            tuple(index.progress for index in shown),
            (
                *(models or self.models.named_by(self.settings)).states(),
                ModelState("embedding", self._parts.embedder.id, "ready"),
                *self._neural_state(),
            ),
            (
                *self._problems,
                *problems,
                *(
                    p
                    for repository in dict.fromkeys(index.repository for index in shown)
                    for p in repository.problems()
                ),
                *self._troubles.values(),
                *(p for source in self._parts.problem_sources for p in source.problems()),
            ),
        )

    def set_problem(self, subject: str, message: str) -> None:
        """Show a problem of something around the engine; an empty message takes it back."""
        self._troubles.pop(subject, None)
        if message:
            self._troubles[subject] = Problem(subject, message)
        self._changed()

    def _neural_state(self) -> tuple[ModelState, ...]:
        if self._parts.neural is None:
            return ()
        fillings = [index.filling.filled for index in self._indexes.values() if index.filling is not None]
        return (filling_state(self._parts.neural, fillings),)

    async def machine(self) -> tuple[Hardware, Conditions] | None:
        """What this machine is and how it fares, as far as its system says."""
        machine = self._parts.machine
        return await asyncio.to_thread(lambda: (machine.hardware(), machine.conditions())) if machine else None

    def embedding_backends(self) -> tuple[BackendState, ...]:
        """Where the neural embedder may be computed, the preferred backend first; empty without one of our own."""
        return self._parts.neural.backends if self._parts.neural is not None else ()

    async def try_embedding_backends(self) -> tuple[BackendState, ...]:
        """`embedding_backends`, after each had the chance to prove itself. Raises ModelError."""
        if self._parts.neural is not None:
            await asyncio.to_thread(self._parts.neural.try_backends)
        return self.embedding_backends()

    def embedders(self) -> Mapping[str, Embedder]:
        """Everything that computes vectors here, by where it does; for measurements."""
        neural = self._parts.neural.embedders() if self._parts.neural is not None else {}
        return {"CPU (static)": self._parts.embedder, **neural}

    def touch(self) -> None:
        """Somebody types: work in the background waits."""
        if self._parts.neural is not None:
            self._parts.neural.touch()

    def subscribe(self, listener: Callable[[EngineStatus], None]) -> Callable[[], None]:
        """Call `listener` on the event loop after changes, throttled; returns what ends it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def _changed(self) -> None:
        if self._telling is None and self._listeners:
            self._telling = asyncio.get_running_loop().call_later(_STATUS_INTERVAL, self._tell)

    def _tell(self) -> None:
        self._telling = None
        status = self.status()
        for listener in tuple(self._listeners):
            try:
                listener(status)
            except Exception:
                log.exception("a status listener failed")

    # -- life ----------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise EngineStopped("Impetus is shutting down; start it again")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._telling is not None:
            self._telling.cancel()
        for index in self._indexes.values():
            await index.close()
        if self._parts.neural is not None:
            self._parts.neural.close()
        await self.models.close()
        await self.feedback.close()
        await self.documents.close()
        for repository in self._repositories.values():
            await repository.close()
        self._indexes.clear()
        self._repositories.clear()
