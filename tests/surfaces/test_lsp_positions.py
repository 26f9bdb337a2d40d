"""Positions: the same text seen in three encodings, at and past every edge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position

from impetus.errors import BadRequest
from impetus.lsp.positions import clamped_offset, line_count, line_start, offset_at, position_at, range_at, units

ENCODINGS = ("utf-8", "utf-16", "utf-32")

# text, offset of the character, its position as (line, utf-8, utf-16, utf-32)
PLACES = [
    ("", 0, (0, 0, 0, 0)),
    ("abc", 3, (0, 3, 3, 3)),
    ("a\nb", 2, (1, 0, 0, 0)),
    ("a\r\nb", 3, (1, 0, 0, 0)),
    ("a\rb", 2, (1, 0, 0, 0)),
    ("a\n", 2, (1, 0, 0, 0)),
    ("é=1", 1, (0, 2, 1, 1)),
    ("日本語x", 3, (0, 9, 3, 3)),
    ("a😋b", 2, (0, 5, 3, 2)),
    ("a😋😋b\n😋c", 6, (1, 4, 2, 1)),
    ("e\u0301x", 2, (0, 3, 2, 2)),  # a combining accent is a character of its own
    ("a\u2028b\x0cc\n", 5, (0, 7, 5, 5)),  # neither ends a line
    ("👩‍👩‍👧", 5, (0, 18, 8, 5)),
]


@pytest.mark.parametrize(("text", "offset", "place"), PLACES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_place_in_each_encoding(text: str, offset: int, place: tuple[int, ...], encoding: str) -> None:
    position = Position(place[0], place[1 + ENCODINGS.index(encoding)])
    assert position_at(text, offset, encoding) == position
    assert offset_at(text, position, encoding) == offset


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_past_the_end_of_a_line_is_its_end(encoding: str) -> None:
    for text in ("ab\ncd", "ab\r\ncd", "ab\rcd"):
        assert offset_at(text, Position(0, 2**31 - 1), encoding) == 2
    assert offset_at("日😋\nx", Position(0, 99), encoding) == 2


@pytest.mark.parametrize(("encoding", "middle"), [("utf-16", 2), ("utf-8", 2), ("utf-8", 3), ("utf-8", 4)])
def test_the_middle_of_a_character_is_its_start(encoding: str, middle: int) -> None:
    assert offset_at("a😋b", Position(0, middle), encoding) == 1


@pytest.mark.parametrize(("text", "lines"), [("", 1), ("a", 1), ("a\n", 2), ("a\r\nb\n", 3), ("a\rb\nc", 3)])
def test_a_line_that_is_not_there_is_an_error_for_requests_and_the_end_for_changes(text: str, lines: int) -> None:
    assert line_count(text) == lines
    assert line_start(text, lines) is None
    offset_at(text, Position(lines - 1, 0), "utf-16")
    with pytest.raises(BadRequest, match=f"which has {lines} lines") as caught:
        offset_at(text, Position(lines, 0), "utf-16")
    assert caught.value.parameter == "position"
    assert clamped_offset(text, Position(lines, 0), "utf-16") == len(text)
    assert clamped_offset(text, Position(2**31 - 1, 2**31 - 1), "utf-16") == len(text)


def test_a_range() -> None:
    found = range_at("ab\ncd", 1, 4, "utf-16")
    assert (found.start, found.end) == (Position(0, 1), Position(1, 1))


TEXTS = st.text(st.sampled_from("ab\n\ré日😋\u2028\t"), max_size=30)


@given(TEXTS, st.data(), st.sampled_from(ENCODINGS))
def test_every_offset_survives_the_way_there_and_back(text: str, data: st.DataObject, encoding: str) -> None:
    offset = data.draw(st.integers(0, len(text)))
    if text[max(0, offset - 1) : offset + 1] == "\r\n":
        return  # between the two halves of a line end there is no position
    assert offset_at(text, position_at(text, offset, encoding), encoding) == offset


@given(TEXTS)
def test_units_are_those_of_the_encodings(text: str) -> None:
    assert units(text, "utf-8") == len(text.encode())
    assert units(text, "utf-16") == len(text.encode("utf-16-le")) // 2
    assert units(text, "utf-32") == len(text)
