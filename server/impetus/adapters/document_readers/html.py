"""HTML: its text under its headings, listings as fences, a table's rows as lines. Nothing it refers to is fetched."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from impetus.adapters.document_readers.blocks import Section, fenced
from impetus.domain.documents import Block

_LEFT_OUT = frozenset({"script", "style", "template", "noscript", "nav", "svg", "iframe", "object", "head"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_INLINE_NAMES = """
    a abbr b bdi bdo big br button cite code data del dfn em font i img input ins kbd label mark q rp rt ruby s samp
    select small span strike strong sub sup time tt u var wbr
"""
_INLINE = frozenset(_INLINE_NAMES.split())
_CELLS = frozenset({"td", "th"})
#: Lists and tables stay together, a line for each item or row.
_GROUPS = frozenset({"ul", "ol", "dl", "table"})


def read(data: bytes) -> Iterator[Block]:
    # huge_tree stays off: the parser's own limits of depth and size protect us.
    parser = etree.HTMLParser(
        encoding=_encoding(data), no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
    )
    root = etree.fromstring(data, parser) if data.strip() else None
    if root is None:
        return
    section = Section()
    title = root.findtext(".//head/title")
    if title and root.find(".//h1") is None:
        yield from section.heading(1, title)
    yield from _Walk(section).blocks(root)
    yield from section.end()


def _encoding(data: bytes) -> str | None:
    """None: the page says it, or the parser guesses, which would take UTF-8 for Latin-1."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    return "utf-8"


class _Walk:
    """Over the elements in order, without recursion. Text gathers until a line ends, lines until a group ends."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._text: list[str] = []
        self._lines: list[str] = []
        # Elements of a kind around us
        self._left_out = 0
        self._listings = 0
        self._rows = 0
        self._groups = 0

    def blocks(self, root: Any) -> Iterator[Block]:
        for event, element in etree.iterwalk(root, events=("start", "end")):
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                yield from self._start(tag)
                self._add(element.text)
            else:
                yield from self._end(tag)
                self._add(element.tail)
        self._groups = 0
        yield from self._end_line()

    def _start(self, tag: str) -> Iterator[Block]:
        self._left_out += tag in _LEFT_OUT
        if tag == "br":
            self._text.append("\n")
        elif tag == "pre":
            yield from self._end_line()
            self._listings += 1
        elif self._ends_lines(tag):
            yield from self._end_line()
            self._groups += tag in _GROUPS
            if tag == "li":
                self._text.append("- ")
        self._rows += tag == "tr"

    def _end(self, tag: str) -> Iterator[Block]:
        self._rows -= tag == "tr"
        if tag == "pre":
            listing, self._text = "".join(self._text), []
            self._listings -= 1
            if listing.strip():
                self._lines.append(fenced(listing))
                yield from self._end_line()
        elif tag in _HEADINGS and not self._groups and not self._listings:
            yield from self._section.heading(_HEADINGS[tag], self._taken())
        elif tag in _CELLS:
            self._text.append(" | ")
        elif self._ends_lines(tag):
            self._groups -= tag in _GROUPS
            yield from self._end_line()
        self._left_out -= tag in _LEFT_OUT

    def _ends_lines(self, tag: str) -> bool:
        return tag not in _INLINE and tag not in _CELLS and not self._rows and not self._listings

    def _add(self, text: str | None) -> None:
        if text and not self._left_out:
            self._text.append(text)

    def _end_line(self) -> Iterator[Block]:
        line = self._taken()
        if line.strip(" |-"):
            self._lines.append(line)
        if not self._groups and self._lines:
            lines, self._lines = self._lines, []
            yield from self._section.block("\n".join(lines))

    def _taken(self) -> str:
        text, self._text = "".join(self._text), []
        return " ".join(text.split()).removesuffix(" |")
