"""What only the real watcher does: version control, roots that are gone, systems that refuse notifications."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import watchfiles

from impetus.adapters.watchfiles_watcher import WatchfilesWatcher

PATIENCE_S = 10


def watch(watcher: WatchfilesWatcher, *roots: Path) -> aclosing[AsyncGenerator[set[Path], None]]:
    return aclosing(cast(AsyncGenerator[set[Path], None], watcher.watch(roots)))


async def test_of_version_control_only_head_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".git" / "objects").mkdir(parents=True)
    last = tmp_path / "last.py"
    async with asyncio.timeout(PATIENCE_S), watch(WatchfilesWatcher(), tmp_path) as batches:
        assert await anext(batches) == set()
        (tmp_path / ".git" / "objects" / "ab").write_text("x")
        (tmp_path / ".git" / "index").write_text("x")
        (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        last.write_text("x = 1\n")
        seen: set[Path] = set()
        while last not in seen:
            seen |= await anext(batches)
    assert seen - {tmp_path, tmp_path / ".git"} == {tmp_path / ".git" / "HEAD", last}


async def test_paths_are_below_the_root_as_it_was_named(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "named").symlink_to("real")
    async with asyncio.timeout(PATIENCE_S), watch(WatchfilesWatcher(), tmp_path / "named") as batches:
        assert await anext(batches) == set()
        (tmp_path / "real" / "a.py").write_text("x = 1\n")
        seen: set[Path] = set()
        while tmp_path / "named" / "a.py" not in seen:
            seen |= await anext(batches)
    assert all(path.is_relative_to(tmp_path / "named") for path in seen)


async def test_a_root_that_is_gone_is_a_problem_and_the_others_are_watched(tmp_path: Path) -> None:
    watcher = WatchfilesWatcher()
    async with asyncio.timeout(PATIENCE_S), watch(watcher, tmp_path / "gone", tmp_path) as batches:
        assert await anext(batches) == set()
        (tmp_path / "a.py").write_text("x = 1\n")
        seen: set[Path] = set()
        while tmp_path / "a.py" not in seen:
            seen |= await anext(batches)
        assert [problem.subject for problem in watcher.problems()] == [str(tmp_path / "gone")]
    assert watcher.problems() == ()


async def test_without_any_root_it_ends(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE_S), watch(WatchfilesWatcher(), tmp_path / "gone") as batches:
        assert [batch async for batch in batches] == []


def refusing(*paths: Path, **options: Any) -> Generator[set[tuple[watchfiles.Change, str]], None, None]:
    """A system whose limit of notifications is used up."""
    if not options["force_polling"]:
        raise OSError("OS file watch limit reached")
    yield set()
    yield {(watchfiles.Change.modified, str(paths[0] / "a.py"))}
    options["stop_event"].wait(PATIENCE_S)


async def test_without_notifications_it_polls_and_names_the_limit(tmp_path: Path) -> None:
    watcher = WatchfilesWatcher(watch=refusing)
    async with asyncio.timeout(PATIENCE_S), watch(watcher, tmp_path) as batches:
        assert await anext(batches) == set()
        assert await anext(batches) == {tmp_path / "a.py"}
        [problem] = watcher.problems()
        assert "fs.inotify.max_user_watches" in problem.message


async def test_what_is_wrong_with_one_folder_is_said_until_it_is_left_whatever_is_opened_meanwhile(
    tmp_path: Path,
) -> None:
    def refusing_the_first(*paths: Path, **options: Any) -> Generator[set[tuple[watchfiles.Change, str]], None, None]:
        return refusing(*paths, **options) if paths == (tmp_path / "first",) else watchfiles.watch(*paths, **options)

    watcher = WatchfilesWatcher(watch=refusing_the_first)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    async with asyncio.timeout(PATIENCE_S):
        async with watch(watcher, tmp_path / "first") as first:
            assert await anext(first) == set()
            async with watch(watcher, tmp_path / "second") as second:
                assert await anext(second) == set()
                [problem] = watcher.problems()
                assert problem.subject == "watching"
            assert watcher.problems() == (problem,)
        assert watcher.problems() == ()


def closed(*paths: Path, **options: Any) -> Generator[set[tuple[watchfiles.Change, str]], None, None]:
    """A tree that holds a folder of somebody else."""
    if not options["ignore_permission_denied"]:
        raise PermissionError("Permission denied")
    return watchfiles.watch(*paths, **options)


async def test_a_closed_folder_does_not_cost_the_notifications_for_the_others(tmp_path: Path) -> None:
    watcher = WatchfilesWatcher(watch=closed)
    async with asyncio.timeout(PATIENCE_S), watch(watcher, tmp_path) as batches:
        assert await anext(batches) == set()
        (tmp_path / "a.py").write_text("x = 1\n")
        assert await anext(batches) == {tmp_path / "a.py"}
    assert watcher.problems() == ()


def broken(*paths: Path, **options: Any) -> Generator[set[tuple[watchfiles.Change, str]], None, None]:
    raise RuntimeError("no watching here")


async def test_where_nothing_can_be_watched_it_says_so_and_ends(tmp_path: Path) -> None:
    watcher = WatchfilesWatcher(watch=broken)
    async with asyncio.timeout(PATIENCE_S), watch(watcher, tmp_path) as batches:
        assert [batch async for batch in batches] == []
    [problem] = watcher.problems()
    assert "reindex" in problem.message
