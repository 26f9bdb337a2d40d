"""Where an index lies: one folder for all worktrees of a repository, one for any other folder."""

import subprocess
from pathlib import Path

import pytest

from impetus.adapters.store import folder_for, subject_of


def _git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def test_worktrees_and_subfolders_share_an_index(tmp_path: Path) -> None:
    root, second = tmp_path / "project", tmp_path / "elsewhere"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a.py").write_text("x = 1\n")
    _git(root, "init")
    _git(root, "add", "-A")
    _git(root, "commit", "-m", "start")
    _git(root, "worktree", "add", "--detach", str(second))
    folder = folder_for(tmp_path, root)
    assert folder.name.startswith("project-")
    assert folder_for(tmp_path, root / "sub") == folder
    assert folder_for(tmp_path, second) == folder


def test_other_folders_have_an_index_each(tmp_path: Path) -> None:
    first, second = tmp_path / "x" / "same", tmp_path / "y" / "same"
    for folder in (first, second):
        folder.mkdir(parents=True)
    assert folder_for(tmp_path, first) != folder_for(tmp_path, second)
    assert folder_for(tmp_path, Path("/")).parent == tmp_path / "index"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Owner/Name.git",
        "https://someone:token@github.com/owner/name",
        "git@github.com:owner/name.git",
        "ssh://git@github.com/owner/name/",
    ],
)
def test_checkouts_of_one_repository_have_one_subject(tmp_path: Path, url: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "config").write_text(
        f'[remote "fork"]\n\turl = https://example.org/other\n[remote "origin"]\n\turl = {url}\n\tfetch = +refs\n'
    )
    assert subject_of(tmp_path) == "github.com/owner/name"


def test_a_folder_from_nowhere_has_no_subject(tmp_path: Path) -> None:
    assert subject_of(tmp_path) == ""
