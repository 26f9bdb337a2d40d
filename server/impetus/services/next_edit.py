"""The edits that an edit asks for: uses of what was renamed, arguments of what takes others now.

The index says which files use a name; their text, unsaved text first, says where. A name that other files define too
may mean something else there, so then only the edited document is looked at. New arguments are written by the
completion model, one call at a time.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from impetus.config import CompletionSettings
from impetus.domain import next_edit
from impetus.domain.breakage import breaks
from impetus.domain.completion import window
from impetus.domain.next_edit import Change, Renamed, Resigned
from impetus.domain.ports import FileReader
from impetus.domain.secrets import mask
from impetus.domain.types import (
    Cursor,
    Document,
    FollowUp,
    InfillPrompt,
    Outline,
    Piece,
    Priority,
    ReferenceHit,
    Sampling,
    SymbolHit,
)
from impetus.errors import NotFound
from impetus.languages import detect, languages
from impetus.services.facts import place_of
from impetus.services.models import SessionModels
from impetus.services.workspace import View

#: Uses looked up of one name, and edits proposed at once.
MAX_USES = 200
MAX_EDITS = 50


class Lookup(Protocol):
    async def definitions(self, names: list[str], view: View) -> list[SymbolHit]: ...

    async def references(self, name: str, view: View, limit: int = 20) -> list[ReferenceHit]: ...

    async def outline(self, document: Document) -> Outline: ...


@dataclass(frozen=True, slots=True)
class Proposal:
    """`settled`: the changes so far ask for nothing more, and later ones may be compared with the text as it is."""

    edits: tuple[FollowUp, ...]
    settled: bool


class NextEdits:
    def __init__(self, lookup: Lookup, files: FileReader, models: SessionModels, settings: CompletionSettings) -> None:
        self._lookup = lookup
        self._files = files
        self._models = models
        self._settings = settings

    async def propose(self, cursor: Cursor, origin: str, view: View) -> Proposal:
        """What follows from the changes of a document since it was `origin`, the nearest first."""
        document = cursor.document
        if document.text == origin:
            return Proposal((), settled=True)
        before = await self._lookup.outline(Document(document.key, origin, 0, document.language))
        after = await self._lookup.outline(document)
        found: list[FollowUp] = []
        # Texts are compared here: on the loop it would be felt by every window.
        changes = await asyncio.to_thread(next_edit.changes, origin, before, document.text, after)
        for change in changes:
            name = change.old if isinstance(change, Renamed) else change.after.name
            for place in await self._places(name, document, view):
                offset = cursor.offset if place.key == document.key else 0
                found += await asyncio.to_thread(_edits, change, place, offset, place.key == document.key)
            if isinstance(change, Resigned) and change.renamed is None and not found:
                found += await self._arguments(change, cursor, view)
        # A name that is being typed over is gone for a moment: then what it was must be remembered.
        settled = not found and (bool(changes) or len(after.definitions) >= len(before.definitions))
        return Proposal(tuple(found[:MAX_EDITS]), settled)

    async def _places(self, name: str, document: Document, view: View) -> list[Document]:
        """The documents that may use a name of this one, itself first."""
        own_root, own_path = place_of(document, view)
        elsewhere = [
            d for d in await self._lookup.definitions([name], view) if (d.root, d.path) != (own_root, own_path)
        ]
        if any(d.definition.name == name for d in elsewhere):
            return [document]
        uses = await self._lookup.references(name, view, MAX_USES)
        paths = dict.fromkeys((use.root, use.path) for use in uses if (use.root, use.path) != (own_root, own_path))
        others = [await asyncio.to_thread(self._read, root, path, view) for root, path in sorted(paths)]
        return [document, *(other for other in others if other is not None)]

    def _read(self, root: Path, path: str, view: View) -> Document | None:
        opened = view.document(root, path)
        if opened is not None:
            return opened
        try:
            text = self._files.read(root, path).decode("utf-8")
        except (NotFound, UnicodeDecodeError):  # gone, or nothing that we could write back
            return None
        return Document(str(root / path), text, 0, detect(path))

    async def _arguments(self, change: Resigned, cursor: Cursor, view: View) -> list[FollowUp]:
        """The call nearest to the cursor with the arguments that the new parameters ask for, where a model knows."""
        if not self._models.has("completion"):
            return []
        for place in await self._places(change.after.name, cursor.document, view):
            offset = cursor.offset if place.key == cursor.document.key else 0
            calls = await asyncio.to_thread(_calls, change, place, place.key == cursor.document.key)
            for start, end in next_edit.nearest(calls, offset):
                written = await self._write(change, place, start, end, view)
                if written and written != place.text[start:end]:
                    return [FollowUp(place, start, end, written, f"{change.after.signature} changed")]
        return []

    async def _write(self, change: Resigned, place: Document, start: int, end: int, view: View) -> str:
        """What the model writes between the parentheses; empty when that breaks the text."""
        before, _ = window(place.text, start)
        _, after = window(place.text, end)
        _, path = place_of(place, view)
        note = f"{_comment(place.language)} {change.after.signature}\n"
        line = before.rfind("\n") + 1
        prompt = InfillPrompt(mask(before[:line] + note + before[line:]), mask(after), path)
        raw = ""
        sampling = Sampling(self._settings.max_tokens, temperature=0.0, stop=("\n",))
        async with aclosing(self._models.stream("completion", prompt, sampling, Priority.TYPING)) as steps:
            async for step in steps:
                raw += step.text if isinstance(step, Piece) else ""
        written = _until_closed(raw).strip()
        text = place.text[:start] + place.text[end:]
        return "" if await asyncio.to_thread(breaks, text, start, written, place.language) else written


def _edits(change: Change, place: Document, offset: int, own: bool) -> list[FollowUp]:
    """Renames in one document. `own`: it is the one that was edited."""
    text, language = place.text, place.language
    if isinstance(change, Renamed):
        reason = f"{change.old} is now {change.new}"
        ranges = next_edit.uses(text, language, change.old)
        return [FollowUp(place, s, e, change.new, reason) for s, e in next_edit.nearest(ranges, offset)]
    if change.renamed is None:
        return []
    old, new = change.renamed
    reason = f"the parameter {old} of {change.after.name} is now {new}"
    ranges = []
    if own:
        first, last = _span(text, change)
        ranges = [(s, e) for s, e in next_edit.uses(text, language, old) if first <= s < last]
    for start, end in _calls(change, place, own):
        keyword = next_edit.keyword(text, start, end, old)
        if keyword is not None:
            ranges.append(keyword)
    return [FollowUp(place, s, e, new, reason) for s, e in next_edit.nearest(sorted(set(ranges)), offset)]


def _calls(change: Resigned, place: Document, own: bool) -> list[tuple[int, int]]:
    """Argument lists of the function; in the edited document not the one of its own definition."""
    calls = next_edit.call_arguments(place.text, place.language, change.after.name)
    if not own:
        return calls
    lines = place.text.split("\n")
    head = sum(len(line) + 1 for line in lines[: change.after.name_line - 1])
    end = head + len(lines[change.after.name_line - 1])
    return [call for call in calls if not head <= call[0] <= end]


def _span(text: str, change: Resigned) -> tuple[int, int]:
    """Characters of the definition."""
    data = text.encode("utf-8", "replace")
    length: Callable[[int], int] = lambda offset: len(data[:offset].decode("utf-8", "replace"))  # noqa: E731
    return length(change.after.start), length(change.after.end)


def _until_closed(raw: str) -> str:
    depth = 0
    for i, character in enumerate(raw):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth < 0:
                return raw[:i]
    return raw


def _comment(language: str) -> str:
    known = languages().get(language)
    return known.line_comment if known is not None and known.line_comment else "//"
