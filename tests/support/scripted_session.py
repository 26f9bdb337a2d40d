"""A session that answers by script: what the HTTP port and the command line are tested against without an engine."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from impetus.config import Settings
from impetus.domain.conversations import Conversation, Item
from impetus.domain.feedback import Tally
from impetus.domain.hardware import Conditions, Hardware
from impetus.domain.ports import CatalogCounts, Vectors
from impetus.domain.types import (
    AnswerEvent,
    ChatTurn,
    Completion,
    Cursor,
    Delta,
    EngineStatus,
    Finish,
    FinishReason,
    FollowUp,
    Health,
    Hit,
    IndexProgress,
    Message,
    ModelState,
    Related,
    ScanReport,
    SearchQuery,
    Source,
    Sources,
    Step,
    SymbolHit,
    Usage,
)
from impetus.errors import BadRequest, NotFound
from impetus.services.conversations import Conversations
from impetus.services.dispatcher import BackendState
from impetus.services.drafts import Draft
from impetus.services.feedback import Feedback
from impetus.services.models import ModelPull, PullStep
from impetus.services.workspace import OpenDocuments
from tests.support.documents import documents_in
from tests.support.fakes import FakeFiles, FakeRetrieval, FakeWorker, fake_models

ROOT = Path("/project")

MODELS = (ModelState("chat", "scripted-chat", "ready"), ModelState("completion", "scripted-fim", "not loaded"))

HIT = Hit(ROOT, "src/app.py", 3, 5, 0.9, "def run():\n    start()\n    stop()", "python", "run", "function")


def answer(text: str = "It runs [1].", *, model: str = "scripted", cited: bool = True) -> list[AnswerEvent]:
    source = Source(1, HIT)
    words = text.split(" ")
    deltas = [Delta(word if number == 0 else f" {word}") for number, word in enumerate(words)]
    finish = Finish(FinishReason.STOP, model, Usage(7, len(words), 2), (source,) if cited else ())
    return [Sources((source,)), *deltas, finish]


@dataclass
class Script:
    """What the session says. An exception in place of events is raised when its turn comes."""

    events: Sequence[AnswerEvent | Exception] = field(default_factory=answer)
    steps: Sequence[Step | Exception] = ()
    hits: Sequence[Hit] = (HIT,)
    related: Sequence[Related] = (Related("caller", HIT), Related("similar", HIT))
    completion: Completion | None = None
    others: Sequence[Completion] = ()
    follow_ups: Sequence[FollowUp] = ()
    counts: CatalogCounts = field(default_factory=lambda: CatalogCounts(2, 5, {"python": 2}))
    report: ScanReport = field(default_factory=lambda: ScanReport(ROOT))
    phases: Sequence[IndexProgress] = ()
    status: EngineStatus = field(default_factory=lambda: EngineStatus(Health.OK, "Ready", models=MODELS))
    machine: tuple[Hardware, Conditions] = (Hardware("Linux"), Conditions())
    backends: Sequence[BackendState] = ()
    chat_context: int | None = 4096  # None: no chat model
    embedding_fails: Exception | None = None
    stall_after: int | None = None  # events after which the stream waits until it is closed


class MemoryTallies:
    def __init__(self) -> None:
        self.tallies: list[Tally] = []

    def add(self, tally: Tally) -> None:
        self.tallies.append(tally)

    def all(self) -> list[Tally]:
        return self.tallies


class MemoryConversations:
    def __init__(self) -> None:
        self._all: dict[str, Conversation] = {}  # in the order in which they were begun
        self._items: list[tuple[str, Item]] = []

    def add(self, conversation: Conversation) -> None:
        self._all[conversation.id] = conversation

    def get(self, owner: str, id: str) -> Conversation | None:
        found = self._all.get(id)
        return found if found is not None and found.owner == owner else None

    def all(self, owner: str, model: str | None, limit: int, after: str | None) -> list[Conversation]:
        mine = [each for each in reversed(self._all.values()) if each.owner == owner]
        if after is not None:
            ids = [each.id for each in mine]
            if after not in ids:
                raise BadRequest("There is no such conversation", parameter="after")
            mine = mine[ids.index(after) + 1 :]
        return [each for each in mine if model in (None, each.model)][:limit]

    def remove(self, owner: str, id: str) -> bool:
        found = self.get(owner, id) is not None
        if found:
            del self._all[id]
            self._items = [(each, item) for each, item in self._items if each != id]
        return found

    def append(self, owner: str, id: str, messages: Sequence[Message], at: float) -> bool:
        found = self.get(owner, id)
        if found is None:
            return False
        self._all[id] = replace(found, updated=at)
        start = self._items[-1][1].id + 1 if self._items else 1
        self._items += [(id, Item(number, at, message)) for number, message in enumerate(messages, start)]
        return True

    def items(self, owner: str, id: str, limit: int | None, after: int | None) -> list[Item]:
        mine = self.get(owner, id) is not None
        found = [item for each, item in self._items if mine and each == id and item.id > (after or 0)]
        return found[:limit]


class NothingToPull:
    """A catalogue without models."""

    async def pull(self, name: str, on_progress: Callable[[PullStep], None]) -> Path:
        raise NotFound(f"There is no model {name}")


class ScriptedEngine:
    """Real sessions can be made of it as well; they find nothing and their models say nothing."""

    def __init__(self, script: Script, settings: Settings | None = None) -> None:
        self.script = script
        self.settings = settings or Settings()
        self.feedback = Feedback(MemoryTallies())
        self.embedding_id = "scripted-v1"
        self.models = fake_models(FakeWorker())
        self.retriever = FakeRetrieval()
        self.files = FakeFiles()
        self.documents = documents_in(Path("/dev/null"))  # none; a test that adds some sets another
        self.conversations = Conversations(MemoryConversations())
        self.pull: ModelPull = NothingToPull()
        self.listeners: list[Callable[[EngineStatus], None]] = []
        self.closed = False

    def session(self) -> "ScriptedSession":
        return ScriptedSession(self)

    def status(self, *_concerned: Any) -> EngineStatus:
        return self.script.status

    async def machine(self) -> tuple[Hardware, Conditions]:
        return self.script.machine

    def embedding_backends(self) -> tuple[BackendState, ...]:
        return tuple(self.script.backends)

    def subscribe(self, listener: Callable[[EngineStatus], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def close(self) -> None:
        self.closed = True


class ScriptedModels:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.checks = 0
        self.draft: Draft | None = None

    async def check(self) -> None:
        self.checks += 1

    async def load(self, role: str) -> None:
        self.calls.append(("load", role))

    async def unload(self, role: str) -> None:
        self.calls.append(("unload", role))


class ScriptedSession:
    def __init__(self, engine: ScriptedEngine | None = None) -> None:
        self.engine = engine or ScriptedEngine(Script())
        self.settings = self.engine.settings
        self.documents = OpenDocuments()
        self.models = ScriptedModels()
        self.roots: tuple[Path, ...] = ()
        self.calls: list[tuple[str, Any]] = []
        self.stalled = asyncio.Event()
        self.ended = asyncio.Event()  # a stream was closed or ran to its end

    @property
    def script(self) -> Script:
        return self.engine.script

    async def configure(self, settings: Settings) -> None:
        self.settings = settings

    async def open_root(self, root: Path) -> None:
        self.roots = (*self.roots, root)

    def close_document(self, key: str) -> None:
        self.documents.close(key)

    async def close_root(self, root: Path) -> None:
        self.roots = tuple(each for each in self.roots if each != root)

    def note(self, paths: Iterable[Path], cause: str) -> None:
        self.calls.append(("note", (tuple(paths), cause)))

    async def indexed(self) -> None:
        for phase in self.script.phases:
            self.script.status = EngineStatus(Health.OK, "Indexing", indexes=(phase,))
            for listener in self.engine.listeners:
                listener(self.script.status)

    async def reindex(self, roots: Sequence[Path] = (), *, full: bool = False) -> None:
        self.calls.append(("reindex", (tuple(roots), full)))

    async def search(self, query: SearchQuery) -> list[Hit]:
        self.calls.append(("search", query))
        return list(self.script.hits)

    async def symbols(self, query: str, limit: int = 50) -> list[SymbolHit]:
        return []

    def ask(self, question: Any) -> AsyncGenerator[AnswerEvent, None]:
        return self._play("ask", question, self.script.events)

    def explain(self, selection: Any) -> AsyncGenerator[AnswerEvent, None]:
        return self._play("explain", selection, self.script.events)

    async def related(self, selection: Any) -> tuple[Related, ...]:
        self.calls.append(("related", selection))
        return tuple(self.script.related)

    def chat(self, turn: ChatTurn) -> AsyncGenerator[AnswerEvent, None]:
        return self._play("chat", turn, self.script.events)

    def generate(self, prompt: Any, sampling: Any, *, role: str) -> AsyncGenerator[Step, None]:
        return self._play("generate", (prompt, sampling, role), self.script.steps)

    async def complete(self, cursor: Cursor, *, explicit: bool = False) -> Completion | None:
        self.calls.append(("complete", (cursor, explicit)))
        return self.script.completion

    def rest(self, cursor: Cursor) -> None:
        self.calls.append(("rest", (cursor,)))

    async def prepare_completion(self, cursor: Cursor) -> None:
        self.calls.append(("prepare_completion", (cursor,)))

    async def load_completion(self) -> None:
        self.calls.append(("load_completion", ()))

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if self.script.embedding_fails is not None:
            raise self.script.embedding_fails
        rows = np.array([[len(text), 1.0, 2.0] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    async def dry_run(self, root: Path) -> ScanReport:
        return self.script.report

    async def counts(self, root: Path) -> CatalogCounts:
        return self.script.counts

    def status(self) -> EngineStatus:
        return self.engine.status()

    async def context_length(self, role: str) -> int | None:
        return {"chat": self.script.chat_context, "completion": 1024}[role]

    async def close(self) -> None:
        self.calls.append(("close", None))

    async def _play(self, name: str, what: Any, items: Sequence[Any]) -> AsyncGenerator[Any, None]:
        self.calls.append((name, what))
        try:
            for number, item in enumerate(items):
                if number == self.script.stall_after:
                    self.stalled.set()
                    await asyncio.Event().wait()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.ended.set()
