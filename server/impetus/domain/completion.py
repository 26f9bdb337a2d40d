"""What to ask a completion model for: nothing, the rest of the line or a block; and which text around the cursor.

Decided from the text and its syntax tree before anything is generated. What to keep of the answer is
`domain/trimming.py`.
"""

import re
from dataclasses import dataclass

from impetus.domain.syntax import parse, place
from impetus.domain.types import InfillPrompt, Shape

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

#: What is given instead while more would take too long to read.
BRIEF_PREFIX_CHARACTERS = 900
BRIEF_SUFFIX_CHARACTERS = 250
BRIEF_STEP = 8

_OPENER = re.compile(r"(?:[:{(\[]|=>|->|\b(?:do|then|begin|else|try|finally))$")
_COLON_BLOCKS = frozenset({"python", "yaml", "text"})
_TRAILING_COMMENT = re.compile(r"\s+(?:#|//|--).*$")
_WORD = re.compile(r"\w")

#: Larger documents are judged by their text alone; parsing them on every keystroke would be felt.
MAX_PARSED = 200_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of the model. `prefix` and `suffix` are the window; `left` and `right` the cursor's line.

    `told` is what the model hears of the suffix: not what an editor closed by itself right of the cursor. The model
    writes that too, as in the rest of a line, and its prompt stays the same while brackets come and go.
    """

    shape: Shape
    prefix: str
    suffix: str
    left: str
    right: str
    told: str


def plan(text: str, offset: int, language: str, *, explicit: bool = False) -> Plan:
    """How much to write at `offset`. Asked for explicitly there is always something to try."""
    offset = max(0, min(offset, len(text)))
    left, right = _line_around(text, offset)
    prefix, suffix = window(text, offset)
    told = window(text, offset + len(right))[1] if set(right.strip()) <= CLOSERS else suffix
    shape = _shape(text, offset, left, right, language, explicit)
    return Plan(shape, prefix, suffix, left, right, told)


def window(text: str, offset: int) -> tuple[str, str]:
    """Text before and after the cursor, within the limits; the beginning moves in steps of lines, not by each one."""
    return (
        _end(text[:offset], PREFIX_CHARACTERS, WINDOW_STEP),
        _beginning(text[offset:], SUFFIX_CHARACTERS),
    )


def brief(prompt: InfillPrompt) -> InfillPrompt:
    """The part of a prompt next to the cursor, without other files."""
    prefix = _end(prompt.prefix, BRIEF_PREFIX_CHARACTERS, BRIEF_STEP)
    return InfillPrompt(prefix, _beginning(prompt.suffix, BRIEF_SUFFIX_CHARACTERS), prompt.path)


def unread(prompt: InfillPrompt, read: InfillPrompt) -> int:
    """Characters of a prompt behind the beginning that it shares with another, in the order of suffix-first formats."""
    parts = [*((file.path, file.text) for file in prompt.context), (prompt.path,), (prompt.suffix,), (prompt.prefix,)]
    known = [*((file.path, file.text) for file in read.context), (read.path,), (read.suffix,), (read.prefix,)]
    same = next((i for i, (a, b) in enumerate(zip(parts, known, strict=False)) if a != b), len(parts))
    left = sum(len(text) for part in parts[same:] for text in part)
    if same == len(parts) - 1 and same == len(known) - 1:
        pairs = zip(prompt.prefix, read.prefix, strict=False)
        left -= next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(prompt.prefix), len(read.prefix)))
    return left


def _end(text: str, most: int, step: int) -> str:
    """Whole lines at the end of a text, without a multiple of `step` lines at its beginning."""
    if len(text) <= most:
        return text
    lines = text.splitlines(keepends=True)
    size = 0
    first = len(lines)
    while first > 0 and size + len(lines[first - 1]) <= most:
        first -= 1
        size += len(lines[first])
    first = -(-first // step) * step  # the next step, so that the limit holds
    return "".join(lines[first:]) if first < len(lines) else text[-most:]


def _beginning(text: str, most: int) -> str:
    """Whole lines at the beginning of a text."""
    if len(text) <= most:
        return text
    cut = text.rfind("\n", 0, most)
    return text[: cut + 1] if cut > 0 else text[:most]


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
    if bare.endswith(":") and left.strip() and language not in _COLON_BLOCKS:
        return False  # a type, a value or a label's statement follows
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
