"""Claims of a source in an answer: which numbers it cites, and which of them hold. Pure.

`[2]`, `[1, 3]` and `[1][2]` in prose cite; the same characters in code (`items[0]`, fences, inline code) do not.
"""

import re
from collections.abc import Collection, Sequence

from impetus.domain.types import Hit, Source

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?(?:^(?P=fence)[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_FOOTNOTE = re.compile(r"^ {0,3}\[\d+\]:", re.MULTILINE)
#: Not a Markdown link (`[1](…)`).
_CITATION = re.compile(r"(?P<tight>[\w)])?\[(?P<numbers>\d{1,3}(?:\s*,\s*\d{1,3})*)\](?!\()")


def cited_numbers(text: str) -> tuple[int, ...]:
    """Every number that the text cites for sure, once, in the order of first use."""
    return tuple(number for number, sure in _citations(text).items() if sure)


def check(
    text: str, sources: Sequence[Source], standing: Collection[int]
) -> tuple[tuple[Source, ...], tuple[int, ...]]:
    """(cited and true, cited but not). `standing` holds the numbers of the sources whose text is still as quoted."""
    by_number = {source.number: source for source in sources}
    cited: list[Source] = []
    unverified: list[int] = []
    for number, sure in _citations(text).items():
        if number in by_number and number in standing:
            cited.append(by_number[number])
        elif sure or number in by_number:
            unverified.append(number)
    return tuple(cited), tuple(unverified)


def places(text: str) -> dict[int, tuple[int, int]]:
    """Number → start and end, in characters of `text`, of the first brackets in prose that name it."""
    prose = text
    for code in (_FENCE, _INLINE, _FOOTNOTE):
        prose = code.sub(lambda match: " " * len(match[0]), prose)
    found: dict[int, tuple[int, int]] = {}
    for match in _CITATION.finditer(prose):
        start = match.end() - len(match["numbers"]) - 2
        for number in match["numbers"].split(","):
            found.setdefault(int(number), (start, match.end()))
    return found


def _citations(text: str) -> dict[int, bool]:
    """Number → whether it is surely a citation. After a word without a space it may be one, or an index in code."""
    prose = _FOOTNOTE.sub(" ", _INLINE.sub(" ", _FENCE.sub(" ", text))).replace("][", "] [")
    numbers: dict[int, bool] = {}
    for match in _CITATION.finditer(prose):
        for number in match["numbers"].split(","):
            numbers[int(number)] = numbers.get(int(number), False) or match["tight"] is None
    return numbers


def stands(hit: Hit, text: str) -> bool:
    """Whether the passage is in the file's text as it is now, at its lines or moved as a whole."""
    wanted = "\n".join(hit.text.strip("\r\n").splitlines())
    if not wanted.strip():
        return False
    lines = text.splitlines()
    here = "\n".join(lines[hit.start_line - 1 : hit.end_line])
    return here.strip() == wanted.strip() or wanted in "\n".join(lines)
