"""What all readers need: titles that blocks stand under, fences, bytes to text, and how a reader refuses."""

import re
from collections.abc import Iterator

from impetus.domain.documents import Block

_BLANK = re.compile(r"\n[ \t]*\n\s*")


class Unreadable(Exception):
    """`str(error)` is the reason."""


class Section:
    """Where a reader is in its document: under which titles, on which page, in which cell."""

    def __init__(self, *, page: int | None = None, cell: int | None = None, headings: tuple[str, ...] = ()) -> None:
        self.page = page
        self.cell = cell
        self._titles = [(level, title) for level, title in enumerate(headings, 1)]
        self._bare = False  # nothing stands under the last title yet

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(title for _level, title in self._titles)

    def heading(self, level: int, title: str) -> Iterator[Block]:
        """Go on under another title. One that nothing stood under is text itself, or it would be lost."""
        yield from self.end(level)
        self._bare = self.under(level, title)

    def under(self, level: int, title: str) -> bool:
        """Go on under a title that the text itself shows; whether it has one."""
        title = " ".join(title.split())[:300]
        self._titles = [(above, text) for above, text in self._titles if above < level]
        if title:
            self._titles.append((level, title))
        return bool(title)

    def end(self, level: int = 0) -> Iterator[Block]:
        """The document ends, or a title of this level comes."""
        if self._bare and self._titles and self._titles[-1][0] >= level:
            *above, (_level, title) = self._titles
            yield Block(title, tuple(text for _, text in above), self.page, self.cell)
        self._bare = False

    def block(self, text: str) -> Iterator[Block]:
        if text.strip():
            self._bare = False
            yield Block(text, self.headings, self.page, self.cell)


def fenced(code: str, language: str = "") -> str:
    """A listing in Markdown. Its fence is longer than any in the code."""
    mark = "```"
    while mark in code:
        mark += "`"
    code = code.strip("\n")
    return f"{mark}{language}\n{code}\n{mark}"


def text_of(data: bytes) -> str:
    """UTF-8, or UTF-16 where it says so, or else what Windows wrote; line ends become line feeds."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    elif b"\0" in data:
        raise Unreadable("it is binary and no text")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def paragraphs(text: str) -> list[str]:
    """What blank lines part."""
    return [part.strip("\n") for part in _BLANK.split(text)]
