"""SIGKILL at any moment of a scan or a reindex: the next start heals, and nothing is missing or doubled."""

from pathlib import Path
from random import Random

import pytest
from tests.support.crash import Trials, write_project

from impetus.adapters.static_embedder import StaticEmbedder


@pytest.mark.parametrize(("files", "times"), [(40, 20), (450, 3)])  # the index worker takes part in the larger one
def test_an_index_that_is_killed_equals_one_built_from_scratch(tmp_path: Path, files: int, times: int) -> None:
    random = Random(20)
    root, scratch = tmp_path / "project", tmp_path / "scratch"
    write_project(root, random, files)
    scratch.mkdir()
    trials = Trials(root, tmp_path / "home", scratch, random, StaticEmbedder())
    assert list(trials.run(times)) == list(range(1, times + 1))
