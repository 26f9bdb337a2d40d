"""What an edit asks for elsewhere."""

import pytest

from impetus.domain.chunking import analyse
from impetus.domain.next_edit import Renamed, Resigned, call_arguments, changes, keyword, nearest, uses
from impetus.domain.types import Outline


def outline(text: str, language: str = "python") -> Outline:
    return analyse(text.encode(), language).outline


def changed(before: str, after: str, language: str = "python") -> list[tuple[str, ...]]:
    found = []
    for change in changes(before, outline(before, language), after, outline(after, language)):
        if isinstance(change, Renamed):
            found.append(("renamed", change.old, change.new))
        elif isinstance(change, Resigned):
            found.append(("resigned", change.after.name, *(change.renamed or ())))
    return found


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("def total(a):\n    return a\n", "def sum_of(a):\n    return a\n", [("renamed", "total", "sum_of")]),
        ("class Old:\n    def a(self): ...\n", "class New:\n    def a(self): ...\n", [("renamed", "Old", "New")]),
        ("def f(a, b):\n    return a\n", "def f(a, c):\n    return a\n", [("resigned", "f", "b", "c")]),
        ("def f(a):\n    return a\n", "def f(a, b):\n    return a\n", [("resigned", "f")]),
        ("def f(a):\n    return a\n", "def f(a):\n    return a + 1\n", []),
        ("def f(a):\n    return a\n", "", []),
        ("def f(a):\n    return a\n", "class K:\n    def g(self):\n        pass\n", []),
        ("def f():\n    one()\n    two()\n", "def g():\n    other\n    else_\n    entirely\n", []),
    ],
    ids=["function", "class", "parameter", "one more parameter", "body", "deleted", "another kind", "another text"],
)
def test_changes_of_definitions(before: str, after: str, expected: list[tuple[str, ...]]) -> None:
    assert changed(before, after) == expected


def test_changes_in_another_language() -> None:
    before = "export function total(a: number) {\n  return a\n}\n"
    assert changed(before, before.replace("total", "sum"), "typescript") == [("renamed", "total", "sum")]


def test_uses_are_identifiers_outside_of_strings_and_comments() -> None:
    text = 'é = total  # total\nx = "total" + f"{total}"\ntotals = obj.total()\n'
    assert [text[s:e] for s, e in uses(text, "python", "total")] == ["total"] * 3
    assert uses("total", "text", "total") == []


def test_the_arguments_of_calls() -> None:
    text = 'f(1, g(")"), x)\nf (2)\nf\ndef k(): f(\n'
    assert [text[s:e] for s, e in call_arguments(text, "python", "f")] == ['1, g(")"), x', "2"]


def test_a_keyword_stands_directly_in_the_arguments() -> None:
    text = "f(a=1, g(b=2), b = 3)"
    start, end = keyword(text, 2, len(text) - 1, "b") or (0, 0)
    assert (text[start:end], start) == ("b", 15)
    assert keyword(text, 2, len(text) - 1, "c") is None
    assert keyword("f(a == 1)", 2, 8, "a") is None


def test_what_lies_behind_the_cursor_comes_first() -> None:
    assert nearest([(1, 2), (5, 6), (9, 10)], 4) == [(5, 6), (9, 10), (1, 2)]
