"""What to ask a completion model for: nothing, the rest of the line or a block; and which text around the cursor.

Decided from the text and its syntax tree before anything is generated. What to keep of the answer is
`domain/trimming.py`.
"""

import re
from dataclasses import dataclass

from impetus.domain.syntax import parse, place
from impetus.domain.types import Shape

#: Characters that may stand right of the cursor without being text: an editor's auto-closing puts them there.
CLOSERS = frozenset(")]}>\"'`,;:")

#: With more text than this right of the cursor a suggestion nobody asked for is in the way.
MAX_RIGHT = 8

#: Characters of the document given to the model. The bundled model reads about 1,000 tokens a second on a CPU.
PREFIX_CHARACTERS = 2_000
SUFFIX_CHARACTERS = 500

#: Log-probability that a suggestion nobody asked for must begin with. Of 316 suggestions of the bundled model, at
#: random places of four projects, 43 began below it; one of these was what stood there, against 97 of the other 273.
LEAST_CERTAIN = -1.5

#: The window begins at a multiple of so many lines: it stays put while one types, and with it the model's cache.
WINDOW_STEP = 16

_OPENER = re.compile(r"(?:[:{(\[]|=>|->|\b(?:do|then|begin|else|try|finally))$")
_TRAILING_COMMENT = re.compile(r"\s+(?:#|//|--).*$")
_WORD = re.compile(r"\w")

#: Larger documents are judged by their text alone; parsing them on every keystroke would be felt.
MAX_PARSED = 200_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of the model. `prefix` and `suffix` are the window; `left` and `right` the cursor's line."""

    shape: Shape
    prefix: str
    suffix: str
    left: str
    right: str


def plan(text: str, offset: int, language: str, *, explicit: bool = False) -> Plan:
    """How much to write at `offset`. Asked for explicitly there is always something to try."""
    offset = max(0, min(offset, len(text)))
    left, right = _line_around(text, offset)
    prefix, suffix = window(text, offset)
    shape = _shape(text, offset, left, right, language, explicit)
    return Plan(shape, prefix, suffix, left, right)


def window(text: str, offset: int) -> tuple[str, str]:
    """Text before and after the cursor, within the limits; the beginning moves in steps of lines, not by each one."""
    before, after = text[:offset], text[offset:]
    if len(before) > PREFIX_CHARACTERS:
        lines = before.splitlines(keepends=True)
        sizes = 0
        first = len(lines)
        while first > 0 and sizes + len(lines[first - 1]) <= PREFIX_CHARACTERS:
            first -= 1
            sizes += len(lines[first])
        first = -(-first // WINDOW_STEP) * WINDOW_STEP  # the next step, so that the limit holds
        before = "".join(lines[first:]) if first < len(lines) else before[-PREFIX_CHARACTERS:]
    if len(after) > SUFFIX_CHARACTERS:
        cut = after.rfind("\n", 0, SUFFIX_CHARACTERS)
        after = after[: cut + 1] if cut > 0 else after[:SUFFIX_CHARACTERS]
    return before, after


def next_line(line: str) -> str:
    """What an editor inserts when Enter is pressed at the end of `line`: a line end and the indentation after it."""
    last = line[line.rfind("\n") + 1 :]
    lead = last[: len(last) - len(last.lstrip(" \t"))]
    deeper = ("\t" if "\t" in lead else "    ") if _OPENER.search(_TRAILING_COMMENT.sub("", last.rstrip())) else ""
    return f"\n{lead}{deeper}"


def _line_around(text: str, offset: int) -> tuple[str, str]:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return text[start:offset], text[offset : end if end >= 0 else len(text)].rstrip("\r")


def _shape(text: str, offset: int, left: str, right: str, language: str, explicit: bool) -> Shape:
    beside = right.strip()
    if beside and not set(beside) <= CLOSERS:
        in_word = bool(_WORD.match(text[offset - 1 : offset]) and _WORD.match(text[offset : offset + 1]))
        return Shape.LINE if explicit or (not in_word and len(beside) <= MAX_RIGHT) else Shape.NONE
    if beside:
        return Shape.LINE
    if not text[:offset].strip():
        return Shape.BLOCK if explicit else Shape.NONE  # an empty document: there is nothing to go on
    return Shape.BLOCK if _in_empty_block(text, offset, left, language) else Shape.LINE


def _in_empty_block(text: str, offset: int, left: str, language: str) -> bool:
    """Just after what opens a block, or on the blank line under it, with nothing in the block yet."""
    before = text[:offset].rstrip()
    opener = before[before.rfind("\n") + 1 :]
    bare = _TRAILING_COMMENT.sub("", opener)
    if not _OPENER.search(bare) or (left.strip() and left.strip() != bare.strip()):
        return False
    if bare.count('"') % 2 or bare.count("`") % 2:
        return False  # in a string
    if bare == opener and len(text) <= MAX_PARSED:
        data = text.encode("utf-8", "replace")
        tree = parse(data, language)
        if tree is not None:
            here = place(tree, data, len(text[:offset].encode("utf-8", "replace")))
            return here.empty_block and not here.quoted
    return _next_indent(text[offset:]) <= _indent(opener)


def _next_indent(after: str) -> int:
    """Indentation of the first line with text after the cursor; -1 when there is none."""
    for line in after.splitlines()[1:]:
        if line.strip():
            return _indent(line)
    return -1


def _indent(line: str) -> int:
    """Columns of leading white space, a tab counting as four."""
    lead = line[: len(line) - len(line.lstrip(" \t"))]
    return len(lead.replace("\t", "    "))
