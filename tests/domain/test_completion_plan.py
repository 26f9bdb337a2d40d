"""What is asked of the completion model: a cursor `|` in a text, and the shape expected there."""

import pytest

from impetus.domain.completion import PREFIX_CHARACTERS, SUFFIX_CHARACTERS, WINDOW_STEP, plan, window
from impetus.domain.types import Shape


@pytest.mark.parametrize(
    ("marked", "shape"),
    [
        ("x = |", Shape.LINE),
        ("call(|)", Shape.LINE),
        ("call(a|, b_long_argument)", Shape.NONE),
        ("x = a| + b", Shape.LINE),
        ("na|me = 1", Shape.NONE),
        ("def f(x):\n    |", Shape.BLOCK),
        ("def f(x):|", Shape.BLOCK),
        ("def f(x):\n    |\n\ndef g():\n    pass\n", Shape.BLOCK),
        ("def f(x):\n    |\n    return x\n", Shape.LINE),
        ("def f(x):\n    y = 1\n    |", Shape.LINE),
        ('x = "a:|', Shape.LINE),
        ("if x:  # why\n    |", Shape.BLOCK),
        ("|", Shape.NONE),
        ("\n\n|", Shape.NONE),
    ],
)
def test_shape_in_python(marked: str, shape: Shape) -> None:
    assert plan(marked.replace("|", ""), marked.index("|"), "python").shape is shape


@pytest.mark.parametrize(
    ("marked", "language", "shape"),
    [
        ("function f(a) {\n  |\n}\n", "javascript", Shape.BLOCK),
        ("function f(a) {\n  |\n  return a\n}\n", "javascript", Shape.LINE),
        ("func f() {\n\t|\n}\n", "go", Shape.BLOCK),
        ("interface Props {\n  title: |\n}\n", "typescript", Shape.LINE),
        ("switch (x) {\n  case 1:\n    |\n}\n", "javascript", Shape.BLOCK),
        ("some words:\n  |", "text", Shape.BLOCK),
        ("some words\n  |", "text", Shape.LINE),
    ],
)
def test_shape_in_other_languages(marked: str, language: str, shape: Shape) -> None:
    assert plan(marked.replace("|", ""), marked.index("|"), language).shape is shape


@pytest.mark.parametrize("marked", ["|", "na|me = 1", "call(a|, b_long_argument)"])
def test_asked_for_explicitly_there_is_always_something_to_try(marked: str) -> None:
    assert plan(marked.replace("|", ""), marked.index("|"), "python", explicit=True).shape is not Shape.NONE


def test_the_offset_is_kept_inside_of_the_text() -> None:
    assert plan("x = 1", 99, "python").left == "x = 1"
    assert plan("x = 1", -5, "python").left == ""


def test_the_window_is_bounded_and_made_of_whole_lines() -> None:
    text = "".join(f"line number {i}\n" for i in range(1000))
    offset = text.index("line number 600") + 4
    before, after = window(text, offset)
    assert len(before) <= PREFIX_CHARACTERS
    assert len(after) <= SUFFIX_CHARACTERS
    assert before.startswith("line number ")
    assert before.endswith("line")
    assert after.endswith("\n")


def test_the_window_begins_at_the_same_place_while_one_types() -> None:
    text = "".join(f"line number {i}\n" for i in range(1000))
    starts = set()
    for number in range(600, 600 + WINDOW_STEP):
        offset = text.index(f"line number {number}\n")
        for typed in range(8):
            before, _ = window(text[:offset] + "x" * typed, offset + typed)
            starts.add(before.split("\n", 1)[0])
    assert len(starts) <= 2


def test_one_enormous_line_is_cut() -> None:
    before, after = window("x" * 50_000, 25_000)
    assert (len(before), len(after)) == (PREFIX_CHARACTERS, SUFFIX_CHARACTERS)
