"""Counts of suggestions: added up by day, language and model, over several processes."""

from pathlib import Path

import pytest

from impetus.adapters.sqlite_tallies import SqliteTallyStore
from impetus.domain.feedback import Tally
from impetus.errors import ImpetusError


def test_counts_of_one_day_add_up(tmp_path: Path) -> None:
    store = SqliteTallyStore(tmp_path / "home" / "stats.sqlite")
    assert store.all() == []
    store.add(Tally("2026-11-21", "python", "fim", offered=1))
    another = SqliteTallyStore(tmp_path / "home" / "stats.sqlite")
    another.add(Tally("2026-11-21", "python", "fim", offered=2, accepted=1))
    store.add(Tally("2026-11-20", "go", "fim", shown=1))
    assert store.all() == [
        Tally("2026-11-20", "go", "fim", shown=1),
        Tally("2026-11-21", "python", "fim", offered=3, accepted=1),
    ]


def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "stats.sqlite"
    path.write_bytes(b"no database" * 200)
    with pytest.raises(ImpetusError, match="delete it"):
        SqliteTallyStore(path).add(Tally("2026-11-21", "python", "fim", offered=1))
