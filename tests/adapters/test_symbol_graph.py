"""Who uses what, counted from the tables of definitions and references; chunks of files that a query names."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.catalog import ROOT, put
from tests.support.index import TestIndex

from impetus.adapters.sqlite_catalog import SqliteCatalogReader
from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.adapters.sqlite_graph import MAX_DEFINERS

Content = tuple[set[str], set[str]]


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def users(index: TestIndex) -> dict[str, int]:
    ids = [chunk for chunks in index.writer.chunk_ids(index.root).values() for chunk in chunks]
    return {placed.path: placed.file.users for placed in index.reader.placed(ids, [index.root]) if placed.file.users}


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


def test_an_edit_leaves_no_use_behind(filled: TestIndex, root: Path) -> None:
    write(root, {"b.py": "from core import other\n"})
    filled.update()
    filled.writer.count_users()
    assert users(filled) == {"core.py": 1}


def test_many_saves_of_one_file_are_not_many_definers(filled: TestIndex, root: Path) -> None:
    for number in range(MAX_DEFINERS + 1):
        write(root, {"core.py": f"def decode(frame):\n    return {number}\n"})
        filled.update()
        filled.writer.count_users()
    assert users(filled) == {"core.py": 2}


def test_a_deleted_file_uses_nothing(filled: TestIndex, root: Path) -> None:
    (root / "a.py").unlink()
    filled.update()
    filled.writer.count_users()
    assert users(filled) == {"core.py": 1}


def test_one_definer_too_many_takes_the_edges_and_one_less_gives_them_back(filled: TestIndex, root: Path) -> None:
    write(root, {f"d{i}.py": f"def decode(x):\n    return {i}\n" for i in range(MAX_DEFINERS)})
    filled.update()
    filled.writer.count_users()
    assert users(filled) == {}
    (root / "d0.py").unlink()
    filled.update()
    filled.writer.count_users()
    assert users(filled) == {"core.py": 2, "d1.py": 3, "d2.py": 3}


NAMES = ("load", "save", "send", "poll", "Load")


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a.py", "b.py", "c.py", "d.py", "e.py"]),
            st.none() | st.tuples(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES))),
            min_size=1,
        ),
        max_size=6,
    )
)
@settings(max_examples=40, deadline=None)
def test_counting_after_each_change_equals_counting_all(changes: list[dict[str, Content | None]]) -> None:
    """Whatever is written, edited, moved or deleted: the same counts as those of a catalog that holds the end alone."""
    files: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        kept = SqliteCatalogWriter(Path(folder, "kept"))
        for change in changes:
            written = {path: source(*content) for path, content in change.items() if content is not None}
            gone = {path for path, content in change.items() if content is None}
            files = {path: text for path, text in {**files, **written}.items() if path not in gone}
            put(kept, written, gone=gone)
            kept.count_users()
        fresh = SqliteCatalogWriter(Path(folder, "fresh"))
        put(fresh, files)
        fresh.count_users()
        found = [popularity(Path(folder, name)) for name in ("kept", "fresh")]
        kept.close()
        fresh.close()
    assert found[0] == found[1]


def source(defined: set[str], used: set[str]) -> str:
    return "".join([f"def {name}(): ...\n" for name in sorted(defined)] + [f"{name}()\n" for name in sorted(used)])


def popularity(catalog: Path) -> dict[str, int]:
    """Users by path, told from both catalogs in the same words."""
    reader = SqliteCatalogReader(catalog)
    paths = reader.paths(ROOT)
    found = {placed.path: placed.file.users for placed in reader.in_files(list(paths), [ROOT], 100)}
    reader.close()
    return found


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
    assert found("root/core.py") == ["core.py"], "paths of a stack trace may begin above the root"


def test_files_by_their_name_without_its_ending(filled: TestIndex, root: Path) -> None:
    write(root, {"pkg/core.py": "x = 1\n", "core.d/a.py": "y = 1\n", "Makefile": "all:\n", "a_b.test.py": "z = 1\n"})
    write(root, {".flake8": "[flake8]\n"})
    filled.update()

    def found(*stems: str, limit: int = 10) -> list[str]:
        return filled.reader.files_named(stems, [root], limit)

    assert found("core") == ["core.py", "pkg/core.py"], "files, not folders; shorter paths first"
    assert found("core", limit=1) == ["core.py"]
    assert found("makefile", "a_b") == ["Makefile", "a_b.test.py"]
    assert found("flake8") == [".flake8"]
    assert found("acb") == found("nothing") == [], "nothing is a wildcard"
