from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.index import TestIndex


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty workspace folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def index(root: Path, tmp_path: Path) -> Iterator[TestIndex]:
    made = TestIndex.make(root, tmp_path / "index")
    yield made
    made.close()
