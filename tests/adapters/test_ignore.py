"""The pattern language and the order of ignore files, compared with git itself where git is installed."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from impetus.adapters.disk import Disk
from impetus.adapters.ignore import parse
from impetus.config import IndexSettings

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="compares with git, which is not installed")

NAMES = ("a", "b", "ab", "abc", "a.py", "b.log", "c.txt", "foo", "foobar", "A", "é", "x y", "[z]", "-", "a+b", "sub")
SEGMENTS = (
    *NAMES, "*", "?", "a*", "*b", "*.py", "*.log", "**", "***", "foo**", "[ab]", "[!a]*", "[a-c]", "[]a]", "[a", "\\*",
    "a\\", "[[:alpha:]]", "[[:nope:]]", "[^a]?", "*o*b*r", "??", "\\a", "[\\]a]", "[b-a]", "é*", "[A-Z]", "x\\ y",
)  # fmt: skip


def git_environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}


def taken_by_git(root: Path, environment: dict[str, str]) -> set[str]:
    command = ["git", "ls-files", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True).stdout
    return {os.fsdecode(path) for path in listed.split(b"\0") if path}


def init(root: Path, environment: dict[str, str]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q"], cwd=root, env=environment, check=True)


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())


def agree(root: Path, home: Path) -> set[str]:
    """The files that git takes; fails unless `scan` and `admits` take the same."""
    environment = git_environment(home)
    disk = Disk(IndexSettings(), environment=environment)
    expected = taken_by_git(root, environment)
    assert set(disk.scan(root).files) == expected
    every = {
        (Path(folder) / name).relative_to(root).as_posix()
        for folder, _, names in os.walk(root)
        for name in names
        if ".git" not in Path(folder).relative_to(root).parts
    }
    assert {path for path in every if disk.admits(root, path)} == expected
    return expected


def random_pattern(pick: random.Random) -> str:
    body = "/".join(pick.choice(SEGMENTS) for _ in range(pick.choice((1, 1, 1, 2, 2, 3))))
    start = pick.choice(("", "", "", "", "/", "!", "!", "!/", "#", " "))
    return start + body + pick.choice(("", "", "", "/", "/", " ", "\r", "/**", "\\ "))


def random_tree(pick: random.Random, root: Path, prefix: str = "", depth: int = 0) -> dict[str, str]:
    files = {prefix + name: "" for name in pick.sample(NAMES, 5)}
    if pick.random() < (1.0 if depth == 0 else 0.4):
        files[prefix + ".gitignore"] = "\n".join(random_pattern(pick) for _ in range(pick.randint(1, 6)))
    if depth < 3:
        for name in pick.sample(NAMES, 2):
            files.pop(prefix + name, None)
            files.update(random_tree(pick, root, f"{prefix}{name}/", depth + 1))
    return files


@needs_git
@pytest.mark.parametrize("seed", range(int(os.environ.get("IGNORE_TREES", "40"))))
def test_random_trees_are_read_as_git_reads_them(seed: int, tmp_path: Path) -> None:
    pick = random.Random(seed)
    root, home = tmp_path / "root", tmp_path / "home"
    init(root, git_environment(home))
    write(root, random_tree(pick, root))
    (root / ".git" / "info" / "exclude").write_text("\n".join(random_pattern(pick) for _ in range(2)))
    write(home, {".config/git/ignore": "\n".join(random_pattern(pick) for _ in range(2))})
    agree(root, home)


CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "a file cannot come back from an excluded folder": (
        {".gitignore": "build/\n!build/keep.py\n", "build/keep.py": "", "a.py": ""},
        {".gitignore", "a.py"},
    ),
    "but from a folder whose contents are excluded": (
        {".gitignore": "build/*\n!build/keep.py\n", "build/keep.py": "", "build/x": ""},
        {".gitignore", "build/keep.py"},
    ),
    "everything but one kind of file": (
        {".gitignore": "*\n!*/\n!*.py\n", "a/b/c.py": "", "a/b/c.txt": "", "d.py": ""},
        {"a/b/c.py", "d.py"},
    ),
    "the inner file wins": (
        {".gitignore": "*.log\n", "a/.gitignore": "!keep.log\n", "a/keep.log": "", "a/x.log": "", "keep.log": ""},
        {".gitignore", "a/.gitignore", "a/keep.log"},
    ),
    "a slash anchors": (
        {".gitignore": "/a.py\ndoc/*.txt\n", "a.py": "", "b/a.py": "", "doc/x.txt": "", "b/doc/x.txt": ""},
        {".gitignore", "b/a.py", "b/doc/x.txt"},
    ),
    "a folder pattern spares files": (
        {".gitignore": "data/\n", "data/x": "", "b/data": ""},
        {".gitignore", "b/data"},
    ),
    "two stars": (
        {".gitignore": "a/**/z\n**/deep/x\nlogs/**\n", "a/z": "", "a/b/c/z": "", "q/deep/x": "", "logs/a/b": ""},
        {".gitignore"},
    ),
    "trailing spaces, carriage returns, comments, a byte order mark": (
        {
            ".gitignore": "\ufeffone  \r\ntwo\\ \r\n#three\r\n\\#four\r\n",
            "one": "",
            "two ": "",
            "#three": "",
            "#four": "",
        },
        {".gitignore", "#three"},
    ),
    "a name of many bytes": ({".gitignore": "?\n", "é": "", "e": ""}, {".gitignore", "é"}),
}


@needs_git
@pytest.mark.parametrize("name", CASES)
def test_hard_cases(name: str, tmp_path: Path) -> None:
    files, expected = CASES[name]
    init(tmp_path / "root", git_environment(tmp_path))
    write(tmp_path / "root", files)
    assert agree(tmp_path / "root", tmp_path) == expected


@needs_git
def test_a_subfolder_obeys_the_files_above_it(tmp_path: Path) -> None:
    init(tmp_path / "top", git_environment(tmp_path))
    write(tmp_path / "top", {".gitignore": "*.log\n/sub/x/\n", "sub/a.log": "", "sub/x/a": "", "sub/b": "", "c": ""})
    assert agree(tmp_path / "top" / "sub", tmp_path) == {"b"}


@needs_git
def test_case_is_ignored_where_git_ignores_it(tmp_path: Path) -> None:
    root, environment = tmp_path / "root", git_environment(tmp_path)
    init(root, environment)
    subprocess.run(["git", "config", "core.ignorecase", "true"], cwd=root, env=environment, check=True)
    write(
        root,
        {".gitignore": "*.LOG\nBuild\n/Docs/x*\n[a]q\n", "a.log": "", "build": "", "docs/Xy": "", "Aq": "", "b": ""},
    )
    assert agree(root, tmp_path) == {".gitignore", "b"}


@needs_git
def test_the_files_of_a_worktree(tmp_path: Path) -> None:
    root, environment = tmp_path / "root", git_environment(tmp_path)
    init(root, environment)
    for command in (
        "config user.name Somebody",
        "config user.email somebody@example.org",
        "commit -q --allow-empty -m first",
        "worktree add -q ../tree",
    ):
        subprocess.run(["git", *command.split()], cwd=root, env=environment, check=True, capture_output=True)
    (root / ".git" / "info" / "exclude").write_text("*.tmp\n")
    write(tmp_path / "tree", {"a.tmp": "", "b": ""})
    assert agree(tmp_path / "tree", tmp_path) == {"b"}


@needs_git
def test_the_configured_global_file(tmp_path: Path) -> None:
    init(tmp_path / "root", git_environment(tmp_path))
    write(tmp_path, {".gitconfig": "[core]\n\texcludesFile = ~/mine # a comment\n", "mine": "*.tmp\n"})
    write(tmp_path / "root", {"a.tmp": "", "b": ""})
    assert agree(tmp_path / "root", tmp_path) == {"b"}


def test_the_reason_names_file_line_and_pattern() -> None:
    file = parse(b"# logs\n\n*.log\n!keep.log\n", "src/", "src/.gitignore", False)
    pattern = file.match("src/a/b.log", "b.log", False)
    assert pattern is not None
    assert file.describe(pattern) == "ignored by src/.gitignore line 3: *.log"
    kept = file.match("src/keep.log", "keep.log", False)
    assert kept is not None and kept.negated


@pytest.mark.parametrize("pattern", ["*a" * 40 + "b", "**/a/" * 40 + "b", "x/" + "*a*/" * 30 + "b"])
def test_no_pattern_takes_long(pattern: str) -> None:
    """Backtracking through every division of such a path would take longer than anyone lives."""
    file = parse(pattern.encode(), "", ".gitignore", False)
    assert file.match("x/" + "a/" * 100 + "a" * 200, "a" * 200, False) is None
