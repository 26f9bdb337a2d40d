"""Code of other files that a completion model is shown: signatures of what the lines name, and similar passages.

Comes from lookups of words and names; nothing is embedded. What was gathered for a place is kept while the cursor stays
near it, because the model must read everything behind a context that changes once more.
"""

import logging
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from impetus.domain import snippets
from impetus.domain.secrets import mask
from impetus.domain.snippets import Around
from impetus.domain.types import ContextFile, Document, Hit, SymbolHit
from impetus.errors import ImpetusError
from impetus.services.passages import dotted_name
from impetus.services.workspace import View

log = logging.getLogger(__name__)

#: Names looked up per place.
MAX_NAMES = 12
#: Characters of signatures and of similar passages given to the model, and of one such passage.
SIGNATURES_ROOM = 1_200
PASSAGES_ROOM = 1_200
PASSAGE_ROOM = 600
#: Passages looked at, some of which say nothing new, and those that the model is shown: as many as in its training.
PASSAGES = 6
MOST_PASSAGES = 4
#: The context stays while the cursor is within the same so many lines.
BAND = 16
MAX_KEPT = 50

_NAME = re.compile(r"[^\W\d]\w{2,}")


class CodeLookup(Protocol):
    """What `services.retriever.Retriever` finds without a vector."""

    async def definitions(self, names: Sequence[str], view: View) -> list[SymbolHit]: ...

    async def snippets(self, asked: Around, view: View, limit: int) -> list[Hit]: ...


@dataclass(frozen=True, slots=True)
class _Place:
    band: int
    imports: str


class CompletionContext:
    def __init__(self, lookup: CodeLookup) -> None:
        self._lookup = lookup
        self._kept: OrderedDict[str, tuple[_Place, tuple[ContextFile, ...]]] = OrderedDict()

    async def gather(self, key: str, document: Document, offset: int, path: str, view: View) -> tuple[ContextFile, ...]:
        """The same for every cursor near a place; empty when the index cannot be asked."""
        place = _Place(document.text.count("\n", 0, offset) // BAND, snippets.imports(document.text[:offset]))
        kept = self._kept.get(key)
        if kept is not None and kept[0] == place:
            return kept[1]
        try:
            files = await self._look(document, offset, path, view)
        except ImpetusError as error:
            log.warning("No context for this completion: %s", error)
            return ()
        self._kept[key] = place, files
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return files

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)

    async def _look(self, document: Document, offset: int, path: str, view: View) -> tuple[ContextFile, ...]:
        before, after = document.text[:offset], document.text[offset:]
        asked = snippets.around(before, after, path)
        lines = frozenset(map(str.strip, document.text.split("\n")))
        hits = await self._lookup.snippets(asked, view, PASSAGES)
        helpful = [hit for hit in hits if snippets.helps(hit.text, asked, lines)]
        used, imported = _NAME.findall(_last_lines(before)), _NAME.findall(snippets.imports(before))
        names = list(dict.fromkeys([*reversed(used), *imported]))
        symbols = await self._lookup.definitions(names[:MAX_NAMES], view) if names else []
        named = [s for s in symbols if s.path != path and s.definition.name in names]
        return (*_passages(helpful[:MOST_PASSAGES], asked), *_signatures(named))


def _last_lines(before: str) -> str:
    return "\n".join(before.split("\n")[-3:])


def _passages(hits: Sequence[Hit], asked: Around) -> list[ContextFile]:
    """The best come last, next to the code that is completed."""
    files: list[ContextFile] = []
    room = PASSAGES_ROOM
    for hit in hits:
        text = snippets.excerpt(hit.text, asked.wide, min(room, PASSAGE_ROOM))
        if text.strip():
            files.append(ContextFile(hit.path, text))
            room -= len(text)
    return files[::-1]


def _signatures(symbols: Sequence[SymbolHit]) -> list[ContextFile]:
    by_path: dict[str, list[SymbolHit]] = {}
    room = SIGNATURES_ROOM
    for symbol in symbols:
        cost = len(symbol.definition.signature) + 8
        if symbol.definition.signature and cost <= room:
            by_path.setdefault(symbol.path, []).append(symbol)
            room -= cost
    files = []
    for path in sorted(by_path):
        ordered = sorted(by_path[path], key=lambda s: s.definition.start)
        files.append(ContextFile(path, mask("\n".join(_outline(symbol) for symbol in ordered))))
    return files


def _outline(symbol: SymbolHit) -> str:
    definition = symbol.definition
    note = f"  # {dotted_name(definition)}" if definition.scope else ""
    return definition.signature + note
