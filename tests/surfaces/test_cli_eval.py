"""`impetus eval` on a tiny project: a real index in a temporary home, figures for scripts and for people."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from impetus.cli.main import app
from impetus.domain.ranking import SWITCHES

FILES = {
    "src/retry.py": "class RetryPolicy:\n    def delay(self, attempt):\n        return 2 ** attempt\n",
    "src/parser.py": "def parse_header(line):\n    return line.split(':')\n",
    "src/cache.py": "def evict_oldest(entries):\n    entries.pop(0)\n",
}
LABELS = [
    {"query": "parse the header line", "category": "semantic", "relevant": ["src/parser.py"]},
    {"query": "RetryPolicy", "category": "symbol", "relevant": ["src/retry.py"], "secondary": ["src/nowhere.py"]},
]
KEYS = {
    "queries", "ndcg10", "ndcg10_file", "recall10", "by_category", "by_language", "index_seconds", "query_ms_p50",
    "query_ms_p95",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("IMPETUS_HOME", str(home))
    return home


def write(root: Path, files: dict[str, str] = FILES) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.fixture
def labeled(tmp_path: Path, home: Path) -> list[str]:
    write(tmp_path / "repos/tiny")
    labels = tmp_path / "labels"
    (labels / "annotations").mkdir(parents=True)
    (labels / "repos.jsonl").write_text(json.dumps({"name": "tiny", "language": "python", "benchmark_root": "src"}))
    (labels / "annotations/tiny.json").write_text(json.dumps(LABELS))
    return ["eval", "retrieval", "--labels", str(labels), "--repos", str(tmp_path / "repos")]


def test_figures_for_scripts(labeled: list[str], home: Path) -> None:
    result = CliRunner().invoke(app, [*labeled, "--json"])
    assert result.exit_code == 0, result.stderr
    value = json.loads(result.stdout)
    assert value.keys() == KEYS
    assert value["queries"] == 2
    assert value["by_category"]["semantic"] == 1
    assert 0 < value["ndcg10"] < 1, "one of three targets does not exist"
    assert "tiny" in result.stderr, "progress is told beside the result"
    assert not home.exists(), "the user's own index is not touched"


def test_whole_repository_finds_the_same_files(labeled: list[str]) -> None:
    assert json.loads(CliRunner().invoke(app, [*labeled, "--whole-repo", "--json"]).stdout)["recall10"] == 0.75


def test_ablations_name_every_rule(labeled: list[str]) -> None:
    result = CliRunner().invoke(app, [*labeled, "--ablations", "--json"])
    value = json.loads(result.stdout)
    assert value["ablations"].keys() >= {f"without {rule}" for rule in SWITCHES} | {"bare", "meaning alone"}
    shown = CliRunner().invoke(app, [*labeled, "--ablations"])
    assert "without definition" in shown.stdout and "NDCG@10" in shown.stdout


def test_labels_that_are_not_there(tmp_path: Path, home: Path) -> None:
    result = CliRunner().invoke(app, ["eval", "retrieval", "--labels", str(tmp_path), "--repos", str(tmp_path)])
    assert result.exit_code == 2
    assert "no labels" in result.stderr


def test_history_of_a_project(tmp_path: Path, home: Path) -> None:
    project = tmp_path / "project"

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=project, check=True, capture_output=True)

    write(project)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "Begin with three modules")
    write(project, {"src/retry.py": FILES["src/retry.py"].replace("2 **", "3 **")})
    git("commit", "-qam", "Wait longer before the retry delay doubles")
    result = CliRunner().invoke(app, ["eval", "history", str(project), "--json"])
    assert result.exit_code == 0, result.stderr
    value = json.loads(result.stdout)
    assert (value["queries"], value["ndcg10"]) == (1, 1.0)
    assert not home.exists()


def test_a_folder_without_history(tmp_path: Path, home: Path) -> None:
    result = CliRunner().invoke(app, ["eval", "history", str(tmp_path)])
    assert result.exit_code != 0
    assert "git" in result.stderr
