"""`impetus stats` on counts that a real store holds."""

from pathlib import Path

import pytest
from tests.support.terminal import Terminal

from impetus.app import open_tallies
from impetus.domain.feedback import Tally


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPETUS_HOME", str(tmp_path / "home"))


def test_nothing_yet_says_what_to_do() -> None:
    result = Terminal().run("stats")
    assert result.exit_code == 0
    assert "open a file in an editor" in result.stderr
    assert Terminal().value("stats") == []


def test_counts_add_up_over_days_by_language() -> None:
    store = open_tallies()
    store.add(Tally("2026-11-20", "python", "fim", 10, 8, 4, 1, 2, 120, 100, 75))
    store.add(Tally("2026-11-21", "python", "fim", 5, 5, 1, 0, 0, 30, 0, 0))
    store.add(Tally("2026-11-21", "go", "fim", 1))
    lines = Terminal().run("stats").stdout.splitlines()
    assert lines[0] == "Since 2026-11-20"
    assert lines[2].split() == ["python,", "fim", "15", "13", "5", "1", "2", "150", "75%"]
    assert lines[3].split() == ["go,", "fim", "1", "0", "0", "0", "0", "0", "-"]
    value = Terminal().value("stats")
    assert [row["day"] for row in value] == ["2026-11-20", "2026-11-21", "2026-11-21"]
