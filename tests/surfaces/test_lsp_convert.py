"""URIs and languages: what editors send against what the rest of Impetus works with."""

import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lsprotocol.types import Position, Range

from impetus.domain.types import Definition, Document, Hit, SymbolHit
from impetus.errors import BadRequest
from impetus.lsp import convert, protocol


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("file:///home/me/a.py", "/home/me/a.py"),
        ("file:///home/me/a%20b.py", "/home/me/a b.py"),
        ("file:///home/me/a b.py", "/home/me/a b.py"),  # not escaped, as some clients send it
        ("file:///home/me/%E6%97%A5.py", "/home/me/日.py"),
        ("file:///home/me/日.py", "/home/me/日.py"),
        ("file:///home/me/a%23b%3Fc.py", "/home/me/a#b?c.py"),
        ("file:///home/me/a#b?c.py", "/home/me/a#b?c.py"),
        ("file:///home/me/100%.py", "/home/me/100%.py"),
        ("file://localhost/home/me/a.py", "/home/me/a.py"),
        ("file:/home/me/a.py", "/home/me/a.py"),
        ("/home/me/a.py", "/home/me/a.py"),
        ("untitled:Untitled-1", "untitled:Untitled-1"),
        ("vscode-notebook-cell:/home/me/a.ipynb#W0", "vscode-notebook-cell:/home/me/a.ipynb#W0"),
        ("git:/home/me/a.py?ref", "git:/home/me/a.py?ref"),
        ("file:///C%3A/Users/me/a.py", "file:///C%3A/Users/me/a.py"),
        ("file:///c:/Users/me/a.py", "file:///c:/Users/me/a.py"),
        ("file:///a%00b", "file:///a%00b"),
        ("file://[broken", "file://[broken"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_the_key_of_a_document(uri: str, key: str) -> None:
    assert convert.key_of(uri) == key


@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_a_path_survives_the_way_there_and_back(parts: list[str]) -> None:
    path = Path("/", *(part for part in parts if part not in (".", "..")), "x")
    assume(not re.match(r"/[A-Za-z]:/", str(path)))  # taken for a Windows drive, which is no file here
    assert convert.path_of(convert.uri_of(path)) == path


def test_a_file_name_that_is_no_text_survives(tmp_path: Path) -> None:
    path = tmp_path / "\udcff.py"
    assert "%FF" in convert.uri_of(path)
    assert convert.path_of(convert.uri_of(path)) == path


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert convert.clean("a\ud83db") == "a\ufffdb"
    assert convert.clean("a😋") == "a😋"


@pytest.mark.parametrize(
    ("key", "text", "language_id", "language"),
    [
        ("/a/b.py", "", "plaintext", "python"),
        ("/a/b.tsx", "", "typescriptreact", "tsx"),
        ("/a/run", "#!/bin/bash\n", "plaintext", "bash"),
        ("untitled:Untitled-1", "", "shellscript", "bash"),
        ("untitled:Untitled-1", "", "python", "python"),
        ("untitled:Untitled-1", "", "klingon", "text"),
    ],
)
def test_the_language_of_a_document(key: str, text: str, language_id: str, language: str) -> None:
    assert convert.language_of(key, text, language_id) == language


@pytest.mark.parametrize(
    ("start", "end", "lines"),
    [
        ((1, 0), (1, 0), (2, 2)),  # a bare cursor
        ((0, 0), (1, 0), (1, 1)),  # up to the start of the next line
        ((0, 1), (1, 1), (1, 2)),
        ((0, 0), (3, 0), (1, 3)),
        ((3, 0), (3, 0), (4, 4)),
    ],
)
def test_the_lines_of_a_selection(start: tuple[int, int], end: tuple[int, int], lines: tuple[int, int]) -> None:
    document = Document("/a.py", "one\ntwo\nthree\n", 1)
    selected = convert.selection(document, Range(Position(*start), Position(*end)), "utf-16")
    assert (selected.start_line, selected.end_line) == lines


def test_a_selection_that_is_turned_round_is_an_error() -> None:
    document = Document("/a.py", "one\ntwo\n", 1)
    with pytest.raises(BadRequest, match="ends before it starts"):
        convert.selection(document, Range(Position(1, 0), Position(0, 0)), "utf-16")


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 7), ("utf-16", 5), ("utf-32", 4)])
def test_a_passage_ends_where_its_last_line_ends(encoding: str, character: int) -> None:
    hit = Hit(Path("/p"), "a b.py", 3, 4, 0.5, "first\nx=😋\n".replace("x=😋", "x=😋 "), "python", "f", "function")
    passage = convert.passage(hit, encoding)
    assert passage.uri == "file:///p/a%20b.py"
    assert passage.range == Range(Position(2, 0), Position(3, character))


def test_a_symbol_leads_to_the_line_of_its_name() -> None:
    definition = Definition("run", "method", 0, 9, 3, 9, name_line=5, scope=("App",))
    symbol = convert.symbol(SymbolHit(Path("/p"), "a.py", definition))
    assert (symbol.name, symbol.container_name, symbol.kind) == ("run", "App", 6)
    assert symbol.location.range.start == Position(4, 0)


def test_roles_of_the_history() -> None:
    turns = [protocol.ChatMessage(role="user", content="a"), protocol.ChatMessage(role="assistant", content="b")]
    assert [message.role.value for message in convert.history(turns)] == ["user", "assistant"]
    with pytest.raises(BadRequest, match="'system' is unknown"):
        convert.history([protocol.ChatMessage(role="system", content="obey")])
