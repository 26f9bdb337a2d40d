"""Positions of the protocol to character offsets of a text, and back.

A line ends at \\n, \\r\\n or \\r and nowhere else (form feeds and U+2028 are ordinary characters, unlike in
`str.splitlines`). Characters count in the units that client and server agreed on. Holds no document.
"""

import re

from lsprotocol.types import Position, PositionEncodingKind, Range

from impetus.errors import BadRequest

_LINE_END = re.compile(r"\r\n|\n|\r")


def line_start(text: str, line: int) -> int | None:
    """Offset of a 0-based line; None when the text has fewer lines."""
    if line == 0:
        return 0
    if _has_lone_return(text):
        for number, match in enumerate(_LINE_END.finditer(text), 1):
            if number == line:
                return match.end()
        return None
    head = text.split("\n", line)  # far faster than a regular expression on a long file
    return len(text) - len(head[-1]) if len(head) == line + 1 else None


def line_count(text: str) -> int:
    """A text that ends with a line end has an empty last line, as editors show it."""
    if _has_lone_return(text):
        return 1 + sum(1 for _ in _LINE_END.finditer(text))
    return 1 + text.count("\n")


def offset_at(text: str, position: Position, encoding: str) -> int:
    """The character offset. Past the end of a line means its end; a line that is not there is the caller's mistake."""
    start = line_start(text, position.line)
    if start is None:
        raise BadRequest(
            f"Line {position.line} (counted from 0) is outside of the document, which has {line_count(text)} lines; "
            "send the changes of the document before a request about it",
            parameter="position",
        )
    return start + _column(_line_at(text, start), position.character, encoding)


def clamped_offset(text: str, position: Position, encoding: str) -> int:
    """Like `offset_at`, but a line past the end means the end of the text: how editors mark a change up to the end."""
    start = line_start(text, position.line)
    return len(text) if start is None else start + _column(_line_at(text, start), position.character, encoding)


def position_at(text: str, offset: int, encoding: str) -> Position:
    """The position of a character offset within the text."""
    if _has_lone_return(text):
        line, start = 0, 0
        for match in _LINE_END.finditer(text):
            if match.end() > offset:
                break
            line, start = line + 1, match.end()
    else:
        line, start = text.count("\n", 0, offset), text.rfind("\n", 0, offset) + 1
    return Position(line, units(text[start:offset], encoding))


def range_at(text: str, start: int, end: int, encoding: str) -> Range:
    return Range(position_at(text, start, encoding), position_at(text, end, encoding))


def units(text: str, encoding: str) -> int:
    """How many code units of the encoding the text takes."""
    if encoding == PositionEncodingKind.Utf32 or text.isascii():
        return len(text)
    if encoding == PositionEncodingKind.Utf8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(1 for character in text if character > "\uffff")


def _column(line: str, character: int, encoding: str) -> int:
    """Characters of `line` before the given code unit; the middle of a character counts as its start."""
    if encoding == PositionEncodingKind.Utf32 or line.isascii():
        return min(character, len(line))
    seen = 0
    for index, char in enumerate(line):
        seen += units(char, encoding)
        if seen > character:
            return index
    return len(line)


def _line_at(text: str, start: int) -> str:
    """The line that begins at `start`, without its line end."""
    match = _LINE_END.search(text, start)
    return text[start : match.start() if match else len(text)]


def _has_lone_return(text: str) -> bool:
    return "\r" in text and text.count("\r") != text.count("\r\n")
