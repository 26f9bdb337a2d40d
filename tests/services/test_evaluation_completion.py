"""Holes and their scores: cut where they can be filled, the same for the same seed, compared without white space."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.scripted_session import Script, ScriptedEngine

from impetus.domain.types import Completion
from impetus.errors import BadRequest, NotFound
from impetus.services.evaluation_completion import edit_similarity, evaluate_holes, first_line, score, summarize
from impetus.services.evaluation_holes import Hole, cut_holes, labeled_holes, read_holes, sampled

PYTHON = "def add(first, second):\n    return first + second\n\n\nTOTAL = add(1, 2)\n"
GO = "package main\n\nfunc add(a, b int) int {\n\treturn a + b\n}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "add.py": PYTHON,
        "add.go": GO,
        "notes.md": "# words\n" * 9,
        "data.json": "[1,\n2,\n3]\n",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


PATHS = ("add.py", "add.go", "notes.md", "data.json", "gone.py")


def test_a_hole_and_what_it_expects_are_the_file(folder: Path) -> None:
    for hole in cut_holes(folder, PATHS, 40, seed=3):
        whole = hole.text[: hole.offset] + hole.expected + hole.text[hole.offset :]
        assert whole == (folder / hole.path).read_text()
        assert len(hole.expected) >= 2 and "\n" not in hole.expected
        assert hole.text[hole.offset : hole.offset + 1] in ("\n", "")


def test_holes_are_of_code_alone_and_languages_take_turns(folder: Path) -> None:
    holes = cut_holes(folder, PATHS, 10, seed=0)
    assert sorted(hole.language for hole in holes) == ["go"] * 5 + ["python"] * 5


def test_the_seed_decides(folder: Path) -> None:
    assert cut_holes(folder, PATHS, 12, seed=5) == cut_holes(folder, reversed(PATHS), 12, seed=5)
    assert cut_holes(folder, PATHS, 12, seed=5) != cut_holes(folder, PATHS, 12, seed=6)


def test_a_folder_without_code_has_no_holes(folder: Path) -> None:
    assert cut_holes(folder, ("notes.md", "gone.py"), 5, seed=0) == []
    with pytest.raises(BadRequest, match="no line to complete"):
        summarize([])


def test_labeled_holes_are_found_in_their_checkout(folder: Path) -> None:
    labels = folder / "holes.jsonl"
    labels.write_text(
        '{"repo": "someone/adder", "file": "add.py", "line": 1, "character": 11}\n'
        '{"repo": "someone/adder", "file": "add.py", "line": 99, "character": 0}\n'
    )
    rows = read_holes(folder)
    assert rows.keys() == {"adder"} and read_holes(labels) == rows
    (hole,) = labeled_holes(folder, rows["adder"])
    assert hole.expected == "first + second" and hole.text.startswith("def add(first, second):\n    return \n")
    assert sampled([hole], 5, 0) == [hole]


def test_labels_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"holes\.jsonl"):
        read_holes(tmp_path)
    (tmp_path / "holes.jsonl").write_text('{"file": "a.py"}\n')
    with pytest.raises(BadRequest, match="format of holes"):
        read_holes(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("", "", 1.0), ("abc", "abc", 1.0), ("abc", "", 0.0), ("kitten", "sitting", 1 - 3 / 7), ("ab", "ba", 0.0)],
)
def test_edit_similarity(first: str, second: str, expected: float) -> None:
    assert edit_similarity(first, second) == pytest.approx(expected)


def test_white_space_around_does_not_count() -> None:
    hole = Hole("a.py", "python", "x = \n", 4, "1 + 2 ")
    assert score(hole, " 1 + 2").exact
    assert not score(hole, "1 +  2").exact


def test_of_a_block_the_first_line_counts() -> None:
    completion = Completion("one\n    two", 0, 0, 1, "model")
    assert first_line(completion) == "one"
    assert first_line(replace(completion, text="\none")) == "one"
    assert first_line(None) == ""


async def test_every_hole_is_asked_for_as_an_open_document(folder: Path) -> None:
    engine = ScriptedEngine(Script(completion=Completion("first + second", 0, 0, 1, "scripted")))
    session = engine.session()
    start = PYTHON.index("first + second")
    text = PYTHON[:start] + PYTHON[start + len("first + second") :]
    holes = [Hole("add.py", "python", text, start, "first + second"), Hole("add.go", "go", "x := \n", 5, "1")]
    times = iter((0.0, 0.5, 1.0, 1.1))
    answers: list[str] = []
    scores = await evaluate_holes(
        session,  # type: ignore[arg-type]
        folder,
        holes,
        clock=lambda: next(times),
        report=lambda hole, answer: answers.append(answer),
    )
    figures = summarize(scores).as_json()
    assert answers == ["first + second"] * 2
    assert figures["exact_match"] == 0.5 and figures["by_language"] == {"go": 0.0, "python": 1.0}
    assert figures["count"] == 2 and figures["seconds_p50"] == pytest.approx(0.3)
    assert not session.documents.snapshot(), "documents are closed again"
    asked = [call for call in session.calls if call[0] == "complete"]
    assert len(asked) == 2
