"""One client's view of the engine: its folders, its open documents, and the few things it can ask. The facade that
every surface calls."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Literal

from impetus.domain.ports import CatalogCounts, Vectors
from impetus.domain.types import (
    AnswerEvent,
    Completion,
    Cursor,
    EngineStatus,
    Hit,
    Message,
    Prompt,
    Question,
    Sampling,
    ScanReport,
    SearchQuery,
    Selection,
    Step,
    SymbolHit,
)
from impetus.services.engine import Engine
from impetus.services.workspace import Documents, View


class Session:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.documents = Documents()
        self._roots: list[Path] = []

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(self._roots)

    @property
    def view(self) -> View:
        """What this client sees now; a request captures it once."""
        return View(self.roots, self.documents.snapshot())

    async def open_root(self, root: Path) -> None:
        """Start indexing a folder; returns at once. Raises NotFound when there is no such folder."""
        if root not in self._roots:
            await self.engine.open_root(root, lambda: self._open_paths(root))
            self._roots.append(root)

    async def close_root(self, root: Path) -> None:
        if root in self._roots:
            self._roots.remove(root)
            await self.engine.close_root(root)

    def _open_paths(self, root: Path) -> set[str]:
        places = (self.view.locate(key) for key in self.documents.snapshot())
        return {place[1] for place in places if place is not None and place[0] == root}

    def note(self, paths: Iterable[Path]) -> None:
        """These paths may have changed on disk; they are looked at soon."""
        noted = list(paths)
        for root in self._roots:
            inside = [path for path in noted if path.is_relative_to(root)]
            if inside:
                self.engine.index(root).note(inside)

    async def indexed(self) -> None:
        """Until the index holds everything noted so far."""
        for root in self.roots:
            await self.engine.index(root).idle()

    async def embedded(self) -> None:
        """Until what is indexed has its neural vectors too; at once where there are none."""
        for root in self.roots:
            filling = self.engine.index(root).filling
            if filling is not None:
                await filling.finished()

    async def reindex(self, roots: Sequence[Path] = (), *, full: bool = False) -> None:
        """Look at everything again; with `full`, delete the index and build it anew."""
        for root in roots or self.roots:
            if full:
                await self.engine.rebuild(root)
            self.engine.index(root).note([root])

    def close_document(self, key: str) -> None:
        self.documents.close(key)
        self.engine.completer.forget(key)

    async def search(self, query: SearchQuery) -> list[Hit]:
        return await self.engine.retriever.search(query, self.view)

    async def symbols(self, query: str, limit: int = 50) -> list[SymbolHit]:
        return await self.engine.retriever.symbols(query, self.view, limit)

    def ask(self, question: Question) -> AsyncGenerator[AnswerEvent, None]:
        return self.engine.assistant.ask(question, self.view)

    def explain(self, selection: Selection) -> AsyncGenerator[AnswerEvent, None]:
        return self.engine.assistant.explain(selection, self.view)

    def chat(
        self, messages: Sequence[Message], sampling: Sampling, *, retrieval: bool
    ) -> AsyncGenerator[AnswerEvent, None]:
        return self.engine.assistant.chat(messages, self.view, sampling, retrieval=retrieval)

    def generate(
        self, prompt: Prompt, sampling: Sampling, *, role: Literal["chat", "completion"]
    ) -> AsyncGenerator[Step, None]:
        return self.engine.assistant.generate(prompt, sampling, role=role)

    async def complete(self, cursor: Cursor, *, explicit: bool = False) -> Completion | None:
        self.engine.touch()
        return await self.engine.completer.complete(cursor, self.view, explicit=explicit)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await self.engine.embed(texts)

    async def context_length(self, role: Literal["chat", "completion"]) -> int | None:
        return await self.engine.context_length(role)

    async def dry_run(self, root: Path) -> ScanReport:
        return await self.engine.dry_run(root)

    async def counts(self, root: Path) -> CatalogCounts:
        return await self.engine.counts(root)

    def status(self) -> EngineStatus:
        return self.engine.status()

    async def close(self) -> None:
        for root in self.roots:
            await self.close_root(root)
