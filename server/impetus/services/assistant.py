"""Ask, explain, chat, generate: the one facade that every surface calls.

Each answer is a stream of events: Sources, then text, then Finish. Leaving a stream (use `contextlib.aclosing`) stops
the model before its next step. Without a chat model, answers are made of quotations and facts and say so.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace

from impetus.config import ChatSettings
from impetus.domain import citations, explain, extractive, prompts
from impetus.domain.ports import FileReader
from impetus.domain.quoting import query_terms
from impetus.domain.secrets import mask
from impetus.domain.types import (
    AnswerEvent,
    CallPart,
    ChatPrompt,
    ChatTurn,
    Delta,
    End,
    Finish,
    FinishReason,
    InfillPrompt,
    Piece,
    Prefill,
    Priority,
    Progress,
    Prompt,
    Question,
    Related,
    Role,
    Sampling,
    SearchQuery,
    Selection,
    Source,
    Sources,
    Step,
    Thought,
)
from impetus.errors import BadRequest, ModelError
from impetus.services.facts import Retrieval, gather
from impetus.services.grounding import DocumentSearch, Grounds, numbered
from impetus.services.models import ModelRole, SessionModels
from impetus.services.passages import Passages
from impetus.services.workspace import View

log = logging.getLogger(__name__)

EXTRACTIVE = "extractive"

#: Tokens kept free of passages for instructions and the template.
OVERHEAD_TOKENS = 400
#: A question with fewer telling words than this is understood with the one before it.
FEW_WORDS = 3


@dataclass(frozen=True, slots=True)
class _Extract:
    """An answer without a model: why there is none, its paragraphs, and what to do about it where that helps."""

    notice: str
    paragraphs: Callable[[], Iterable[str]]
    advice: str = ""

    def blocks(self) -> Iterable[str]:
        yield self.notice
        yield from self.paragraphs()
        if self.advice:
            yield self.advice


class Assistant:
    def __init__(
        self,
        retriever: Retrieval,
        models: SessionModels,
        settings: ChatSettings,
        files: FileReader,
        documents: DocumentSearch,
    ) -> None:
        self._grounds = Grounds(retriever, documents, settings.passages)
        self._retriever = retriever
        self._models = models
        self._settings = settings
        self._files = files

    async def ask(self, question: Question, view: View) -> AsyncGenerator[AnswerEvent, None]:
        """A cited answer to a question about the workspace."""
        passages = Passages(self._files, view)
        query = SearchQuery(await self._query_text(question), question.limit, question.paths, question.languages)
        sources = numbered(await self._retriever.search(query, view))
        extract = _Extract(extractive.NO_MODEL, lambda: extractive.blocks(question.text, sources), extractive.HOW_TO)
        if not self._models.has("chat"):
            yield Sources(sources)
            async for event in self._quoted(extract, sources, passages):
                yield event
            return
        spent = len(question.text) + sum(len(message.content) for message in question.history)
        offered = prompts.affordable(sources, await self._room(spent))
        prompt = prompts.ask(question, offered, mask)
        yield Sources(offered)
        async with aclosing(self._answered(prompt, self._sampling(), offered, passages, extract)) as events:
            async for event in events:
                yield event

    async def explain(self, selection: Selection, view: View) -> AsyncGenerator[AnswerEvent, None]:
        """What the selected code is for, how it works, who uses it."""
        passages = Passages(self._files, view)
        facts = await gather(selection, self._retriever, passages, view)
        extract = _Extract(explain.NO_MODEL, lambda: explain.blocks(facts))
        yield Sources(facts.sources)
        if not self._models.has("chat"):
            async for event in self._quoted(extract, facts.sources, passages):
                yield event
            return
        offered = prompts.affordable(facts.sources, await self._room(0))
        prompt = prompts.explain(replace(facts, sources=offered), mask)
        async with aclosing(self._answered(prompt, self._sampling(), facts.sources, passages, extract)) as events:
            async for event in events:
                yield event

    async def related(self, selection: Selection, view: View) -> tuple[Related, ...]:
        """Callees, callers, tests and similar code of the selected code, each range as it is now."""
        return explain.related(await gather(selection, self._retriever, Passages(self._files, view), view))

    async def chat(self, turn: ChatTurn, view: View) -> AsyncGenerator[AnswerEvent, None]:
        """The next turn of a conversation, with what it is grounded in.

        Without a chat model: quotations where something was found, ModelUnavailable without `grounding`.
        """
        passages = Passages(self._files, view)
        asked = next((m.content for m in reversed(turn.messages) if m.role is Role.USER), "")
        if turn.grounding is None and not self._models.has("chat"):
            self._models.model_id("chat")  # raises ModelUnavailable with what to do
        sources: tuple[Source, ...] = ()
        if turn.grounding is not None and asked.strip():
            query = await self._query_text(Question(asked, turn.messages[:-1]))
            sources = await self._grounds.find(turn.grounding, query, view)
        if not self._models.has("chat"):
            extract = _Extract(extractive.NO_MODEL, lambda: extractive.blocks(asked, sources), extractive.HOW_TO)
            yield Sources(sources)
            async for event in self._quoted(extract, sources, passages):
                yield event
            return
        if sources:
            asked_for = len(turn.grounding.given) if turn.grounding is not None else 0
            given, found = sources[:asked_for], sources[asked_for:]  # what the client sends is never left out
            spent = sum(len(m.content) for m in turn.messages) + sum(len(source.hit.text) for source in given)
            sources = (*given, *prompts.affordable(found, await self._room(spent)))
        prompt = replace(prompts.chat(turn.messages, sources, mask), tool_use=turn.tool_use, effort=turn.effort)
        yield Sources(sources)
        async with aclosing(self._told(prompt, turn.sampling, sources, passages)) as events:
            async for event in events:
                yield event

    async def generate(self, prompt: Prompt, sampling: Sampling, *, role: ModelRole) -> AsyncGenerator[Step, None]:
        """The model's own steps, without retrieval. Filling in is somebody typing and goes first."""
        priority = Priority.TYPING if isinstance(prompt, InfillPrompt) else Priority.CHAT
        async with aclosing(self._models.stream(role, prompt, sampling, priority)) as steps:
            async for step in steps:
                yield step

    # -- parts -------------------------------------------------------------------------------------------------------

    async def _answered(
        self,
        prompt: ChatPrompt,
        sampling: Sampling,
        sources: tuple[Source, ...],
        passages: Passages,
        extract: _Extract,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """The model's answer; quotations when the model fails before its first word."""
        begun = False
        try:
            async with aclosing(self._told(prompt, sampling, sources, passages)) as events:
                async for event in events:
                    begun = begun or isinstance(event, Delta)
                    yield event
            return
        except (ModelError, BadRequest) as error:
            # A server of a model may find the request bad that any other one takes.
            if begun:
                raise
            log.warning("The chat model failed; answering with quotations: %s", error)
            reason = f"*The chat model could not be used: {error}. This answer is made of quotations.*"
        async for event in self._quoted(replace(extract, notice=reason, advice=""), sources, passages):
            yield event

    async def _told(
        self, prompt: ChatPrompt, sampling: Sampling, sources: tuple[Source, ...], passages: Passages
    ) -> AsyncGenerator[AnswerEvent, None]:
        text: list[str] = []
        async with aclosing(self._models.stream("chat", prompt, sampling, Priority.CHAT)) as steps:
            async for step in steps:
                match step:
                    case Prefill(done, total):
                        yield Progress(done, total)
                    case Thought() | CallPart():
                        yield step
                    case Piece(piece, scores=scores):
                        if piece or scores:
                            text.append(piece)
                            yield Delta(piece, scores)
                    case End(reason, usage):
                        cited, unverified = citations.check("".join(text), sources, await passages.standing(sources))
                        yield Finish(reason, self._models.model_id("chat"), usage, cited, unverified)

    async def _quoted(
        self, extract: _Extract, sources: tuple[Source, ...], passages: Passages
    ) -> AsyncGenerator[AnswerEvent, None]:
        text: list[str] = []
        for block in extract.blocks():
            text.append(block + "\n\n")
            yield Delta(text[-1])
        cited, unverified = citations.check("".join(text), sources, await passages.standing(sources))
        yield Finish(FinishReason.STOP, EXTRACTIVE, cited=cited, unverified=unverified)

    async def _query_text(self, question: Question) -> str:
        """What to search for: the question, with what a short one refers to."""
        parts = [question.text]
        if question.selection is not None:
            selection = question.selection
            outline = await self._retriever.outline(selection.document)
            subject = explain.enclosing(outline, selection.start_line, selection.end_line)
            if subject is not None:
                parts.append(explain.dotted(subject))
        if len(query_terms(question.text)) < FEW_WORDS:
            parts += [m.content for m in reversed(question.history) if m.role is Role.USER][:1]
        return "\n".join(parts)

    async def _room(self, spent_characters: int) -> int:
        """Tokens that passages may take. The generator has the last word on what fits."""
        try:
            context = await self._models.context_length("chat")
        except ModelError:
            return OVERHEAD_TOKENS  # the failure shows, with its reason, when the model is used
        spent = OVERHEAD_TOKENS + spent_characters // prompts.CHARACTERS_PER_TOKEN
        return max(0, context - min(self._settings.max_tokens, context // 2) - spent)

    def _sampling(self) -> Sampling:
        return Sampling(max_tokens=self._settings.max_tokens, temperature=self._settings.temperature)
