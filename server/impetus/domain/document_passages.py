"""Blocks of a document to passages: neighbours of one place together, what is too long in parts, no fence ever cut."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from impetus.domain.documents import Block, Passage

#: Characters. A passage grows to about `IDEAL`; what would leave less than `SMALL` behind is not cut off.
IDEAL, LARGE, SMALL = 1_200, 2_000, 300
#: A listing up to this length stays whole; a longer one becomes several, each with fences of its own.
MAX_FENCE = 8_000

#: Also behind the marks of lists and quotations. Possessive, so that no line makes it go back.
_FENCE = re.compile(r" *+(?:(?:[-*+>]|\d{1,9}[.)]) ++)*+(`{3,}|~{3,})(.*)")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+")


def passages(blocks: Iterable[Block]) -> Iterator[Passage]:
    """In order. Blocks under other headings, of another page or cell never share a passage."""
    waiting: list[Block] = []
    size = 0
    for block in blocks:
        for text in _parts(block.text):
            part = replace(block, text=text)
            fits = size + len(text) <= (IDEAL if len(text) > SMALL else LARGE)
            if waiting and not (_same_place(waiting[-1], part) and fits):
                yield _joined(waiting)
                waiting, size = [], 0
            waiting.append(part)
            size += len(text)
    if waiting:
        yield _joined(waiting)


def _same_place(one: Block, other: Block) -> bool:
    return (one.headings, one.page, one.cell) == (other.headings, other.page, other.cell)


def _joined(blocks: list[Block]) -> Passage:
    first = blocks[0]
    return Passage("\n\n".join(block.text for block in blocks), first.headings, first.page, first.cell)


# -- what is too long for one passage ----------------------------------------------------------------------------------


def _parts(text: str) -> Iterator[str]:
    text = text.strip("\r\n")
    if not text.strip():
        return
    if len(text) <= LARGE:
        yield text
        return
    size, waiting = 0, list[str]()
    for unit in _units(text):
        if size and size + len(unit) > IDEAL:
            yield "".join(waiting).strip("\n")
            size, waiting = 0, []
        if unit.strip() or waiting:
            waiting.append(unit)
            size += len(unit)
    if waiting:
        yield "".join(waiting).strip("\n")


def _units(text: str) -> Iterator[str]:
    """Lines, each with its line end; a fenced listing is one unit, and a line that is too long several."""
    fence: list[str] = []
    mark = ""
    for line in text.splitlines(keepends=True):
        match = _FENCE.match(line)
        if mark:
            fence.append(line)
            if match and match[1].startswith(mark) and not match[2].strip():
                yield from _fences(fence, mark)
                fence, mark = [], ""
        elif match and not ("`" in match[2] and match[1][0] == "`"):
            fence, mark = [line], match[1]
        elif len(line) <= LARGE:
            yield line
        else:
            yield from _sentences(line)
    if fence:
        yield from _fences([*fence, f"{mark}\n"], mark)


def _fences(lines: list[str], mark: str) -> Iterator[str]:
    if sum(map(len, lines)) <= MAX_FENCE:
        yield "".join(lines)
        return
    opening, *code, closing = lines
    part, size = list[str](), 0
    for piece in (piece for line in code for piece in _cut(line, MAX_FENCE // 2)):
        if part and size + len(piece) > MAX_FENCE // 2:
            yield "".join([opening, *part, mark, "\n"])
            part, size = [], 0
        part.append(piece if piece.endswith("\n") else piece + "\n")
        size += len(piece)
    yield "".join([opening, *part, closing])


def _sentences(line: str) -> Iterator[str]:
    begin = 0
    for end in (match.end() for match in _SENTENCE.finditer(line)):
        if end - begin >= SMALL:
            yield from _cut(line[begin:end], IDEAL)
            begin = end
    yield from _cut(line[begin:], IDEAL)


def _cut(text: str, length: int) -> Iterator[str]:
    """Where words end, if they do."""
    while len(text) > length:
        end = text.rfind(" ", length // 2, length) + 1 or length
        yield text[:end]
        text = text[end:]
    if text:
        yield text
