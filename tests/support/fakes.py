"""Fakes at the ports: scripted, deterministic, with a record of what was asked of them."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from impetus.domain.snippets import Around
from impetus.domain.types import (
    Document,
    End,
    FinishReason,
    Hit,
    Outline,
    Piece,
    Prefill,
    Prompt,
    ReferenceHit,
    Sampling,
    ScanReport,
    SearchQuery,
    Step,
    SymbolHit,
    Usage,
)
from impetus.errors import NotFound
from impetus.services.workspace import View


class FakeGenerator:
    """Answers with the given texts, one word per piece, the last text again and again; an exception is raised.

    With a `gate` every piece waits until the test releases the semaphore once. Records what it was asked, how many
    pieces it made and how many of its streams were closed or finished.
    """

    local: Final = True

    def __init__(
        self,
        *answers: str | Exception,
        model_id: str = "fake",
        context_length: int = 8192,
        gate: threading.Semaphore | None = None,
        logprob: float | None = None,
        ends: FinishReason = FinishReason.STOP,
    ) -> None:
        self._answers = list(answers)
        self._gate = gate
        self._logprob = logprob  # of every piece
        self._ends = ends
        self.model_id = model_id
        self.context_length = context_length
        self.state = "ready"
        self.detail = ""
        self.prompts: list[Prompt] = []
        self.asked = threading.Event()  # set by the first request
        self.samplings: list[Sampling] = []
        self.threads: set[int] = set()
        self.pieces = 0
        self.ended = 0
        self.unloaded = 0

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def unload(self) -> None:
        self.unloaded += 1

    def steps(self, prompt: Prompt, sampling: Sampling) -> Iterator[Step]:
        self.prompts.append(prompt)
        self.asked.set()
        self.samplings.append(sampling)
        self.threads.add(threading.get_ident())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        try:
            yield Prefill(1, 1)
            words = answer.replace(" ", " \0").split("\0") if isinstance(answer, str) else []
            for word in words:
                if self._gate is not None:
                    self._gate.acquire()
                self.pieces += 1
                yield Piece(word, self._logprob)
            if isinstance(answer, Exception):
                raise answer
            yield End(self._ends, Usage(1, len(words)))
        finally:
            self.ended += 1


class FakeRemote:
    """Answers with one text; with a `gate` it waits for it first, as a server does that reads a long prompt."""

    local: Final = False

    def __init__(self, answer: str, gate: asyncio.Event | None = None) -> None:
        self._answer = answer
        self._gate = gate
        self.model_id = "remote"
        self.context_length = 8192
        self.state = "ready"
        self.detail = ""
        self.ended = 0
        self.closed = 0

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def stream(self, prompt: Prompt, sampling: Sampling) -> AsyncGenerator[Step, None]:
        try:
            if self._gate is not None:
                await self._gate.wait()
            yield Piece(self._answer)
            yield End(FinishReason.STOP, Usage(1, 1))
        finally:
            self.ended += 1

    async def close(self) -> None:
        self.closed += 1


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
