"""Who uses what, counted from the tables of definitions and references; chunks of files that a query names."""

from pathlib import Path

import pytest
from tests.support.index import TestIndex

from impetus.adapters.sqlite_graph import MAX_DEFINERS


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def users(index: TestIndex) -> dict[str, int]:
    states = index.writer.files(index.root)
    found = index.reader.users([state.blob for state in states.values()])
    return {path: found[state.blob] for path, state in states.items() if state.blob in found}


@pytest.fixture
def filled(index: TestIndex, root: Path) -> TestIndex:
    write(
        root,
        {
            "core.py": "def decode(frame):\n    return decode(frame[1:])\n",
            "a.py": "from core import decode\n\ndecode(b'1')\ndecode(b'2')\n",
            "b.py": "from core import decode\n\ndecode(b'3')\n",
        },
    )
    index.update()
    index.writer.count_users()
    return index


def test_users_are_counted_once_and_a_file_is_not_its_own(filled: TestIndex) -> None:
    assert users(filled) == {"core.py": 2}


def test_nothing_is_known_before_the_count(index: TestIndex, root: Path) -> None:
    write(root, {"core.py": "def decode(f): ...\n", "a.py": "decode(1)\n"})
    index.update()
    assert users(index) == {}


def test_new_contents_are_counted(filled: TestIndex, root: Path) -> None:
    write(root, {"c.py": "decode(b'4')\n"})
    filled.update()
    filled.writer.count_users()
    assert users(filled) == {"core.py": 3}


def test_a_name_that_many_define_says_nothing(index: TestIndex, root: Path) -> None:
    write(root, {f"d{i}.py": f"def run():\n    return {i}\n" for i in range(MAX_DEFINERS + 1)})
    write(root, {"user.py": "run()\n"})
    index.update()
    index.writer.count_users()
    assert users(index) == {}


def test_chunks_of_files_by_the_end_of_their_path(filled: TestIndex, root: Path) -> None:
    write(root, {"pkg/core.py": "x = 1\n", "pkg/hardcore.py": "y = 1\n", "pkg/a%b.py": "z = 1\n"})
    filled.update()

    def found(*endings: str) -> list[str]:
        return [placed.path for placed in filled.reader.in_files(endings, [root], 10)]

    assert found("core.py") == ["core.py", "pkg/core.py"], "whole names, shorter paths first"
    assert found("pkg/core.py") == ["pkg/core.py"]
    assert found("a%b.py") == ["pkg/a%b.py"] and found("%.py") == [], "nothing is a wildcard"
    assert found("nowhere.py") == []
