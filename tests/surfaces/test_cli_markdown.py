"""Painting Markdown as it comes: nothing is lost or moved, and styles do not depend on how the text is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.cli.markdown import MarkdownPainter

ANSWER = "# Title\n\nSee `run` [1].\n\n> quoted\n\n```python\n# no heading\nx = 1\n```\n- item\n`code` first\nlast"


class Screen:
    def __init__(self) -> None:
        self.written: list[tuple[str, str | None]] = []
        self.painter = MarkdownPainter(lambda text, style: self.written.append((text, style)))

    def text(self) -> str:
        return "".join(text for text, _ in self.written)

    def styles(self) -> list[tuple[str, str | None]]:
        """Each character with its style."""
        return [(character, style) for text, style in self.written for character in text]


def painted(*pieces: str) -> Screen:
    screen = Screen()
    for piece in pieces:
        screen.painter.add(piece)
    screen.painter.end()
    return screen


def test_styles() -> None:
    assert painted(ANSWER).written == [
        ("# Title\n", "bold"),
        ("\n", None),
        ("See `run` [1].\n", None),
        ("\n", None),
        ("> quoted\n", "italic"),
        ("\n", None),
        ("```python\n", "dim"),
        ("# no heading\n", "cyan"),
        ("x = 1\n", "cyan"),
        ("```\n", "dim"),
        ("- item\n", None),
        ("`code` first\n", None),
        ("last", None),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pieces_of_any_size_look_the_same(size: int) -> None:
    pieces = [ANSWER[start : start + size] for start in range(0, len(ANSWER), size)]
    assert painted(*pieces).styles() == painted(ANSWER).styles()


def test_prose_does_not_wait_for_the_end_of_its_line() -> None:
    screen = Screen()
    for piece in ("It", " runs"):
        screen.painter.add(piece)
    assert screen.text() == "It runs"


@given(st.lists(st.text("#`> ab\n\r\u2028", max_size=6), max_size=12))
def test_nothing_is_lost(pieces: list[str]) -> None:
    assert painted(*pieces).text() == "".join(pieces)
