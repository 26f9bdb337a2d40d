"""`impetus index` and `impetus search` on a scripted session: output for people and for scripts, exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.scripted_session import HIT, Script
from tests.support.terminal import Terminal

from impetus.domain.types import (
    IndexProgress,
    Problem,
    ScanReport,
    SkippedFile,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPETUS_HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text("def add(a, b):\n    return a\n\nadd(1, 2)\n")
    return root


def test_search_for_scripts(project: Path) -> None:
    terminal = Terminal()
    found = terminal.value(
        "search", "run it", "--workspace", str(project), "--top", "3", "--path", "src/**", "--path", "lib/**",
        "--language", "python",
    )  # fmt: skip
    assert found == [
        {
            "path": "src/app.py", "start_line": 3, "end_line": 5, "score": 0.9, "symbol": "run", "kind": "function",
            "language": "python", "text": HIT.text,
        }
    ]  # fmt: skip
    query = terminal.called("search")
    assert (query.text, query.limit, query.paths, query.languages) == ("run it", 3, ("src/**", "lib/**"), ("python",))
    assert query.roots == (project,)


def test_search_for_people_is_plain_in_a_pipe(project: Path) -> None:
    result = Terminal().run("search", "run it", "--workspace", str(project))
    assert result.stdout.splitlines() == [
        "src/app.py:3-5  run  0.900",
        "     3  def run():",
        "     4      start()",
        "     5      stop()",
    ]
    assert result.exit_code == 0


def test_a_long_passage_is_cut_for_people_only(project: Path) -> None:
    text = "\n".join(f"line {number}" for number in range(40))
    terminal = Terminal(Script(hits=(replace(HIT, text=text, end_line=42),)))
    assert "… 28 more lines" in terminal.run("search", "x", "-w", str(project)).stdout
    assert terminal.value("search", "x", "-w", str(project))[0]["text"] == text


def test_nothing_found_is_said_and_has_its_own_code(project: Path) -> None:
    terminal = Terminal(Script(hits=()))
    result = terminal.run("search", "nothing", "-w", str(project))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Nothing found for 'nothing'" in result.stderr
    result = terminal.run("search", "nothing", "-w", str(project), "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [])


def test_text_of_files_is_never_markup(project: Path) -> None:
    terminal = Terminal(Script(hits=(replace(HIT, text="[red]x[/red] [/]", symbol="[bold]"),)))
    assert "[red]x[/red] [/]" in terminal.run("search", "x", "-w", str(project)).stdout


# -- index -----------------------------------------------------------------------------------------------------------


def test_index_for_scripts(project: Path) -> None:
    phase = IndexProgress(project, "ready", 2, 2, files=2, chunks=5, skipped=2)
    terminal = Terminal(Script(phases=(phase,)))
    value = terminal.value("index", str(project))
    assert value.pop("seconds") >= 0
    assert value == {
        "root": str(project), "files": 2, "chunks": 5, "languages": {"python": 2}, "skipped": 2, "failed": 0,
        "problems": [],
    }  # fmt: skip
    assert terminal.sessions[-1].engine.settings.index.watch is False


def test_index_says_what_failed(project: Path) -> None:
    problem = Problem("bad.py", "It cannot be read; mend its permissions")
    phase = IndexProgress(project, "ready", 2, 3, files=2, chunks=5, failed=3, problems=(problem,))
    result = Terminal(Script(phases=(phase,))).run("index", str(project))
    assert result.exit_code == 0
    assert "! bad.py: It cannot be read; mend its permissions" in result.stdout
    assert "and 2 more failed" in result.stdout


def test_an_index_that_cannot_be_built_fails(project: Path) -> None:
    phase = IndexProgress(project, "failed", problems=(Problem(str(project), "The disk is full; make room"),))
    for command in (("index", str(project)), ("search", "x", "-w", str(project)), ("ask", "x", "-w", str(project))):
        result = Terminal(Script(phases=(phase,))).run(*command)
        assert (result.exit_code, result.stdout) == (3, "")
        assert "The disk is full; make room" in result.stderr


def test_full_forgets_first(project: Path) -> None:
    terminal = Terminal()
    assert terminal.run("index", str(project), "--full").exit_code == 0
    assert terminal.called("reindex") == ((project,), True)


def test_dry_run_groups_by_reason_and_lists_all(project: Path) -> None:
    skipped = tuple(SkippedFile(f"img/{number}.png", "binary") for number in range(5))
    report = ScanReport(
        project, {"a.py": (1_500_000, 1), "b.go": (500, 2)}, (*skipped, SkippedFile(".env", "may hold secrets"))
    )
    terminal = Terminal(Script(report=report))
    text = terminal.run("index", str(project), "--dry-run").stdout
    assert "2 files would be indexed: 1.5 MB" in text
    assert text.index("binary") < text.index("may hold secrets")
    assert all(each.path in text for each in report.skipped)
    value = terminal.value("index", str(project), "--dry-run")
    assert (value["files"], value["bytes"], value["languages"]) == (2, 1_500_500, {"python": 1, "go": 1})
    assert value["included"] == [{"path": "a.py", "bytes": 1_500_000}, {"path": "b.go", "bytes": 500}]
    assert {"path": ".env", "reason": "may hold secrets"} in value["skipped"]
    assert terminal.sessions[-1].roots == ()  # nothing was opened, so nothing was written


def test_an_index_that_another_process_keeps_is_said(project: Path) -> None:
    problem = Problem(str(project), "Another Impetus process keeps this index")
    phase = IndexProgress(project, "shared", 2, 2, files=2, chunks=5, problems=(problem,))
    result = Terminal(Script(phases=(phase,))).run("search", "anything", "-w", str(project))
    assert "Another Impetus process keeps this index" in result.stderr
