"""Places as people write them, and the project a path belongs to."""

from pathlib import Path

import pytest

from impetus.cli import places
from impetus.cli.output import plural, size
from impetus.errors import BadRequest, NotFound


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.py", ("a.py", None, None)),
        ("a.py:3", ("a.py", 3, 3)),
        ("a.py:3-9", ("a.py", 3, 9)),
        ("dir with space/a.py:12-12", ("dir with space/a.py", 12, 12)),
        ("C:/x/a.py:7", ("C:/x/a.py", 7, 7)),
        ("odd:name", ("odd:name", None, None)),
        ("a.py:3-", ("a.py:3-", None, None)),
    ],
)
def test_lines(text: str, expected: tuple[str, int | None, int | None]) -> None:
    got = places.lines(text)
    assert (got.path, got.first, got.last) == expected


@pytest.mark.parametrize("text", ["", "a.py:0", "a.py:9-3", "a.py:0-3"])
def test_lines_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest):
        places.lines(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.py", ("a.py", None, None)),
        ("a.py:3", ("a.py", 3, None)),
        ("a.py:3:7", ("a.py", 3, 7)),
        ("-", ("-", None, None)),
        ("-:2:1", ("-", 2, 1)),
    ],
)
def test_point(text: str, expected: tuple[str, int | None, int | None]) -> None:
    got = places.point(text)
    assert (got.path, got.line, got.column) == expected


@pytest.mark.parametrize("text", ["", "a.py:0", "a.py:1:0"])
def test_points_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest):
        places.point(text)


@pytest.mark.parametrize(
    ("place", "before"),
    [
        ("x:1:1", ""),
        ("x:1:3", "ab"),
        ("x:1", "abc"),
        ("x:1:99", "abc"),
        ("x:2", "abc\r\n"),
        ("x:3:2", "abc\r\n\nd"),
        ("x", "abc\r\n\ndéf"),
    ],
)
def test_offset_counts_characters(place: str, before: str) -> None:
    document = places.read("x", Path(), "abc\r\n\ndéf".encode())
    assert document.text[: places.offset(document, places.point(place))] == before


def test_lines_that_are_not_there_are_named() -> None:
    document = places.read("x.py", Path(), b"one\ntwo\n")
    with pytest.raises(BadRequest, match="line 9 is not there"):
        places.offset(document, places.point("x.py:9"))
    with pytest.raises(BadRequest, match="has 2 lines"):
        places.selection(document, places.lines("x.py:3"))


def test_a_selection_ends_with_the_file() -> None:
    document = places.read("x.py", Path(), b"one\ntwo\n")
    assert document.language == "python"
    whole = places.selection(document, places.lines("x.py"))
    assert (whole.start_line, whole.end_line) == (1, 2)
    part = places.selection(document, places.lines("x.py:2-50"))
    assert (part.start_line, part.end_line) == (2, 2)


def test_files_and_folders_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotFound, match="cannot be read"):
        places.read(tmp_path / "none", tmp_path)
    with pytest.raises(NotFound, match="does not exist"):
        places.folder(tmp_path / "none")
    with pytest.raises(NotFound, match="is not a folder"):
        places.folder(tmp_path / "file")


def test_project_of_a_path(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    (inner / "a.py").touch()
    assert places.project_of(inner / "a.py") == tmp_path / "project"
    assert places.project_of(inner) == tmp_path / "project"
    (inner / "package.json").touch()
    assert places.project_of(inner / "a.py") == inner


def test_the_home_directory_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places.project_of(tmp_path / "notes") == tmp_path / "notes"


def test_a_folder_has_one_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert places.folder(tmp_path / "link") == places.folder(tmp_path / "real" / ".." / "real")


def test_numbers_for_people() -> None:
    assert [size(count) for count in (0, 999, 1500, 2_000_000, 3_100_000_000)] == [
        "0 bytes", "999 bytes", "1.5 kB", "2.0 MB", "3.1 GB",
    ]  # fmt: skip
    assert (plural(1, "file"), plural(1200, "file")) == ("1 file", "1,200 files")


def test_a_path_as_search_prints_it_is_found_in_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_text("x = 1\n")
    assert places.read("pkg/a.py", tmp_path).key == str(tmp_path / "pkg" / "a.py")
