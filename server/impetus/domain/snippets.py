"""Which code of other files helps to complete at a cursor: chosen by words alone, since nothing is embedded per key.

Two lexical searches, one for the lines around the cursor and one for the few next to it, weigh the same; paths decide
between equals. Measured on 190 positions of ten projects (by a script that is not kept): the share of identifiers that
the open file lacks and five passages have was 0.54 for the last twelve lines alone, 0.63 with the lines below the
cursor, and 0.68 with both searches, paths, imports and one passage per file.
"""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import PurePosixPath

from impetus.domain.ports import Placed
from impetus.domain.tokens import WORD, parts, terms

#: Lines around the cursor that ask, and those next to it that ask once more.
WIDE_ABOVE, WIDE_BELOW = 20, 8
NEAR_ABOVE, NEAR_BELOW = 6, 2

#: Of the best score of either search a passage gets its share; these are added for its path.
SIMILAR_PATH = 0.3
IMPORTED = 0.3

#: A passage must have so many of the words asked for, or this share where few are.
LEAST_SHARED = 3
LEAST_SHARE = 0.2

_IMPORT = re.compile(r"^\s*(?:from|import|use|using|include|require|#\s*include)\b.*$|\brequire\(.*$", re.MULTILINE)
_IMPORTS_WITHIN = 4_000
_SHORT_LINE = 3


@dataclass(frozen=True, slots=True)
class Around:
    """What a position asks for. `wide` and `near` are search terms; `imported` the words of the import lines."""

    path: str
    wide: tuple[str, ...]
    near: tuple[str, ...]
    imported: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk with its scores in the two searches; 0 where a search did not find it."""

    placed: Placed
    wide: float
    near: float


def imports(text: str) -> str:
    """The import lines at the beginning of a document."""
    return "\n".join(_IMPORT.findall(text[:_IMPORTS_WITHIN]))


def around(before: str, after: str, path: str) -> Around:
    above, below = before.split("\n"), after.split("\n")

    def words(lines_above: int, lines_below: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(terms("\n".join((*above[-lines_above:], *below[:lines_below])))))

    return Around(path, words(WIDE_ABOVE, WIDE_BELOW), words(NEAR_ABOVE, NEAR_BELOW), _words(imports(before)))


def choose(asked: Around, found: Iterable[Found], limit: int) -> list[Found]:
    """The best `limit`, at most one of a file, none of the file that asks."""
    candidates = [one for one in found if one.placed.path != asked.path]
    best_wide = max((one.wide for one in candidates), default=0.0) or 1.0
    best_near = max((one.near for one in candidates), default=0.0) or 1.0
    own = _words(asked.path)

    def score(one: Found) -> float:
        path = PurePosixPath(one.placed.path)
        words, stem = _words(str(path)), _words(path.stem)
        total = one.wide / best_wide + one.near / best_near
        total += SIMILAR_PATH * len(words & own) / max(1, len(words | own))
        return total + (IMPORTED if stem and stem <= asked.imported else 0.0)

    chosen: dict[tuple[object, str], Found] = {}
    for one in sorted(candidates, key=score, reverse=True):
        chosen.setdefault((one.placed.root, one.placed.path), one)
        if len(chosen) == limit:
            break
    return list(chosen.values())


def helps(passage: str, asked: Around, document_lines: Set[str]) -> bool:
    """Whether a passage has to do with the position and says more than the open document (stripped lines) does."""
    lines = [line for line in map(str.strip, passage.split("\n")) if len(line) > _SHORT_LINE]
    shared = len(frozenset(asked.wide).intersection(terms(passage)))
    related = shared >= min(LEAST_SHARED, LEAST_SHARE * len(asked.wide))
    return related and any(line not in document_lines for line in lines)


def excerpt(passage: str, asked: Sequence[str], room: int) -> str:
    """The whole lines of a passage, within `room` characters, that have the most of the words asked for."""
    if len(passage) <= room:
        return passage
    lines = passage.split("\n")
    wanted = frozenset(asked)
    worth = [len(wanted.intersection(terms(line))) for line in lines]
    best, best_worth, begin, size, value = (0, 0), -1, 0, 0, 0
    for end, line in enumerate(lines, 1):
        size += len(line) + 1
        value += worth[end - 1]
        while size > room and begin < end:
            size -= len(lines[begin]) + 1
            value -= worth[begin]
            begin += 1
        if value > best_worth:
            best, best_worth = (begin, end), value
    return "\n".join(lines[best[0] : best[1]])


def _words(text: str) -> frozenset[str]:
    return frozenset(part for word in WORD.findall(text) for part in parts(word))
