"""Inline completion for one session: the latest request of a document wins, what was computed is served again while it
still fits.

Never embeds and never waits for the index: context comes from a lookup of names, or not at all.
"""

import asyncio
import logging
import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from impetus.config import CompletionSettings
from impetus.domain import completion, trimming
from impetus.domain.completion import Plan
from impetus.domain.secrets import mask
from impetus.domain.types import (
    Completion,
    ContextFile,
    Cursor,
    End,
    FinishReason,
    InfillPrompt,
    Piece,
    Priority,
    Sampling,
    Shape,
    SymbolHit,
)
from impetus.errors import ImpetusError
from impetus.services.facts import Retrieval, place_of
from impetus.services.models import SessionModels
from impetus.services.passages import dotted_name
from impetus.services.workspace import View

log = logging.getLogger(__name__)

#: Characters around the cursor that a kept result must agree with.
KEY_BEFORE = 200
KEY_AFTER = 100
MAX_KEPT = 200

#: Names looked up per request, and characters of context given to the model.
MAX_NAMES = 12
MAX_CONTEXT = 1_500

_NAME = re.compile(r"[^\W\d]\w{2,}")
_IMPORT = re.compile(r"^\s*(?:from|import|use|using|include|require)\b.*$", re.MULTILINE)


class Completer:
    def __init__(self, models: SessionModels, retriever: Retrieval, settings: CompletionSettings) -> None:
        self._models = models
        self._retriever = retriever
        self._settings = settings
        self._kept = _Kept()
        self._running: dict[str, asyncio.Task[Completion | None]] = {}

    async def complete(self, cursor: Cursor, view: View, *, explicit: bool = False) -> Completion | None:
        """The text to show at the cursor. None: nothing to say, switched off, or a newer request came."""
        if not self._models.has("completion") or not (self._settings.enable or explicit):
            return None
        document = cursor.document
        offset = max(0, min(cursor.offset, len(document.text)))
        plan = completion.plan(document.text, offset, document.language, explicit=explicit)
        self._supersede(document.key)
        if plan.shape is Shape.NONE:
            return None
        kept = self._kept.find(document.key, document.text, offset)
        if kept is not None and (kept.text or not explicit):
            return self._completion(kept.text, offset, cursor) if kept.text else None
        least = -math.inf if explicit else completion.LEAST_CERTAIN
        task = asyncio.create_task(self._compute(cursor, offset, plan, view, least))
        self._running[document.key] = task
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                task.cancel()  # our own caller left
                raise
            return None  # a newer request of the same document
        finally:
            if self._running.get(document.key) is task:
                del self._running[document.key]

    def forget(self, key: str) -> None:
        """A document was closed: stop its request and drop what was kept for it."""
        self._supersede(key)
        self._kept.forget(key)

    # -- parts -------------------------------------------------------------------------------------------------------

    def _supersede(self, key: str) -> None:
        running = self._running.pop(key, None)
        if running is not None:
            running.cancel()

    async def _compute(self, cursor: Cursor, offset: int, plan: Plan, view: View, least: float) -> Completion | None:
        document = cursor.document
        _, path = place_of(document, view)
        context = await self._context(plan, path, view) if self._settings.context else ()
        prompt = InfillPrompt(mask(plan.prefix), mask(plan.suffix), path, context)
        text = trimming.trim(await self._generate(prompt, plan, least), plan)
        if text is not None and len(document.text) <= completion.MAX_PARSED:
            bad = await asyncio.to_thread(trimming.adds_errors, document.text, offset, text, document.language)
            text = None if bad else text
        self._kept.add(document.key, document.text, offset, text or "")
        return self._completion(text, offset, cursor) if text is not None else None

    async def _generate(self, prompt: InfillPrompt, plan: Plan, least: float) -> str:
        """What the model writes, as far as it can matter; nothing when it begins less sure than `least`."""
        raw = ""
        sampling = Sampling(max_tokens=self._settings.max_tokens, temperature=0.0)
        async with aclosing(self._models.stream("completion", prompt, sampling, Priority.TYPING)) as steps:
            async for step in steps:
                if isinstance(step, Piece):
                    if not raw and step.logprob is not None and step.logprob < least:
                        return ""
                    raw += step.text
                    if trimming.finished(raw, plan):
                        break
                elif isinstance(step, End) and step.reason is FinishReason.LENGTH:
                    raw = trimming.whole_lines(raw, plan)
        return raw

    def _completion(self, text: str, offset: int, cursor: Cursor) -> Completion:
        return Completion(text, offset, offset, cursor.document.version, self._models.model_id("completion"))

    async def _context(self, plan: Plan, path: str, view: View) -> tuple[ContextFile, ...]:
        """Signatures of what the cursor's lines and the imports name, by file; none of the document's own."""
        near = "\n".join(plan.prefix.split("\n")[-3:])
        imports = "\n".join(_IMPORT.findall(plan.prefix))
        names = list(dict.fromkeys([*reversed(_NAME.findall(near)), *_NAME.findall(imports)]))[:MAX_NAMES]
        if not names:
            return ()
        try:
            symbols = await self._retriever.definitions(names, view)
        except ImpetusError as error:
            log.warning("No context for this completion: %s", error)
            return ()
        return _context_files([symbol for symbol in symbols if symbol.path != path and symbol.definition.name in names])


def _context_files(symbols: Sequence[SymbolHit]) -> tuple[ContextFile, ...]:
    """In a stable order, whatever order the names came in: the model's cache then holds from one key to the next."""
    by_path: dict[str, list[SymbolHit]] = {}
    room = MAX_CONTEXT
    for symbol in symbols:
        cost = len(symbol.definition.signature) + len(symbol.definition.doc) + 8
        if symbol.definition.signature and cost <= room:
            by_path.setdefault(symbol.path, []).append(symbol)
            room -= cost
    files = []
    for path in sorted(by_path):
        ordered = sorted(by_path[path], key=lambda s: s.definition.start)
        files.append(ContextFile(path, mask("\n".join(_outline(symbol) for symbol in ordered))))
    return tuple(files)


def _outline(symbol: SymbolHit) -> str:
    definition = symbol.definition
    scope = dotted_name(definition)
    note = f"  # {scope}" if definition.scope else ""
    return definition.signature + note


@dataclass(frozen=True, slots=True)
class _Entry:
    """A result and the text around it. An empty result is kept too: asking again would give the same."""

    before: str
    after: str
    text: str


class _Kept:
    """Recent results of every document, found again while the person types what was suggested."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()

    def find(self, key: str, text: str, offset: int) -> _Entry | None:
        """The rest of a result whose beginning was typed; the longest rest wins."""
        before, after = text[:offset], _after(text, offset)
        for (document, _, entry_after), entry in reversed(self._entries.items()):
            if document != key or entry_after != after:
                continue
            typed = self._typed(entry, before)
            if typed is not None:
                return _Entry(before, after, entry.text[typed:])
        return None

    def add(self, key: str, text: str, offset: int, result: str) -> None:
        before, after = text[max(0, offset - KEY_BEFORE) : offset], _after(text, offset)
        self._entries[(key, before, after)] = _Entry(before, after, result)
        self._entries.move_to_end((key, before, after))
        while len(self._entries) > MAX_KEPT:
            self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        for entry in [entry for entry in self._entries if entry[0] == key]:
            del self._entries[entry]

    @staticmethod
    def _typed(entry: _Entry, before: str) -> int | None:
        """How much of the result was typed already, less than all of it; None when the text is another."""
        # A short beginning is the document's own: it fits only there.
        whole = len(entry.before) < KEY_BEFORE
        for size in range(max(1, len(entry.text))):
            expected = entry.before + entry.text[:size]
            if before == expected or (not whole and before.endswith(expected)):
                return size
        return None


def _after(text: str, offset: int) -> str:
    return text[offset : offset + KEY_AFTER]
