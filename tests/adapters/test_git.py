"""Repositories, worktrees, branches and settings, read without git; compared with git where it is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from impetus.adapters import git


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_nothing_but_a_folder(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()  # without HEAD it is no repository
    assert git.open_at(tmp_path) is None


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("ref: refs/heads/main\n", "main"),
        ("ref: refs/heads/feature/x\n", "feature/x"),
        ("0123456789012345678901234567890123456789\n", "0123456789012345678901234567890123456789"),
        ("ref: refs/heads/.invalid\n", None),
        ("", None),
    ],
)
def test_head(tmp_path: Path, head: str, expected: str | None) -> None:
    write(tmp_path, ".git/HEAD", head)
    (tmp_path / "a" / "b").mkdir(parents=True)
    found = git.repository(tmp_path / "a" / "b")
    assert found is not None
    assert (found.top, found.common_dir) == (tmp_path, tmp_path / ".git")
    assert found.head() == expected


@pytest.mark.parametrize("text", ["", "gitdir:", "gitdir: nowhere\n", "garbage"])
def test_a_broken_link_to_a_repository(tmp_path: Path, text: str) -> None:
    write(tmp_path, ".git", text)
    assert git.open_at(tmp_path) is None


@pytest.mark.skipif(shutil.which("git") is None, reason="makes a worktree with git, which is not installed")
def test_worktrees_share_the_common_folder(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    main.mkdir()
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    for command in (
        "init -q -b trunk",
        "config user.name Somebody",
        "config user.email somebody@example.org",
        "commit -q --allow-empty -m first",
        "worktree add -q -b other ../tree",
    ):
        subprocess.run(["git", *command.split()], cwd=main, env=environment, check=True, capture_output=True)
    first, second = git.repository(main), git.repository(tree)
    assert first is not None and second is not None
    assert first.common_dir == second.common_dir
    assert (first.head(), second.head()) == ("trunk", "other")
    assert second.top == tree
    subprocess.run(["git", "checkout", "-q", "--detach"], cwd=tree, env=environment, check=True, capture_output=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tree, env=environment, check=True, capture_output=True, text=True
    )
    assert second.head() == commit.stdout.strip()


class TestSettings:
    def test_later_files_win_and_includes_are_followed(self, tmp_path: Path) -> None:
        write(tmp_path, "system", "[core]\n  excludesFile = /system\n  ignoreCase\n")
        write(
            tmp_path, ".config/git/config", '[core] excludesfile = "/x d/g" ; why\n[other "core"]\nexcludesFile = no\n'
        )
        write(tmp_path, ".gitconfig", "# c\n[include]\n\tpath = more/config\n\tpath = gone\n")
        write(tmp_path, "more/config", '[core]\nexcludesfile = "~/mine\\tx"\n[include]\npath = ../.gitconfig\n')
        write(tmp_path, "r/.git/HEAD", "ref: refs/heads/main\n")
        write(tmp_path, "r/.git/config", "[core]\n\tbare = false\n")
        environment = {"HOME": str(tmp_path), "GIT_CONFIG_SYSTEM": str(tmp_path / "system")}
        values = git.settings(git.repository(tmp_path / "r"), environment)
        assert values["core.excludesfile"] == "~/mine\tx"
        assert values["core.ignorecase"] == "true"
        assert values["core.bare"] == "false"
        assert git.global_ignore_file(values, environment) == tmp_path / "mine\tx"

    def test_one_file_can_stand_for_the_users(self, tmp_path: Path) -> None:
        write(tmp_path, ".gitconfig", "[core]\nexcludesfile = /wrong\n")
        write(tmp_path, "mine", "[core]\nexcludesfile = /right\n")
        environment = {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": str(tmp_path / "mine")}
        assert git.settings(None, environment)["core.excludesfile"] == "/right"

    @pytest.mark.parametrize(
        ("environment", "expected"),
        [
            ({"HOME": "/h"}, Path("/h/.config/git/ignore")),
            ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, Path("/x/git/ignore")),
            ({}, None),
        ],
    )
    def test_the_default_global_ignore_file(self, environment: dict[str, str], expected: Path | None) -> None:
        assert git.global_ignore_file({}, environment) == expected

    def test_an_empty_setting_switches_it_off(self) -> None:
        assert git.global_ignore_file({"core.excludesfile": ""}, {"HOME": "/h"}) is None


class TestReadSmall:
    def test_only_small_regular_files(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"12345")
        os.mkfifo(tmp_path / "pipe")
        assert git.read_small(tmp_path / "a") == b"12345"
        assert git.read_small(tmp_path / "a", 4) is None
        assert git.read_small(tmp_path / "pipe") is None
        assert git.read_small(tmp_path) is None
        assert git.read_small(tmp_path / "gone") is None
        assert git.read_small(Path("a\0b")) is None
