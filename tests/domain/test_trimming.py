"""What is kept of a model's answer. `|` marks the cursor. What models really wrote is in `test_bad_outputs.py`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.completion import plan
from impetus.domain.trimming import MAX_BLOCK_LINES, finished, trim, whole_lines


def kept(marked: str, raw: str, language: str = "python") -> str | None:
    return trim(raw, plan(marked.replace("|", "", 1), marked.index("|"), language, explicit=True))


@pytest.mark.parametrize(
    ("reason", "marked", "raw", "expected"),
    [
        ("rest of the line", "x = |\ny = 2\n", "compute(1)\ny = 2\n", "compute(1)"),
        ("windows line ends", "x = |\n", "1\r\ny = 2\r\n", "1"),
        ("nothing to add to a line", "x = 1|\n", "\ny = 2", None),
        ("only white space", "x = |\n", "   \n\n", None),
        ("trailing space", "x = |\n", "1   \n", "1"),
        ("leaked control token", "x = |\n", "1<|fim_middle|>junk", "1"),
        ("leaked control token at once", "x = |\n", "<|endoftext|>x", None),
        ("leaked token of another family", "x = |\n", "f(1)<file_sep>a", "f(1)"),
        ("the closer is there already", "call(|)\n", "a, b)\n", "a, b"),
        ("a closer that belongs to it", "call(|)\n", "g(a))\n", "g(a)"),
        ("the rest of the line repeated", "x = |, 2)\n", "(1, 2)\n", "(1"),
        ("a closer too many", "x = |\n", "a[0]]\n", "a[0]"),
        ("a closer in a string", "x = |\n", "')' + y\n", "')' + y"),
        ("an apostrophe is no string", "say(|)\n", "don't)\n", "don't"),
        ("echo of the line above", "foo(bar)\n|\n", "foo(bar)\n", None),
        ("echo of the line below", "|\nfoo(bar)\n", "foo(bar)\n", None),
        ("the same statement at another depth", "if a:\n    return False\n|\n", "return False\n", "return False"),
        ("going in circles", "x = |\n", "a + b + a + b + a + b + a + b", None),
        ("block", "def f(x):\n    |\n", "y = x\n    return y\n\ndef g():\n", "y = x\n    return y"),
        ("block after the colon", "def f(x):|\n", "\n    return x\n\nprint(f)\n", "\n    return x"),
        ("block cut at dedent", "if a:\n    |\nb()\n", "c()\n    d()\nb()\n", "c()\n    d()"),
        ("block that repeats itself", "def f():\n    |\n", "a(1)\n    a(1)\n    a(1)\n", "a(1)"),
        ("block that runs into the following lines", "def f():\n    |\n\nz = 1\n", "y = 2\n\nz = 1\n", "y = 2"),
        ("a second space", "x = |\n", " 1\n", "1"),
        ("the name before the dot again", "d = zlib.|\n", "zlib.decompress(x)\n", "decompress(x)"),
        ("the dotted name again", "return self.items.|\n", "self.items.pop()\n", "pop()"),
        ("the beginning of the name again", "x = resp|\n", "response.text\n", "onse.text"),
        ("the word again", "from a import |\n", "import b, c\n", None),
        ("a word that only begins alike", "x = in |\n", "index\n", "index"),
        ("a name that comes twice", "x = a|\n", "a.b\n", "a.b"),
        ("a comment where code was begun", "yield |\n", " # nothing\n", None),
        ("a comment that goes on", "# see |\n", "# 3\n", "# 3"),
        ("a comment after a statement", "x = 1|\n", "  # the first\n", "  # the first"),
        ("a number with many zeros", "x = |\n", "1_000_000_000_000\n", "1_000_000_000_000"),
        ("a rule across the page", "# |\n", "-" * 70 + "\n", "-" * 70),
        ("a space more than the indentation", "if a:\n    b = 1\n    |\n", " c = 2\n", "c = 2"),
        ("closers that are there, and more behind them", "f({a|})\nb\n", "b: 1 }).then()\n", "b: 1"),
        ("the next line said by a longer block", "def f():\n    |\n    go()\n", "go()\n    stop()\n", None),
        ("incomplete character", "x = |\n", "'é\ufffd", "'é"),
    ],
)
def test_python(reason: str, marked: str, raw: str, expected: str | None) -> None:
    assert kept(marked, raw) == expected


@pytest.mark.parametrize(
    ("marked", "raw", "expected"),
    [
        ("function f(a) {|", "\n  return a\n}\n\nfunction g() {}", "\n  return a\n}"),
        ("function f(a) {\n  |\n}\n", "return a\n}\n", "return a"),
        ("f(function () {|})\n", "\n  g()\n})\n", None),
        ("f(function () {|})\n", " g() })\n", " g() "),
        ("const a = |\n", "f({\n  b: 1,\n})\nnext()\n", "f({\n  b: 1,\n})"),
        ("const a = |\n", "f({\n  b: 1,\nnext()\n", None),
        ("if (a) |\n}\n", "{\n  g()\n", "{"),
        ("f(|)\n", "g(\n", None),
        ("if |", "(a < b) {\n", "(a < b)"),
        ("const a = |", "b = {", None),
    ],
)
def test_braces(marked: str, raw: str, expected: str | None) -> None:
    assert kept(marked, raw, "javascript") == expected


@pytest.mark.parametrize(
    ("marked", "raw", "whole"),
    [
        ("def f():\n    |\n", "a = 1\n    b = so", "a = 1"),
        ("def f():\n    |\n", "a = so", "a = so"),
        ("def f():|\n", "\n    a = so", "\n    a = so"),
        ("x = |\n", "1\ny", "1\ny"),
    ],
)
def test_a_block_that_was_cut_off_loses_its_last_line(marked: str, raw: str, whole: str) -> None:
    assert whole_lines(raw, plan(marked.replace("|", "", 1), marked.index("|"), "python")) == whole


def test_a_block_has_a_longest_length() -> None:
    raw = "".join(f"    a{i} = {i}\n" for i in range(40)).lstrip()
    found = kept("def f():\n    |\n", raw)
    assert found is not None
    assert found.count("\n") == MAX_BLOCK_LINES - 1


@pytest.mark.parametrize(
    ("marked", "raw", "done"),
    [
        ("x = |\n", "comp", False),
        ("x = |\n", "compute()\n", True),
        ("x = |\n", "compute(\n    1,\n", False),
        ("x = |\n", "compute(\n    1,\n)\n", True),
        ("def f():\n    |\n", "a = 1\n    b", False),
        ("def f():\n    |\n", "a = 1\n    b = 2\nc", True),
    ],
)
def test_finished_as_soon_as_more_text_would_be_cut(marked: str, raw: str, done: bool) -> None:
    assert finished(raw, plan(marked.replace("|", ""), marked.index("|"), "python")) is done


CODE = st.text(alphabet="ab ()[]{}\"'`:,\n\t\\#=", max_size=60)


@given(CODE, CODE, CODE)
def test_whatever_comes_the_result_is_clean(before: str, after: str, raw: str) -> None:
    chosen = plan(before + after, len(before), "python", explicit=True)
    found = trim(raw, chosen)
    if found is not None:
        assert found.strip()
        assert found.count("\n") < MAX_BLOCK_LINES
        assert found in raw.replace("\r\n", "\n") or found in raw.lstrip("\n")


def test_a_block_that_begins_like_the_next_one_is_dropped() -> None:
    marked = "void f() {\n  |\n  for (auto _ : s) {\n    g();\n  }\n}\n"
    assert kept(marked, "for (auto _ : s) {\n    h();\n  }\n", "cpp") is None
    assert kept(marked, "for (auto _ : t) {\n    h();\n  }\n", "cpp") is not None


def test_words_that_only_close_may_follow_each_other() -> None:
    assert kept("def f\n  if a\n  e|\nend\n", "nd\n", "ruby") == "nd"


def test_a_bracket_inside_of_what_the_suffix_closes_is_closed_by_the_text() -> None:
    assert kept("run(() => {\n  a = call(`\n    b\n  |\n})\n", "`)\n", "javascript") == "`)"
