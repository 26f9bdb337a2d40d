"""What a walk takes and leaves, with its reasons; that `admits` agrees; that reading stays inside the root."""

import os
import random
import socket
from pathlib import Path

import pytest

from impetus.adapters.disk import Disk
from impetus.config import IndexSettings
from impetus.errors import NotFound


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def disk(home: Path, **settings: object) -> Disk:
    return Disk(IndexSettings.model_validate(settings), environment={"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"})


def write(root: Path, **files: str) -> None:
    for path, text in files.items():
        put(root, path, text)


def put(root: Path, path: str, text: str = "x\n") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def reasons(source: Disk, root: Path) -> dict[str, str]:
    return {entry.path: entry.reason for entry in source.scan(root).skipped}


def test_files_come_with_size_and_time(root: Path) -> None:
    file = put(root, "src/a.py", "x = 1\n")
    os.utime(file, ns=(5, 1_234_567_891_000_000_000))
    report = disk(root).scan(root)
    assert report.root == root
    assert report.files == {"src/a.py": (6, 1_234_567_891_000_000_000)}
    assert report.skipped == () and report.problems == ()


def test_every_reason_is_in_words(root: Path, tmp_path: Path) -> None:
    for path in (
        "a.py",
        "x.log",
        "src/y.tmp",
        ".env",
        "node_modules/m/i.js",
        "env/lib/z.py",
        "env/pyvenv.cfg",
        "out/o.py",
    ):
        put(root, path)
    put(root, ".gitignore", "# logs\n\n*.log\n")
    put(root, "src/.gitignore", "*.tmp\n")
    put(root, ".git/HEAD", "ref: refs/heads/main\n")
    put(root, "big.txt", "x" * 2000)
    put(root, ".ssh/known_hosts")
    outside = put(tmp_path, "outside.py")
    (root / "link.py").symlink_to(outside)
    (root / "again.py").symlink_to("a.py")
    (root / "folder").symlink_to("src")
    (root / "broken").symlink_to("nothing")
    (root / "away").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    report = disk(root, max_file_size=1000, exclude=("/out",)).scan(root)
    assert {entry.path: entry.reason for entry in report.skipped} == {
        "x.log": "ignored by .gitignore line 3: *.log",
        "src/y.tmp": "ignored by src/.gitignore line 1: *.tmp",
        ".env": "secret by name",
        ".ssh/": "secret by name",
        ".git/": "belongs to version control",
        "node_modules/": "left out by default: node_modules/",
        "env/": "left out by default: a Python virtual environment",
        "out/": "left out by the setting index.exclude: /out",
        "big.txt": "larger than 1,000 bytes",
        "link.py": "symbolic link out of the workspace",
        "away": "symbolic link out of the workspace",
        "again.py": "symbolic link; only its target a.py counts",
        "folder": "symbolic link; only its target src counts",
        "broken": "symbolic link to nothing",
        "pipe": "not a regular file",
    }
    assert set(report.files) == {"a.py", ".gitignore", "src/.gitignore"}


def test_a_socket_is_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert reasons(disk(root), root) == {"s": "not a regular file"}


def test_build_folders_are_only_left_out_when_ignored(root: Path) -> None:
    for name in ("dist", "build", "vendor", "target", "env"):
        put(root, f"{name}/a.py")
    assert len(disk(root).scan(root).files) == 5


class TestForcingIn:
    def test_from_an_ignored_folder(self, root: Path) -> None:
        put(root, ".gitignore", "vendor/\nnode_modules/\n")
        put(root, ".impetusignore", "!/vendor/ours/\n!node_modules/kept/index.js\n*.gen.py\n")
        for path in (
            "vendor/ours/a.py", "vendor/ours/b/c.py", "vendor/ours/x.gen.py", "vendor/theirs/a.py", "vendor/d.py",
            "node_modules/kept/index.js", "node_modules/kept/other.js", "node_modules/huge/index.js", "z.gen.py",
        ):  # fmt: skip
            put(root, path)
        source = disk(root)
        report = source.scan(root)
        assert set(report.files) == {
            ".gitignore", ".impetusignore", "vendor/ours/a.py", "vendor/ours/b/c.py", "node_modules/kept/index.js",
        }  # fmt: skip
        left = {entry.path: entry.reason for entry in report.skipped}
        assert left["vendor/theirs/"] == left["vendor/d.py"] == "ignored by .gitignore line 1: vendor/"
        assert left["node_modules/huge/"] == "ignored by .gitignore line 2: node_modules/"  # pruned, not walked
        assert left["z.gen.py"] == "ignored by .impetusignore line 3: *.gen.py"

    def test_a_bare_name_does_not_open_ignored_folders(self, root: Path) -> None:
        put(root, ".gitignore", "node_modules/\n*.log\n")
        put(root, ".impetusignore", "!keep.log\n")
        put(root, "node_modules/m/keep.log")
        put(root, "sub/keep.log")
        report = disk(root).scan(root)
        assert "sub/keep.log" in report.files
        assert [entry.path for entry in report.skipped] == ["node_modules/"]

    def test_by_setting_but_exclude_is_stronger(self, root: Path) -> None:
        put(root, ".gitignore", "generated/\n")
        put(root, "generated/a.py")
        put(root, "generated/b.py")
        source = disk(root, include=("generated/",), exclude=("b.py",))
        assert set(source.scan(root).files) == {".gitignore", "generated/a.py"}

    def test_a_virtual_environment_by_name(self, root: Path) -> None:
        put(root, "tool/pyvenv.cfg")
        put(root, "tool/a.py")
        put(root, ".impetusignore", "!/tool/\n")
        assert "tool/a.py" in disk(root).scan(root).files

    def test_never_secrets_and_never_git(self, root: Path) -> None:
        put(root, ".env")
        put(root, ".git/HEAD")
        assert disk(root, include=(".env", ".git/")).scan(root).files == {}


def test_an_inner_own_file_wins_over_an_outer_one(root: Path) -> None:
    put(root, ".impetusignore", "*.md\n")
    put(root, "docs/.impetusignore", "!index.md\n")
    put(root, "docs/index.md")
    put(root, "docs/other.md")
    files = disk(root).scan(root).files
    assert "docs/index.md" in files and "docs/other.md" not in files


def test_opening_an_ignored_folder_is_a_wish_to_have_it_indexed(tmp_path: Path) -> None:
    put(tmp_path, "repo/.git/HEAD", "ref: refs/heads/main\n")
    put(tmp_path, "repo/.gitignore", ".venv/\n*.py\n")
    put(tmp_path, "repo/.venv/.gitignore", "*\n")
    put(tmp_path, "repo/.venv/lib/package/a.py")
    put(tmp_path, "repo/.venv/lib/package/.gitignore", "*.c\n")
    put(tmp_path, "repo/.venv/lib/package/a.c")
    source, root = disk(tmp_path), tmp_path / "repo" / ".venv" / "lib" / "package"
    assert set(source.scan(root).files) == {"a.py", ".gitignore"}
    assert source.admits(root, "a.py") and not source.admits(root, "a.c")


def test_the_exclude_file_of_an_inner_repository(root: Path) -> None:
    put(root, "inner/.git/HEAD", "ref: refs/heads/main\n")
    put(root, "inner/.git/info/exclude", "scratch/\n")
    put(root, "inner/scratch/a.py")
    put(root, "scratch/a.py")
    assert set(disk(root).scan(root).files) == {"scratch/a.py"}


def test_names_that_are_not_utf8(root: Path) -> None:
    for raw in (b"caf\xe9.py", b"d\xff/a.py"):
        path = os.fsencode(root) + b"/" + raw
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        Path(os.fsdecode(path)).touch()
    put(root, "schön.py")
    source = disk(root)
    report = source.scan(root)
    assert set(report.files) == {"schön.py"}
    assert {entry.path for entry in report.skipped} == {"caf\\xe9.py", "d\\xff/"}
    assert not source.admits(root, os.fsdecode(b"caf\xe9.py"))


def test_a_folder_that_cannot_be_listed_is_a_problem_not_an_end(root: Path) -> None:
    """A path longer than the system takes stands for every unreadable folder (tests may run as root)."""
    put(root, "z.py")
    name, levels = "d" * 250, 20
    here = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    source = disk(root)
    report = source.scan(root)
    assert "z.py" in report.files
    [problem] = report.problems
    assert "cannot be read" in problem.message
    assert source.problems() == report.problems


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_folder_without_permission_is_a_problem(root: Path) -> None:
    put(root, "closed/a.py")
    (root / "closed").chmod(0)
    try:
        [problem] = disk(root).scan(root).problems
    finally:
        (root / "closed").chmod(0o700)
    assert problem.subject == "closed/"


def test_a_root_that_is_gone(root: Path) -> None:
    with pytest.raises(NotFound, match="is not there"):
        disk(root).scan(root / "gone")


def test_a_root_of_secrets_is_not_indexed(tmp_path: Path) -> None:
    root = tmp_path / ".ssh"
    put(root, "config")
    source = disk(tmp_path)
    report = source.scan(root)
    assert report.files == {} and len(report.problems) == 1
    assert not source.admits(root, "config")


def test_ignore_files_that_are_no_files_do_no_harm(root: Path) -> None:
    os.mkfifo(root / ".gitignore")
    (root / ".impetusignore").mkdir()
    put(root, "sub/a.py")
    put(root, "rules", "*.py\n")
    (root / "sub" / ".gitignore").symlink_to("../rules")
    assert set(disk(root).scan(root).files) == {"rules", "sub/a.py"}


class TestAdmits:
    @pytest.mark.parametrize("path", ["", ".", "../a.py", "/etc/passwd", "a/../a.py", "a//b.py", "nothing.py", "a\0b"])
    def test_no_such_file(self, root: Path, path: str) -> None:
        put(root, "a.py")
        assert not disk(root).admits(root, path)

    def test_nothing_behind_a_link(self, root: Path) -> None:
        put(root, "src/a.py")
        (root / "link").symlink_to("src")
        source = disk(root)
        assert source.admits(root, "src/a.py")
        assert not source.admits(root, "link/a.py")
        assert not source.admits(root, "link")

    def test_it_sees_an_ignore_file_change(self, root: Path) -> None:
        put(root, "a.py")
        source = disk(root)
        assert source.admits(root, "a.py")
        put(root, "sub/.gitignore", "a.py\n")
        put(root, "sub/a.py")
        assert not source.admits(root, "sub/a.py")
        put(root, "sub/.gitignore", "b.py\n")
        assert source.admits(root, "sub/a.py")

    def test_the_ignore_file_of_the_root_too(self, root: Path) -> None:
        put(root, "a.py")
        source = disk(root)
        assert source.admits(root, "a.py")
        put(root, ".gitignore", "a.py\n")
        assert not source.admits(root, "a.py")

    @pytest.mark.parametrize("seed", range(25))
    def test_it_agrees_with_the_walk(self, root: Path, seed: int) -> None:
        pick = random.Random(seed)
        names = ("a", "b.py", "c.log", "node_modules", "vendor", "x", ".env", "pyvenv.cfg")
        patterns = (
            "*.log", "vendor/", "!vendor/x/", "!vendor/**/b.py", "x/*", "!*.py", "/a", "!/a/*/x", "node_modules", "*",
            "!x/", "!node_modules/a", "!**/b.py",
        )  # fmt: skip

        def grow(folder: str, depth: int) -> None:
            for name in pick.sample(names, 5):
                if depth < 4 and pick.random() < 0.5 and "." not in name:
                    grow(f"{folder}{name}/", depth + 1)
                else:
                    put(root, folder + name)
            for name in (".gitignore", ".impetusignore"):
                if pick.random() < 0.4:
                    put(root, folder + name, "\n".join(pick.sample(patterns, 3)))

        grow("", 0)
        source = disk(root, include=("/b.py/x",), exclude=("c.log/x",))
        files = source.scan(root).files
        every = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        assert {path for path in every if source.admits(root, path)} == set(files)


class TestRead:
    def test_bytes_as_they_are(self, root: Path) -> None:
        (root / "a").write_bytes(b"\xff\r\n\0")
        assert disk(root).read(root, "a") == b"\xff\r\n\0"

    def test_through_links_that_stay_inside(self, root: Path, tmp_path: Path) -> None:
        put(root, "sub/a", "here")
        (root / "alias").symlink_to("sub")
        (tmp_path / "other").symlink_to(root)
        assert disk(root).read(root, "alias/a") == b"here"
        assert disk(root).read(tmp_path / "other", "sub/a") == b"here"

    @pytest.mark.parametrize(
        "path", ["gone", "sub", "pipe", "link", "away/secret", "../secret", "sub/..", "a\0b", "big"]
    )
    def test_not_found(self, root: Path, tmp_path: Path, path: str) -> None:
        put(tmp_path, "secret")
        (root / "sub").mkdir()
        os.mkfifo(root / "pipe")
        (root / "link").symlink_to("../secret")
        (root / "away").symlink_to("..")
        put(root, "big", "x" * 1001)
        with pytest.raises(NotFound):
            disk(root, max_file_size=1000).read(root, path)


def test_content_is_judged(root: Path) -> None:
    assert disk(root).reject("a.bin", b"\0") == "binary"
    assert disk(root).reject("a.py", b"x = 1\n") is None
