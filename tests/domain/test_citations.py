"""Which citations an answer makes and which of them hold."""

from pathlib import Path

import pytest

from impetus.domain.citations import check, cited_numbers, stands
from impetus.domain.types import Hit, Source


def source(number: int) -> Source:
    return Source(number, Hit(Path("/r"), "a.py", 1, 1, 1.0, "x = 1"))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It does [1].", (1,)),
        ("See [2], [1, 3] and [2][4].", (2, 1, 3, 4)),
        ("Start with [12]", (12,)),
        ("`items[0]` and ``a [1] b`` are code [2]", (2,)),
        ("```python\nx = [1]\n```\nbut [3]", (3,)),
        ("~~~\n[1]\n~~~\n[2]", (2,)),
        ("an open fence\n```\n[1]", ()),
        ("a [1](http://x) link\n[2]: a footnote", ()),
        ("- `f` in [2]: what it does", (2,)),
        ("a list [] and a [word] and [1.5]", ()),
    ],
)
def test_cited_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert cited_numbers(text) == numbers


def test_check_separates_true_from_unfounded() -> None:
    sources = [source(1), source(2), source(3)]
    cited, unverified = check("A [1]. B [2]. C [7].", sources, {1, 3})
    assert cited == (sources[0],)
    assert unverified == (2, 7)


def test_a_number_behind_a_word_counts_only_when_it_names_a_source() -> None:
    sources = [source(1), source(2)]
    assert check("the loop[1] reads argv[9] and field[2].", sources, {1}) == ((sources[0],), (2,))


def test_a_passage_stands_at_its_lines_or_moved_and_not_when_changed() -> None:
    hit = Hit(Path("/r"), "a.py", 2, 3, 1.0, "def f():\n    return 1")
    assert stands(hit, "import x\ndef f():\n    return 1\n")
    assert stands(hit, "import x\r\ndef f():\r\n    return 1\r\n")
    assert stands(hit, "import x\nimport y\n\ndef f():\n    return 1\n")
    assert not stands(hit, "import x\ndef f():\n    return 2\n")
    assert not stands(Hit(Path("/r"), "a.py", 1, 1, 1.0, "  "), "  ")


def test_a_stripped_line_stands_at_its_line() -> None:
    assert stands(Hit(Path("/r"), "a.py", 2, 2, 1.0, "call(x)"), "if x:\n    call(x)\n")
