"""What an editor could have given the model as context of other files: definitions, and similar code.

Made per package with the chunker that the index uses, and written as `services/completion_context.py` writes it:
similar passages first and the best of them last, then signatures by path.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from impetus.domain.chunking import analyse
from impetus.domain.snippets import WIDE_ABOVE, WIDE_BELOW, excerpt
from impetus.domain.tokens import terms
from impetus.services.completion_context import MAX_NAMES, PASSAGE_ROOM, PASSAGES_ROOM, SIGNATURES_ROOM
from training.completion_model.corpus import Source

Passage = tuple[str, str]  # path, text

_NAME = re.compile(r"[^\W\d]\w{2,}")
_IMPORT = re.compile(r"^\s*(?:from|import|use|using|include|require|#include)\b.*$", re.MULTILINE)
_CHUNK_LINES = 16
_COMMON = 60  # a name in more chunks than this tells nothing


@dataclass(frozen=True, slots=True)
class Outlined:
    """A file and its definitions as (name, line to show)."""

    source: Source
    definitions: tuple[tuple[str, str], ...]


def outline(source: Source) -> Outlined:
    language = "tsx" if source.path.endswith(".tsx") else source.language
    lines = []
    for item in analyse(source.text.encode(), language).outline.definitions:
        if item.signature:
            note = f"  # {'.'.join((*item.scope, item.name))}" if item.scope else ""
            lines.append((item.name, item.signature + note))
    return Outlined(source, tuple(lines))


@dataclass(slots=True)
class Neighbors:
    """The files around a file of the same package, to look up names and look-alikes in."""

    files: list[Outlined]
    _definitions: dict[str, list[tuple[int, str]]] = field(init=False)
    _chunks: list[tuple[int, str, frozenset[str]]] = field(init=False)
    _chunks_of: dict[str, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self._definitions = defaultdict(list)
        self._chunks = []
        self._chunks_of = defaultdict(list)
        for number, file in enumerate(self.files):
            for name, line in file.definitions:
                self._definitions[name].append((number, line))
            lines = file.source.text.split("\n")
            for start in range(0, len(lines), _CHUNK_LINES):
                text = "\n".join(lines[start : start + _CHUNK_LINES])
                names = frozenset(_NAME.findall(text))
                for name in names:
                    self._chunks_of[name].append(len(self._chunks))
                self._chunks.append((number, text, names))

    def definitions(self, number: int, prefix: str, also: str = "") -> list[Passage]:
        """(path, lines) of what the last lines and the imports of `prefix` name in files other than `number`."""
        near = "\n".join(prefix.split("\n")[-3:])
        imports = "\n".join(_IMPORT.findall(prefix))
        wanted = [*reversed(_NAME.findall(near)), *_NAME.findall(imports)]
        names = list(dict.fromkeys([*_NAME.findall(also), *wanted]))[:MAX_NAMES]
        room = SIGNATURES_ROOM
        by_path: dict[str, list[str]] = {}
        for name in names:
            for other, line in self._definitions.get(name, ())[:6]:
                if other != number and len(line) + 8 <= room:
                    found = by_path.setdefault(self.files[other].source.path, [])
                    if line not in found:
                        found.append(line)
                        room -= len(line) + 8
        return [(path, "\n".join(by_path[path])) for path in sorted(by_path)]

    def similar(self, number: int, prefix: str, suffix: str, limit: int) -> list[Passage]:
        """(path, lines) of the chunks of other files that share the rarest names with the lines around the cursor."""
        above, below = prefix.split("\n"), suffix.split("\n")
        near = "\n".join((*above[-WIDE_ABOVE:], *below[:WIDE_BELOW]))
        names = set(_NAME.findall(near))
        scores: dict[int, float] = defaultdict(float)
        for name in names:
            chunks = self._chunks_of.get(name, ())
            if len(chunks) <= _COMMON:
                for chunk in chunks:
                    scores[chunk] += 1 / (2 + len(chunks))
        best = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))
        asked = terms(near)
        found: dict[str, str] = {}
        room = PASSAGES_ROOM
        for chunk in best[: 4 * limit]:
            other, text, _ = self._chunks[chunk]
            path = self.files[other].source.path
            if other != number and path not in found:
                lines = excerpt(text, asked, min(room, PASSAGE_ROOM))
                if lines.strip():
                    found[path] = lines
                    room -= len(lines)
            if len(found) == limit:
                break
        return list(found.items())[::-1]
