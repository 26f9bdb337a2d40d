"""SIGKILL at any moment of a scan or a reindex: the next start heals, and nothing is missing or doubled."""

from pathlib import Path
from random import Random

from tests.support.crash import Trials, write_project

from impetus.adapters.static_embedder import StaticEmbedder


def test_an_index_killed_twenty_times_equals_one_built_from_scratch(tmp_path: Path) -> None:
    random = Random(20)
    root, scratch = tmp_path / "project", tmp_path / "scratch"
    write_project(root, random, 40)
    scratch.mkdir()
    trials = Trials(root, tmp_path / "home", scratch, random, StaticEmbedder())
    assert list(trials.run(20)) == list(range(1, 21))
