"""One client's view of the engine: its settings, its folders, its open documents, and the few things it can ask. The
facade that every surface calls."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from impetus.config import Settings
from impetus.domain.ports import CatalogCounts, Vectors
from impetus.domain.types import (
    AnswerEvent,
    ChatTurn,
    Completion,
    Cursor,
    EngineStatus,
    FollowUp,
    Hit,
    Indexing,
    Outcome,
    Problem,
    Prompt,
    Question,
    Related,
    Sampling,
    ScanReport,
    SearchQuery,
    Selection,
    Step,
    SymbolHit,
)
from impetus.errors import ImpetusError, ModelError
from impetus.services.assistant import Assistant
from impetus.services.completer import Completer
from impetus.services.engine import Engine
from impetus.services.first_index import first_index
from impetus.services.models import ModelRole
from impetus.services.next_edit import NextEdits
from impetus.services.workspace import OpenDocuments, View


class Session:
    """`settings` are this client's: its models, answers, completions and searches. By default those of the engine."""

    def __init__(self, engine: Engine, settings: Settings | None = None, *, sees_all: bool = False) -> None:
        """With `sees_all` it is answered from the folders of all clients; those of others are theirs to set up and to
        keep open.
        """
        self.engine = engine
        self._sees_all = sees_all
        self.documents = OpenDocuments()
        self._id = uuid4().hex  # tells what became of its completions from those of others
        self._roots: list[Path] = []
        self._apply(settings or engine.settings)

    async def configure(self, settings: Settings) -> None:
        """Go on with other settings; what is under way ends with the old ones.

        Raises ImpetusError when a folder cannot be opened with them; the others are open.
        """
        reopened = settings.index != self.settings.index
        self._completer.close()
        self._apply(settings)
        if reopened:
            failures: list[ImpetusError] = []
            for root in tuple(self._roots):
                await self.close_root(root)
                try:
                    await self.open_root(root)
                except ImpetusError as error:
                    failures.append(error)
            if failures:
                raise failures[0]

    def _apply(self, settings: Settings) -> None:
        self.settings = settings
        self.models = self.engine.models.named_by(settings)
        documents = self.engine.documents
        self._assistant = Assistant(self.engine.retriever, self.models, settings.chat, self.engine.files, documents)
        self._completer = Completer(self.models, self.engine.retriever, settings.completion)
        self._next_edits = NextEdits(self.engine.retriever, self.engine.files, self.models, settings.completion)

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*self._roots, *(self.engine.roots if self._sees_all else ()))))

    @property
    def view(self) -> View:
        """What this client sees now; a request captures it once."""
        return View(self.roots, self.documents.snapshot(), self.documents.edited())

    async def open_root(self, root: Path) -> None:
        """Start indexing a folder; returns at once. Raises NotFound when there is no such folder."""
        if root not in self._roots:
            await self.engine.open_root(root, self.settings.index, self._open_paths)
            self._roots.append(root)

    async def close_root(self, root: Path) -> None:
        if root in self._roots:
            self._roots.remove(root)
            await self.engine.close_root(root, self._open_paths)

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
        self._completer.forget(key)

    async def search(self, query: SearchQuery) -> list[Hit]:
        return await self.engine.retriever.search(query, self.view)

    async def symbols(self, query: str, limit: int = 50) -> list[SymbolHit]:
        return await self.engine.retriever.symbols(query, self.view, limit)

    async def ask(self, question: Question) -> AsyncGenerator[AnswerEvent, None]:
        async for event in self._first_index(self.roots):
            yield event
        async with aclosing(self._assistant.ask(question, self.view)) as events:
            async for answer in events:
                yield answer

    def explain(self, selection: Selection) -> AsyncGenerator[AnswerEvent, None]:
        return self._assistant.explain(selection, self.view)

    async def related(self, selection: Selection) -> tuple[Related, ...]:
        return await self._assistant.related(selection, self.view)

    async def chat(self, turn: ChatTurn) -> AsyncGenerator[AnswerEvent, None]:
        """The roots of its grounding are some of this session's; none: all."""
        roots = turn.grounding.roots if turn.grounding is not None else ()
        if turn.grounding is not None and turn.grounding.workspace:
            async for event in self._first_index(roots or self.roots):
                yield event
        view = replace(self.view, roots=roots) if roots else self.view
        async with aclosing(self._assistant.chat(turn, view)) as events:
            async for answer in events:
                yield answer

    def _first_index(self, roots: Sequence[Path]) -> AsyncGenerator[Indexing, None]:
        return first_index([self.engine.index(root) for root in roots])

    def generate(self, prompt: Prompt, sampling: Sampling, *, role: ModelRole) -> AsyncGenerator[Step, None]:
        return self._assistant.generate(prompt, sampling, role=role)

    async def complete(self, cursor: Cursor, *, explicit: bool = False) -> Completion | None:
        self.engine.touch()
        completion = await self._completer.complete(
            cursor,
            self.view,
            explicit=explicit,
            least=self.engine.feedback.least_certain(self._id),
            now=lambda: self.documents.get(cursor.document.key),
        )
        return self._offered(completion, cursor) if completion is not None else None

    def rest(self, cursor: Cursor) -> None:
        """The cursor is here; the completion model gets ready for what may be asked."""
        self._completer.rest(cursor, self.view)

    async def prepare_completion(self, cursor: Cursor) -> None:
        """As `rest`, at once; returns when a completion here has all it needs."""
        await self._completer.prepare(cursor, self.view)

    async def load_completion(self) -> None:
        """Have the completion model in memory before it is asked."""
        await self._completer.load()

    async def other_completions(self, cursor: Cursor, number: int) -> list[Completion]:
        """Further completions of a place, to choose from."""
        return [self._offered(other, cursor) for other in await self._completer.others(cursor, self.view, number)]

    def _offered(self, completion: Completion, cursor: Cursor) -> Completion:
        return self.engine.feedback.offered(completion, cursor.document, self._id)

    async def next_edits(self, cursor: Cursor) -> tuple[FollowUp, ...]:
        """The edits that the edits of this document ask for, here and elsewhere, the nearest first."""
        key = cursor.document.key
        proposal = await self._next_edits.propose(cursor, self.documents.origin(key), self.view)
        if proposal.settled and self.documents.get(key) == cursor.document:
            self.documents.followed_up(key)
        return proposal.edits

    def tell(self, completion_id: int, outcome: Outcome, characters: int | None = None) -> None:
        """What became of a completion; `characters` of it were accepted, by default all."""
        self.engine.feedback.note(completion_id, outcome, characters, self.documents.get)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await self.engine.embed(texts)

    async def context_length(self, role: ModelRole) -> int | None:
        """Tokens that fit into a model's context; None when no usable model has the role."""
        try:
            return await self.models.context_length(role)
        except ModelError:
            return None

    async def dry_run(self, root: Path) -> ScanReport:
        return await self.engine.dry_run(root, self.settings.index)

    async def counts(self, root: Path) -> CatalogCounts:
        return await self.engine.counts(root)

    def status(self) -> EngineStatus:
        """The engine as it concerns this client: its folders, its models."""
        problems = [
            Problem(
                str(root),
                f"{root} is indexed with the index.* settings of the client that opened it first; yours take effect "
                "once the others have closed it",
            )
            for root in self._roots
            if self.engine.index_settings(root) not in (None, self.settings.index)
        ]
        return self.engine.status(self.roots, self.models, problems)

    async def close(self) -> None:
        self._completer.close()
        self.engine.feedback.forget(self._id)
        for root in tuple(self._roots):
            await self.close_root(root)
