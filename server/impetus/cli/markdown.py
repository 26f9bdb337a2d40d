"""Markdown on a terminal while it is being written: headings, code and quotations in color, line by line.

Prose goes out as it comes. A line that may turn out to be a heading, a fence or a quotation is held until its end, and
code until the end of each line. Nothing is wrapped or moved: what is copied from the terminal is the answer itself.
"""

from collections.abc import Callable

#: First characters of lines whose style is known at their end.
_MARKED = ("#", "`", ">")

Write = Callable[[str, str | None], None]


class MarkdownPainter:
    def __init__(self, write: Write) -> None:
        """`write(text, style)` puts text on the terminal; no style means as it is."""
        self._write = write
        self._held = ""
        self._in_code = False
        self._in_prose = False  # the line's beginning is out already

    def add(self, text: str) -> None:
        for piece in text.splitlines(keepends=True):
            self._add(piece)

    def end(self) -> None:
        """Let go of an unfinished line."""
        if self._held:
            self._paint(self._held)
            self._held = ""

    def _add(self, piece: str) -> None:
        if self._in_prose:
            self._write(piece, None)
            self._in_prose = not piece.endswith("\n")
            return
        self._held += piece
        if self._held.endswith("\n"):
            self.end()
        elif not self._in_code and self._held.strip() and not self._held.lstrip().startswith(_MARKED):
            self._write(self._held, None)
            self._held = ""
            self._in_prose = True

    def _paint(self, line: str) -> None:
        mark = line.lstrip()
        if mark.startswith("```"):
            self._in_code = not self._in_code
            self._write(line, "dim")
        elif self._in_code:
            self._write(line, "cyan")
        elif mark.startswith("#"):
            self._write(line, "bold")
        elif mark.startswith(">"):
            self._write(line, "italic")
        else:
            self._write(line, None)
