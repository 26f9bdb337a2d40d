"""Code in Markdown: fences that the code cannot break, one-line leads, and the telling lines of a passage. Pure."""

import re
from collections.abc import Sequence

from impetus.domain.tokens import terms
from impetus.domain.types import Hit
from impetus.languages import languages

#: Words that say nothing about which line answers a question.
_COMMON = frozenset(
    terms(
        "a an and are as at be by can do does for from get has have how i if in into is it its of on or our set that "
        "the their this to use used uses using was we what when where which who why will with you code file function "
        "class method work works there make made any all not def self return import const let var"
    )
)
_DOC = re.compile(r'(?:"""|\'\'\')(.+?)(?:"""|\'\'\'|\Z)', re.DOTALL)
_COMMENT = re.compile(r"^\s*(?:///?!?|#+(?!!|include|define|if|endif|\[)|--|;;+|\*(?!/)|/\*\*?)\s?(.*?)(?:\*/)?\s*$")
_SENTENCE = re.compile(r"^(.+?[.!?])(?:\s|$)", re.DOTALL)


def fence(text: str, language: str = "") -> str:
    """A Markdown code block that holds `text` whatever backticks it has."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    name = "" if language == "text" else language
    return f"{ticks}{name}\n{text.rstrip()}\n{ticks}"


def code(text: str) -> str:
    """Inline code that holds `text` whatever backticks it has."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def lines_of(start: int, end: int) -> str:
    return f"line {start}" if start == end else f"lines {start}-{end}"


def place(path: str, start: int, end: int) -> str:
    return f"{path}:{start}" if start == end else f"{path}:{start}-{end}"


def first_sentence(text: str, limit: int = 160) -> str:
    """The first sentence of a documentation, on one line."""
    one_line = " ".join(text.split())
    match = _SENTENCE.match(one_line)
    sentence = match.group(1) if match else one_line
    return sentence if len(sentence) <= limit else sentence[: limit - 1].rsplit(" ", 1)[0] + "…"


def documentation(passage: str, language: str) -> str:
    """What a passage's own docstring or leading comment says, first sentence; empty when it has none."""
    known = languages().get(language)
    starred = known is not None and known.block_comment is not None and known.block_comment[0] == "/*"
    head = "\n".join(passage.splitlines()[:25])
    match = _DOC.search(head)
    if match and match.group(1).strip():
        return first_sentence(match.group(1))
    comment: list[str] = []
    for line in head.splitlines():
        found = _COMMENT.match(line)
        if found and (starred or not line.lstrip().startswith("*")):  # elsewhere a star is an item of a list
            comment.append(found.group(1).strip("/* "))
        elif comment or line.strip():
            break
    text = " ".join(part for part in comment if part)
    return first_sentence(text) if re.search(r"\w{2}", text) else ""


def query_terms(question: str) -> frozenset[str]:
    return frozenset(term for term in terms(question) if len(term) > 1 and term not in _COMMON)


def excerpt(hit: Hit, wanted: frozenset[str], limit: int = 14) -> str:
    """At most about `limit` telling lines: the beginning, and those with words of the question; `…` where lines miss.

    A short passage stays whole.
    """
    lines = dedented(hit.text.splitlines())
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) <= limit + 2:
        return "\n".join(lines)
    scores = [_score(line, wanted) for line in lines]
    keep = set(range(3))
    for i in sorted(range(len(lines)), key=lambda i: (-scores[i], i)):
        if len(keep) >= limit or scores[i] <= 0:
            break
        keep.update(j for j in (i - 1, i, i + 1) if 0 <= j < len(lines))
    for i in range(len(lines)):
        if len(keep) >= limit:
            break
        keep.add(i)
    return "\n".join(_with_gaps(lines, sorted(keep)))


def _with_gaps(lines: Sequence[str], keep: Sequence[int]) -> list[str]:
    out: list[str] = []
    previous = -1
    for i in keep:
        gap = i - previous - 1
        if gap == 1:
            out.append(lines[i - 1])  # the mark would take as much room as the line
        elif gap:
            indent = lines[i][: len(lines[i]) - len(lines[i].lstrip())]
            out.append(f"{indent}…")
        out.append(lines[i])
        previous = i
    if previous < len(lines) - 1:
        out.append("…")
    return out


def _score(line: str, wanted: frozenset[str]) -> int:
    return len(wanted.intersection(terms(line)))


def dedented(lines: Sequence[str]) -> list[str]:
    """Without the indentation that all lines share; blank lines do not count."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return list(lines)
    shared = min((line[: len(line) - len(line.lstrip())] for line in filled), key=len)
    while not all(line.startswith(shared) for line in filled):
        shared = shared[:-1]
    return [line[len(shared) :] for line in lines]
