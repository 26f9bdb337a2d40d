"""Chunks cover the file, are cut where a reader would cut, and depend on the bytes and the language alone."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.domain.chunking import analyse
from impetus.domain.cuts import MAX_LINE, STANDARD
from impetus.domain.types import Analysis
from impetus.languages import languages
from tests.grammars.literate import read
from tests.grammars.test_literate import FILES

SOURCES = {file.stem: read(file).code for file in FILES}
LANGUAGES = st.sampled_from([*SOURCES, "text", "no such language"])
BROKEN = st.sampled_from(
    [b"\xff\xfe", b"\0", b"\r", b"\f", b"\xef\xbb\xbf", b"\t", b"(" * 50, b'"""', b"\xc3", b"}" * 9]
)


def check(data: bytes, analysis: Analysis) -> None:
    """What holds for every file whatever is in it."""
    chunks = analysis.chunks
    assert b"".join(data[chunk.start : chunk.end] for chunk in chunks) == data
    assert [chunk.start for chunk in chunks[1:]] == [chunk.end for chunk in chunks[:-1]]
    for chunk in chunks:
        assert 0 < chunk.end - chunk.start <= MAX_LINE
        assert chunk.start_line == data.count(b"\n", 0, chunk.start) + 1
        assert chunk.end_line == data.count(b"\n", 0, chunk.end - 1) + 1
        assert len(chunk.id) == 32
    for before, after in itertools.pairwise(chunks):
        at_line_start = data[after.start - 1 : after.start] == b"\n"
        line = data[data.rfind(b"\n", 0, after.start) + 1 :].split(b"\n", 1)[0]
        assert at_line_start or len(line) >= MAX_LINE, "a cut inside a line that is not too long"
        assert at_line_start or before.end - before.start > MAX_LINE - 4
    for item in analysis.outline.definitions:
        assert 0 <= item.start < item.end <= len(data)
        assert 1 <= item.start_line <= item.name_line <= item.end_line
        assert item.name and "\n" not in item.signature + item.doc


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=3_000), LANGUAGES)
def test_any_bytes(data: bytes, language: str) -> None:
    check(data, analyse(data, language))


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="ab(){}[]<>;:\"'#/*-= \n\r\té漢😀", max_size=6_000), LANGUAGES)
def test_any_text(text: str, language: str) -> None:
    check(text.encode(), analyse(text.encode(), language))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SOURCES)), st.data())
def test_broken_sources(language: str, draw: st.DataObject) -> None:
    """Cut off, spliced, repeated, with other line ends: what a file looks like while somebody types."""
    source = SOURCES[language]
    start = draw.draw(st.integers(0, len(source)))
    end = draw.draw(st.integers(start, len(source)))
    middle = draw.draw(BROKEN | st.just(b"") | st.sampled_from(list(SOURCES.values())))
    data = source[:start] + middle + source[end:]
    data = draw.draw(st.sampled_from([data, data * 4, data.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + data]))
    analysis = analyse(data, language)
    check(data, analysis)
    assert analyse(data, language) == analysis


@pytest.mark.parametrize("language", [*languages(), "text"])
def test_empty(language: str) -> None:
    analysis = analyse(b"", language)
    assert analysis.chunks == ()
    assert analysis.outline.definitions == ()
    assert analysis.size == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\n" * 20_000,
        b"x" * 50_000,
        "é漢😀".encode() * 9_000,
        b"\x80" * 20_000,
        b"1\n" * 20_000,
        b"\r" * 10_000,
        b"a = 1\r\n" * 3_000,
        b" " * 9_000 + b"x\n" + b"y" * 9_000,
        b"[" * 20_000,
    ],
    ids=["blank", "one line", "wide", "invalid", "short lines", "carriage returns", "crlf", "spaces", "brackets"],
)
@pytest.mark.parametrize("language", ["python", "json", "text"])
def test_strange_files(data: bytes, language: str) -> None:
    check(data, analyse(data, language))


def test_long_lines_are_split_between_characters() -> None:
    for chunk in analyse((data := "漢".encode() * 5_000), "text").chunks:
        data[chunk.start : chunk.end].decode("utf-8")


def test_hopeless_input_falls_back_to_text() -> None:
    nested = b"- " * 5_000 + b"x\n"  # would overrun the YAML parser
    analysis = analyse(nested, "yaml")
    check(nested, analysis)
    assert analysis.outline.definitions == ()
    assert {chunk.kind for chunk in analysis.chunks} == {"text"}


def test_identity_follows_content_language_and_header() -> None:
    source = SOURCES["python"]
    first, again, other = analyse(source, "python"), analyse(source, "python"), analyse(source, "text")
    assert [chunk.id for chunk in first.chunks] == [chunk.id for chunk in again.chunks]
    assert first.blob == again.blob != other.blob
    assert first.chunks[0].id != other.chunks[0].id
    # The same slice in another class is another chunk.
    body = "".join(f"    def step_{number}(self):\n        return run({number} * 31)\n\n" for number in range(60))
    one, two = (analyse(f"class {name}:\n{body}".encode(), "python").chunks for name in ("One", "Two"))
    same = [(a, b) for a, b in zip(one, two, strict=True) if a.scope]
    assert same
    assert all(a.id != b.id for a, b in same)


def test_an_edit_changes_only_nearby_chunks() -> None:
    functions = [f"def work_{number}(value):\n" + "    value += compute(value)\n" * 30 + "\n\n" for number in range(20)]
    before = analyse("".join(functions).encode(), "python")
    functions[10] = functions[10].replace("compute", "guess")
    after = analyse("".join(functions).encode(), "python")
    changed = {chunk.id for chunk in before.chunks} ^ {chunk.id for chunk in after.chunks}
    assert len(before.chunks) >= 10
    assert 0 < len(changed) <= 4


def test_functions_are_cut_at_their_beginnings_with_comments_and_decorators() -> None:
    part = "# About {0}.\n@traced\ndef {0}(value):\n" + "    value += compute(value)\n" * 35 + "\n\n"
    data = "".join(part.format(name) for name in ("first", "second", "third")).encode()
    chunks = analyse(data, "python").chunks
    assert [data[chunk.start : chunk.start + 8] for chunk in chunks] == [b"# About "] * 3
    assert [chunk.symbols for chunk in chunks] == [("first",), ("second",), ("third",)]
    assert [chunk.header for chunk in chunks] == ["", "", ""]


def test_a_long_function_is_opened_and_its_parts_say_where_they_are() -> None:
    step = "        total = total + weigh(item, {0})\n        if total > {0}:\n            report(total)\n\n"
    body = "".join(step.format(number) for number in range(60))
    data = f"class Scale:\n    def sum(self, item):\n        total = 0\n{body}        return total\n".encode()
    chunks = analyse(data, "python").chunks
    assert len(chunks) > 3
    for chunk in chunks[1:]:
        assert chunk.scope == ("Scale", "sum")
        assert chunk.signature == "def sum(self, item):"
        assert data[chunk.start : chunk.end].lstrip().startswith(b"total = ")
        assert chunk.kind == "code"


def test_closers_stay_with_what_they_close() -> None:
    block = "  if (ready) {\n" + "    run(first, second)\n" * 60 + "  }\n"
    data = ("function go() {\n" + block * 4 + "}\n").encode()
    for chunk in analyse(data, "javascript").chunks:
        assert not data[chunk.start : chunk.end].lstrip().startswith(b"}")


def test_sizes_are_near_the_target() -> None:
    data = "".join(
        f"def work_{number}(value):\n" + "    value += compute(value)\n" * (number % 7 + 2) + "\n\n"
        for number in range(99)
    ).encode()
    sizes = [chunk.end - chunk.start for chunk in analyse(data, "python").chunks[:-1]]
    assert min(sizes) >= STANDARD.small / 2
    assert max(sizes) <= STANDARD.merged


def test_plain_text_is_cut_between_paragraphs() -> None:
    data = ("\n".join(["A sentence of ordinary length that says little."] * 12) + "\n\n").encode() * 6
    for chunk in analyse(data, "text").chunks:
        assert chunk.kind == "text"
        assert data[chunk.start : chunk.end].endswith(b"\n\n")


def test_markdown_scope_is_the_path_of_headings() -> None:
    text = "A sentence of ordinary length that says little.\n\n" * 40
    data = f"# Guide\n\n{text}## Setup\n\n{text}".encode()
    last = analyse(data, "markdown").chunks[-1]
    assert last.scope == ("Guide", "Setup")
    assert last.signature == "## Setup"
