"""What a completion asks of the syntax tree."""

import gc
import sys

import pytest
import tree_sitter_python
from tree_sitter import Language, Parser

from impetus.domain.chunking import analyse
from impetus.domain.syntax import Place, enclosing_definition, error_count, parse, place


def at(text: str, language: str) -> Place:
    """Surroundings of the place marked with `|`."""
    before, _, after = text.partition("|")
    data = (before + after).encode()
    tree = parse(data, language)
    assert tree is not None
    return place(tree, data, len(before.encode()))


def test_parse_gives_nothing_without_a_grammar() -> None:
    assert parse(b"some words", "text") is None


def test_parse_gives_up_on_input_that_its_parser_cannot_bear() -> None:
    assert parse(b"- " * 400, "yaml") is None
    assert parse(b"<a " * 20_000, "csharp") is None
    assert parse(b"( " * 20_000, "go") is None


def test_error_count() -> None:
    for source, clean in ((b"def f(x):\n    return x\n", True), (b"def f(x:\n    return ]\n", False)):
        tree = parse(source, "python")
        assert tree is not None
        assert (error_count(tree) == 0) is clean


def test_enclosing_definition_is_the_innermost() -> None:
    found = analyse(b"class A:\n    x = 1\n\n    def m(self):\n        go()\n\n\ngo()\n", "python").outline
    names = [item.name if (item := enclosing_definition(found, line)) else None for line in (1, 2, 5, 8, 99)]
    assert names == ["A", "x", "m", None, None]


@pytest.mark.parametrize(
    ("text", "language", "quoted"),
    [
        ("x = 'ab|c'\n", "python", True),
        ("x = |'abc'\n", "python", False),
        ("x = 'abc'|\n", "python", False),
        ("x = 1  # why|\n", "python", True),
        ("x = f'{na|me}'\n", "python", False),
        ("call(1, |2)\n", "python", False),
        ("/* a| */ f();\n", "c", True),
        ("/* a */| f();\n", "c", False),
        ("f(); // a|", "c", True),
        ("const a = `x ${b|} y`\n", "typescript", False),
        ("const a = `x| ${b} y`\n", "typescript", True),
    ],
)
def test_quoted(text: str, language: str, quoted: bool) -> None:
    assert at(text, language).quoted is quoted


@pytest.mark.parametrize(
    ("text", "language", "empty"),
    [
        ("|", "python", True),
        ("def f(x):\n    |", "python", True),
        ("def f(x):\n    |\n\n\ndef g():\n    pass\n", "python", True),
        ("def f(x):\n    |\n    return x\n", "python", False),
        ("def f(x):\n    y = 1\n    |", "python", False),
        ("function f() {\n  |\n}\n", "javascript", True),
        ("function f() {\n  |\n  g()\n}\n", "javascript", False),
        ("function f() {\n  g()\n  |\n}\n", "javascript", False),
        ("if x; then\n  |\nfi\n", "bash", True),
        ("def f do\n  |\nend\n", "elixir", True),
    ],
)
def test_empty_block(text: str, language: str, empty: bool) -> None:
    assert at(text, language).empty_block is empty


@pytest.mark.parametrize("offset", [-5, 0, 3, 10_000])
def test_place_accepts_any_offset(offset: int) -> None:
    tree = parse(b"\xff\xfe x = '", "python")
    assert tree is not None
    assert isinstance(place(tree, b"\xff\xfe x = '", offset), Place)


def test_a_text_that_was_parsed_is_let_go() -> None:
    data = b"def f():\n    return 1\n" * 1_000
    held = sys.getrefcount(data)
    parse(data, "python")
    gc.collect()
    assert sys.getrefcount(data) == held


def test_parsing_leaves_nothing_in_memory() -> None:
    data = b"def f():\n    return 1\n"
    parse(data, "python")
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(500):
        parse(data, "python")
    gc.collect()
    assert sys.getallocatedblocks() - before < 250


@pytest.mark.parametrize("line", [b"def f():\n    return 'a'\n", "s = 'größer ✓'\n".encode(), b"x = (\n1,\n2)\n\n"])
def test_a_text_is_read_whole_however_long(line: bytes) -> None:
    data = line * (200_000 // len(line))
    tree = parse(data, "python")
    assert tree is not None
    assert str(tree.root_node) == str(Parser(Language(tree_sitter_python.language())).parse(data).root_node)
