"""Fakes at the ports: scripted, deterministic, with a record of what was asked of them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from impetus.domain.canary import Verdict
from impetus.domain.ports import HeldModel, ModelWorker, Vectors
from impetus.domain.snippets import Around
from impetus.domain.types import (
    Document,
    End,
    FinishReason,
    Hit,
    Outline,
    Piece,
    Prefill,
    Priority,
    Prompt,
    ReferenceHit,
    Sampling,
    ScanReport,
    SearchQuery,
    Step,
    SymbolHit,
    Usage,
)
from impetus.errors import EngineStopped, NotFound
from impetus.services.admission import Admission
from impetus.services.background import Background
from impetus.services.models import Models
from impetus.services.workspace import View


class FakeWorker:
    """`ModelWorker` in this process: answers with the given texts, one word per piece, the last text again and again;
    an exception is raised. With a `gate` every piece waits until the test releases the semaphore once.

    Records what it was asked, how many pieces it made and how many of its streams were left or ran to their end.
    """

    def __init__(
        self,
        *answers: str | Exception,
        gate: asyncio.Semaphore | None = None,
        logprob: float | None = None,
        ends: FinishReason | Exception = FinishReason.STOP,
    ) -> None:
        self._answers = list(answers)
        self._gate = gate
        self._logprob = logprob  # of every piece
        self._ends = ends
        self._held: dict[Path, HeldModel] = {}
        self._listeners: list[Callable[[], None]] = []
        self._stopping = asyncio.Event()
        self.prompts: list[Prompt] = []
        self.samplings: list[Sampling] = []
        self.priorities: list[Priority] = []
        self.drafts: list[Path | None] = []
        self.asked = asyncio.Event()  # set by the first request
        self.pieces = 0
        self.ended = 0
        self.on_prompt: Callable[[], None] = lambda: None  # called when a prompt was read

    async def stream(
        self, model: Path, prompt: Prompt, sampling: Sampling, priority: Priority, draft: Path | None = None
    ) -> AsyncGenerator[Step, None]:
        await self.load(model)
        self.drafts.append(draft)
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        self.priorities.append(priority)
        self.asked.set()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        try:
            yield Prefill(1, 1)
            self.on_prompt()
            words = answer.replace(" ", " \0").split("\0") if isinstance(answer, str) else []
            for word in words:
                await self._released()
                self.pieces += 1
                yield Piece(word, self._logprob)
            if isinstance(answer, Exception):
                raise answer
            if isinstance(self._ends, Exception):
                raise self._ends
            yield End(self._ends, Usage(1, len(words)))
        finally:
            self.ended += 1

    async def _released(self) -> None:
        """Wait at the gate; closing opens it with an error."""
        if self._gate is not None:
            waits = [asyncio.create_task(self._gate.acquire()), asyncio.create_task(self._stopping.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    task.cancel()
        self._check_open()

    def _check_open(self) -> None:
        if self._stopping.is_set():
            raise EngineStopped("The engine is shutting down")

    async def embed(self, embedder: str, texts: Sequence[str]) -> Vectors:
        self._check_open()
        return FakeEmbedder().embed(texts)

    async def load(self, model: Path, *, asked: bool = True) -> None:
        self._check_open()
        self._hold({**self._held, model: HeldModel("ready")})

    async def unload(self, model: Path) -> None:
        self._check_open()
        self._hold({folder: state for folder, state in self._held.items() if folder != model})

    def _hold(self, models: dict[Path, HeldModel]) -> None:
        if models != self._held:
            self._held = models
            for listener in self._listeners:
                listener()

    def states(self) -> Mapping[Path, HeldModel]:
        return self._held

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    async def close(self) -> None:
        self._stopping.set()


class FakeEmbedder:
    """Vectors that say how long the text is and how many words it has. Implements `Embedder`."""

    id = "fake-v1"
    dimensions = 3

    def embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.array([[len(text), len(text.split()), 1.0] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def embed_query(self, text: str) -> Vectors:
        return self.embed([text])[0]


class FakePower:
    """`Power` that tells the reasons given, one each time, and then none."""

    def __init__(self, *reasons: str) -> None:
        self._reasons = list(reasons)
        self.asked = 0

    def strain(self) -> str:
        self.asked += 1
        return self._reasons.pop(0) if self._reasons else ""


class FakeRemote:
    """Answers with one text; with a `gate` it waits for it first, as a server does that reads a long prompt."""

    def __init__(self, answer: str, gate: asyncio.Event | None = None) -> None:
        self._answer = answer
        self._gate = gate
        self.model_id = "remote"
        self.context_length = 8192
        self.state = "ready"
        self.detail = ""
        self.prompts: list[Prompt] = []
        self.ended = 0
        self.closed = 0
        self.checks = 0

    async def check(self) -> None:
        self.checks += 1

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Step, None]:
        self.prompts.append(prompt)
        try:
            if self._gate is not None:
                await self._gate.wait()
            yield Piece(self._answer)
            yield End(FinishReason.STOP, Usage(1, 1))
        finally:
            self.ended += 1

    async def close(self) -> None:
        self.closed += 1


class FakeDraftVerdicts:
    """Verdicts by model and draft, as the test puts them in."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Path, Path], Verdict] = {}

    def get(self, model: Path, draft: Path) -> Verdict | None:
        return self.kept.get((model, draft))

    def put(self, model: Path, draft: Path, verdict: Verdict) -> None:
        self.kept[model, draft] = verdict


def fake_models(
    worker: ModelWorker,
    *remotes: FakeRemote,
    power: FakePower | None = None,
    drafts: FakeDraftVerdicts | None = None,
    **limits: Any,
) -> Models:
    """Models over a fake worker; remote ones are handed out in the order in which settings name them."""
    left = list(remotes)
    return Models(
        worker,
        Background(power or FakePower(), spare=True, ask_every_s=0),
        connect=lambda role, settings: left.pop(0),
        context_length=lambda folder: 8192,
        bundled=Path("/models/fim"),
        drafts=drafts or FakeDraftVerdicts(),
        admission=Admission(**limits),
    )


class FakeRetrieval:
    """What the retriever would find, as given; records the searches and the names that were looked up."""

    def __init__(
        self,
        hits: Sequence[Hit] = (),
        definitions: Sequence[SymbolHit] = (),
        references: Sequence[ReferenceHit] = (),
        outlines: Mapping[str, Outline] | None = None,
        similar: Sequence[Hit] = (),
        snippets: Sequence[Hit] = (),
    ) -> None:
        self._snippets = snippets
        self.asked: list[Around] = []
        self._hits = hits
        self._similar = similar
        self._definitions = definitions
        self._references = references
        self._outlines = outlines or {}
        self.queries: list[SearchQuery] = []
        self.names: list[str] = []

    async def search(self, query: SearchQuery, view: View) -> list[Hit]:
        self.queries.append(query)
        return list(self._hits[: query.limit])

    async def definitions(self, names: Sequence[str], view: View) -> list[SymbolHit]:
        self.names += names
        return [symbol for symbol in self._definitions if symbol.definition.name in names]

    async def snippets(self, asked: Around, view: View, limit: int) -> list[Hit]:
        self.asked.append(asked)
        return list(self._snippets[:limit])

    async def references(self, name: str, view: View, limit: int = 20) -> list[ReferenceHit]:
        return [use for use in self._references if use.reference.name == name][:limit]

    async def similar(self, code: Hit, view: View, limit: int) -> list[Hit]:
        return list(self._similar[:limit])

    async def outline(self, document: Document) -> Outline:
        return self._outlines.get(document.key, Outline())


class FakeFiles:
    """Files in memory, by absolute path."""

    def __init__(self, files: Mapping[Path, str] | None = None) -> None:
        self.files = dict(files or {})

    def scan(self, root: Path) -> ScanReport:
        inside = {path: text for path, text in self.files.items() if path.is_relative_to(root)}
        return ScanReport(root, {path.relative_to(root).as_posix(): (len(text), 0) for path, text in inside.items()})

    def admits(self, root: Path, path: str) -> bool:
        return root / path in self.files

    def read(self, root: Path, path: str) -> bytes:
        if root / path not in self.files:
            raise NotFound(f"There is no file {path}")
        return self.files[root / path].encode()

    def reject(self, path: str, data: bytes) -> str | None:
        return "binary" if b"\0" in data else None


class FakeWatcher:
    """`Watcher` that reports what a test pushes. As the real one it begins with an empty batch and merges batches."""

    def __init__(self) -> None:
        self.roots: tuple[Path, ...] = ()
        self._waiting: set[Path] = set()
        self._wake = asyncio.Event()

    def push(self, *paths: Path) -> None:
        """Report changes of `paths`; those under no root are dropped, as is everything while nobody watches."""
        self._waiting |= {path for path in paths if any(path.is_relative_to(root) for root in self.roots)}
        if self._waiting:
            self._wake.set()

    async def watch(self, roots: Sequence[Path]) -> AsyncIterator[set[Path]]:
        self.roots = tuple(roots)
        try:
            yield set()
            while True:
                await self._wake.wait()
                self._wake.clear()
                batch, self._waiting = self._waiting, set()
                yield batch
        finally:
            self.roots = ()
