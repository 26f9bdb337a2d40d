"""A session that answers by script: what the HTTP port and the command line are tested against without an engine."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from impetus.config import Settings
from impetus.domain.feedback import Tally
from impetus.domain.ports import CatalogCounts, Vectors
from impetus.domain.types import (
    AnswerEvent,
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
from impetus.services.feedback import Feedback
from impetus.services.workspace import Documents
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
        self.listeners: list[Callable[[EngineStatus], None]] = []
        self.closed = False

    def session(self) -> "ScriptedSession":
        return ScriptedSession(self)

    def status(self, *_concerned: Any) -> EngineStatus:
        return self.script.status

    def subscribe(self, listener: Callable[[EngineStatus], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def close(self) -> None:
        self.closed = True


class ScriptedModels:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    async def load(self, role: str) -> None:
        self.calls.append(("load", role))

    async def unload(self, role: str) -> None:
        self.calls.append(("unload", role))


class ScriptedSession:
    def __init__(self, engine: ScriptedEngine | None = None) -> None:
        self.engine = engine or ScriptedEngine(Script())
        self.settings = self.engine.settings
        self.documents = Documents()
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

    def chat(
        self, messages: Any, sampling: Any, *, retrieval: bool, roots: Sequence[Path] = ()
    ) -> AsyncGenerator[AnswerEvent, None]:
        return self._play("chat", (messages, sampling, retrieval, tuple(roots)), self.script.events)

    def generate(self, prompt: Any, sampling: Any, *, role: str) -> AsyncGenerator[Step, None]:
        return self._play("generate", (prompt, sampling, role), self.script.steps)

    async def complete(self, cursor: Cursor, *, explicit: bool = False) -> Completion | None:
        self.calls.append(("complete", (cursor, explicit)))
        return self.script.completion

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
