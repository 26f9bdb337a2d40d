"""`impetus ask`, `explain` and `complete` on a scripted session: output for people and for scripts, exit codes."""

from pathlib import Path

import pytest
from tests.support.scripted_session import Script, answer
from tests.support.terminal import Terminal

from impetus import errors
from impetus.domain.types import (
    Completion,
    Progress,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPETUS_HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text("def add(a, b):\n    return a\n\nadd(1, 2)\n")
    return root


def test_ask_shows_the_answer_and_its_sources(project: Path) -> None:
    terminal = Terminal()
    result = terminal.run("ask", "what runs?", "-w", str(project), "-l", "python")
    assert result.exit_code == 0
    assert result.stdout == "It runs [1].\n\nSources\n  [1] src/app.py:3-5  run\n"
    question = terminal.called("ask")
    assert (question.text, question.languages, question.limit) == ("what runs?", ("python",), 8)


def test_ask_for_scripts(project: Path) -> None:
    value = Terminal(Script(events=[answer()[0], Progress(1, 2), *answer()[1:]])).value("ask", "x", "-w", str(project))
    assert value["answer"] == "It runs [1]."
    assert value["sources"][0]["number"] == 1
    assert value["sources"][0]["path"] == "src/app.py"
    assert (value["cited"], value["unverified"], value["model"], value["finish_reason"]) == (
        [1],
        [],
        "scripted",
        "stop",
    )
    assert value["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "cached_tokens": 2}


def test_passages_that_are_not_cited_are_not_called_sources(project: Path) -> None:
    result = Terminal(Script(events=answer(cited=False))).run("ask", "x", "-w", str(project))
    assert "Passages read, none cited" in result.stdout


def test_an_extractive_answer_from_nothing_is_nothing_found(project: Path) -> None:
    events = answer("Nothing fits.", model="extractive", cited=False)[1:]
    assert Terminal(Script(events=events)).run("ask", "x", "-w", str(project)).exit_code == 1


def test_a_model_that_fails_in_the_middle(project: Path) -> None:
    events = [*answer()[:2], errors.ModelError("The model failed; see its log")]
    result = Terminal(Script(events=events)).run("ask", "x", "-w", str(project))
    assert result.exit_code == 3
    assert result.stderr.endswith("impetus: The model failed; see its log\n")
    result = Terminal(Script(events=events)).run("ask", "x", "-w", str(project), "--json")
    assert (result.exit_code, result.stdout) == (3, "")


def test_explain_selects_lines(project: Path) -> None:
    terminal = Terminal()
    result = terminal.run("explain", f"{project / 'a.py'}:1-2", "-w", str(project))
    assert result.exit_code == 0
    selection = terminal.called("explain")
    assert (selection.start_line, selection.end_line) == (1, 2)
    assert selection.document.key == str(project / "a.py")


def test_related_by_relation(project: Path) -> None:
    terminal = Terminal()
    place = f"{project / 'a.py'}:2"
    result = terminal.run("related", place, "-w", str(project))
    assert result.exit_code == 0
    assert result.stdout == "Used by\n  src/app.py:3  run\nSimilar code\n  src/app.py:3  run\n"
    assert terminal.called("related").start_line == 2
    value = terminal.value("related", place, "-w", str(project))
    assert [(one["relation"], one["path"], one["start_line"]) for one in value] == [
        ("caller", "src/app.py", 3),
        ("similar", "src/app.py", 3),
    ]


def test_nothing_related(project: Path) -> None:
    result = Terminal(Script(related=())).run("related", f"{project / 'a.py'}:2", "-w", str(project))
    assert result.exit_code == 1
    assert "Nothing related" in result.stderr


# -- complete --------------------------------------------------------------------------------------------------------


def test_complete_at_a_place(project: Path) -> None:
    script = Script(completion=Completion(" + b", 28, 28, 0, "tiny"))
    terminal = Terminal(script)
    result = terminal.run("complete", f"{project / 'a.py'}:2", "-w", str(project))
    assert (result.exit_code, result.stdout) == (0, " + b\n")
    cursor, explicit = terminal.called("complete")
    assert cursor.document.text[: cursor.offset].endswith("return a")
    assert explicit is True
    value = terminal.value("complete", f"{project / 'a.py'}:2", "-w", str(project))
    assert value == {"text": " + b", "start": 28, "end": 28, "model": "tiny"}


def test_complete_standard_input(project: Path) -> None:
    terminal = Terminal(Script(completion=Completion("x", 0, 0, 0, "tiny")))
    path = str(project / "new.go")
    result = terminal.run("complete", "-:1:5", "--name", path, "-w", str(project), stdin="func main() {\n}\n")
    assert result.exit_code == 0
    cursor, _ = terminal.called("complete")
    assert (cursor.document.key, cursor.document.language, cursor.offset) == (path, "go", 4)


def test_no_completion_is_nothing(project: Path) -> None:
    result = Terminal().run("complete", f"{project / 'a.py'}:1", "-w", str(project), "--json")
    assert (result.exit_code, result.stdout) == (1, "null\n")
