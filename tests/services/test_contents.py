"""Files that were shown lately: read once while they look unchanged, never shown when they do not."""

import os
from pathlib import Path

import pytest

from impetus.adapters.disk import Disk
from impetus.config import IndexSettings
from impetus.errors import NotFound
from impetus.services.contents import Contents


class Counting(Disk):
    def __init__(self) -> None:
        super().__init__(IndexSettings())
        self.reads = 0

    def read(self, root: Path, path: str) -> bytes:
        self.reads += 1
        return super().read(root, path)


def test_read_once_while_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"one")
    files = Counting()
    contents = Contents(files)
    assert contents.read(tmp_path, "a.py")[0] == contents.read(tmp_path, "a.py")[0] == b"one"
    assert files.reads == 1


def test_changed_and_deleted_files_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"one")
    contents = Contents(Counting())
    contents.read(tmp_path, "a.py")
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert contents.read(tmp_path, "a.py") == (b"two", (3, 1))
    path.unlink()
    with pytest.raises(NotFound):
        contents.read(tmp_path, "a.py")


def test_what_was_shown_longest_ago_is_forgotten(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode() * 900_000)
    files = Counting()
    contents = Contents(files)
    for name in ("a", "b", "a"):
        contents.read(tmp_path, name)
    for number in range(9):
        (tmp_path / f"more{number}").write_bytes(b"x" * 900_000)
        contents.read(tmp_path, f"more{number}")
    before = files.reads
    contents.read(tmp_path, "more8")
    contents.read(tmp_path, "b")
    assert files.reads == before + 1
