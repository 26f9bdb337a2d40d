"""`impetus eval completion` on a tiny project with the bundled model: figures for scripts and for people."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from impetus.cli.main import app

KEYS = {"exact_match", "edit_similarity", "count", "by_language", "seconds_p50"}
CODE = "def delay(attempt):\n    return 2 ** attempt\n\n\nfor attempt in range(3):\n    print(delay(attempt))\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("IMPETUS_HOME", str(home))
    return home


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Path:
    project = tmp_path / "retrier"
    project.mkdir()
    (project / "retry.py").write_text(CODE)
    return project


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["eval", "completion", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_figures_for_scripts_with_and_without_other_files(project: Path, home: Path) -> None:
    code, out, notes = run("--folder", str(project), "--count", "2", "--seed", "1", "--json")
    assert code == 0, notes
    value = json.loads(out)
    alone = value.pop("without_context")
    assert value.pop("retrieval").keys() == {"count", "found", "seconds_p50"}
    assert value.keys() == alone.keys() == KEYS
    for figures in (value, alone):
        assert figures["count"] == 2 and figures["by_language"].keys() == {"python"}
        assert 0 <= figures["exact_match"] <= figures["edit_similarity"] <= 1
    assert "retrier" in notes, "progress is told beside the result"
    assert not home.exists(), "the user's own index is not touched"


def test_labeled_holes_in_a_folder_of_checkouts(project: Path) -> None:
    labels = project.parent / "holes.jsonl"
    labels.write_text('{"repo": "someone/retrier", "file": "retry.py", "line": 1, "character": 11}\n')
    code, out, notes = run("--folder", str(project.parent), "--labels", str(labels))
    assert code == 0, notes
    assert out.startswith("1 line\n") and "the file alone" in out and "python" in out


def test_a_folder_without_code(tmp_path: Path, home: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, notes = run("--folder", str(tmp_path / "empty"), "--count", "2")
    assert code == 2
    assert "no line to complete" in notes


def test_labels_of_other_repositories(project: Path) -> None:
    labels = project.parent / "holes.jsonl"
    labels.write_text('{"repo": "someone/other", "file": "retry.py", "line": 1, "character": 11}\n')
    code, _, notes = run("--folder", str(project.parent), "--labels", str(labels))
    assert code == 2 and "other" in notes


def test_problems_of_humaneval(project: Path) -> None:
    problem = {"task_id": "0", "prompt": "def one():\n", "suffix": "", "test": "", "entry_point": "one"}
    (project / "problems.jsonl").write_text(json.dumps({**problem, "test": "def check(one): pass"}) + "\n")
    code, out, notes = run("--humaneval", str(project / "problems.jsonl"), "--json")
    assert code == 0, notes
    assert json.loads(out).keys() == {"pass_rate", "count", "seconds_p50"}
    assert "0 " in notes
