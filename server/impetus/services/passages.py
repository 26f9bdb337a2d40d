"""Text of the workspace by place, as it is now: for passages beside the search hits, and to check citations.

Open documents win over the disk. Finds nothing by itself; places come from the retriever.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from impetus.domain.citations import stands
from impetus.domain.ports import FileReader
from impetus.domain.secrets import mask
from impetus.domain.types import Definition, Hit, ReferenceHit, Source, SymbolHit
from impetus.errors import NotFound
from impetus.services.workspace import View

#: Longest passage made of a definition; its beginning tells most.
MAX_LINES = 60


class Passages:
    """For one answer: a file is read once, and again when citations are checked."""

    def __init__(self, files: FileReader, view: View) -> None:
        self._files = files
        self._view = view
        self._texts: dict[tuple[Path, str], str | None] = {}

    async def text(self, root: Path, path: str) -> str | None:
        """The text, or None when the file is gone."""
        document = self._view.document(root, path)
        if document is not None:
            return document.text
        key = (root, path)
        if key not in self._texts:
            try:
                data = await asyncio.to_thread(self._files.read, root, path)
            except NotFound:
                self._texts[key] = None
            else:
                self._texts[key] = data.decode("utf-8", "replace")
        return self._texts[key]

    async def of_symbol(self, symbol: SymbolHit) -> Hit | None:
        """The definition's lines; None when the file no longer has the name there."""
        text = await self.text(symbol.root, symbol.path)
        definition = symbol.definition
        lines = text.splitlines() if text is not None else []
        if not 0 < definition.name_line <= len(lines) or definition.name not in lines[definition.name_line - 1]:
            return None
        end = min(definition.end_line, len(lines), definition.start_line + MAX_LINES - 1)
        return Hit(
            symbol.root,
            symbol.path,
            definition.start_line,
            end,
            symbol.score,
            mask("\n".join(lines[definition.start_line - 1 : end])),
            symbol=dotted_name(definition),
            kind=definition.kind,
        )

    async def standing(self, sources: Sequence[Source]) -> frozenset[int]:
        """Numbers of the sources whose text still is where it was quoted from, read again."""
        self._texts.clear()
        numbers = set()
        for source in sources:
            if source.given:
                numbers.add(source.number)
                continue
            text = await self.text(source.hit.root, source.hit.path)
            # The retriever masks secrets in what it shows, so the quoted text may be the masked one.
            if text is not None and (stands(source.hit, text) or stands(source.hit, mask(text))):
                numbers.add(source.number)
        return frozenset(numbers)


def of_reference(reference: ReferenceHit) -> Hit:
    line = reference.reference.line
    return Hit(
        reference.root,
        reference.path,
        line,
        line,
        1.0,
        reference.text,
        symbol=reference.reference.within,
        kind="reference",
    )


def dotted_name(definition: Definition) -> str:
    return ".".join((*definition.scope, definition.name))
