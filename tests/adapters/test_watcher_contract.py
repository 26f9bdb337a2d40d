"""The contract of the port Watcher, held by the real one on real files and by the fake that other tests use."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest
from tests.support.fakes import FakeWatcher

from impetus.adapters.watchfiles_watcher import WatchfilesWatcher
from impetus.domain.ports import Watcher

PATIENCE_S = 10  # only a broken watcher is waited for so long

Changed = Callable[..., None]


class Subject:
    """A watcher and how it learns of changes: the real one by itself, the fake by being told."""

    def __init__(self, kind: str) -> None:
        self.fake = FakeWatcher() if kind == "fake" else None
        self.watcher: Watcher = self.fake or WatchfilesWatcher()

    def changed(self, *paths: Path) -> None:
        if self.fake is not None:
            self.fake.push(*paths)

    def watch(self, *roots: Path) -> aclosing[AsyncGenerator[set[Path], None]]:
        return aclosing(cast(AsyncGenerator[set[Path], None], self.watcher.watch(roots)))


@pytest.fixture(params=["real", "fake"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param)


async def begin(batches: AsyncIterator[set[Path]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        assert await anext(batches) == set()


async def collect(batches: AsyncIterator[set[Path]], wanted: Sequence[Path]) -> set[Path]:
    """Everything reported until all of `wanted` was."""
    seen: set[Path] = set()
    async with asyncio.timeout(PATIENCE_S):
        while not seen.issuperset(wanted):
            seen |= await anext(batches)
    return seen


async def test_create_edit_delete_and_rename(subject: Subject, tmp_path: Path) -> None:
    file, renamed = tmp_path / "a.py", tmp_path / "b.py"
    async with subject.watch(tmp_path) as batches:
        await begin(batches)

        file.write_text("x = 1\n")
        subject.changed(file)
        await collect(batches, [file])

        file.write_text("x = 2\n")
        subject.changed(file)
        await collect(batches, [file])

        file.rename(renamed)
        subject.changed(file, renamed)
        await collect(batches, [file, renamed])

        renamed.unlink()
        subject.changed(renamed)
        await collect(batches, [renamed])


async def test_a_folder_that_moves_in_or_out_is_reported_itself(subject: Subject, tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "inner" / "a.py").write_text("x = 1\n")
    root.mkdir()
    async with subject.watch(root) as batches:
        await begin(batches)

        outside.rename(root / "moved")
        subject.changed(root / "moved")
        await collect(batches, [root / "moved"])

        # What lies in it is watched from now on.
        file = root / "moved" / "inner" / "a.py"
        file.write_text("x = 2\n")
        subject.changed(file)
        await collect(batches, [file])

        (root / "moved").rename(outside)
        subject.changed(root / "moved")
        await collect(batches, [root / "moved"])


async def test_several_roots_and_nothing_else(subject: Subject, tmp_path: Path) -> None:
    roots = [tmp_path / "one", tmp_path / "two"]
    other = tmp_path / "three"
    for folder in (*roots, other):
        folder.mkdir()
    async with subject.watch(*roots) as batches:
        await begin(batches)
        files = [folder / "a.py" for folder in (other, *roots)]
        for file in files:
            file.write_text("x = 1\n")
            subject.changed(file)
        seen = await collect(batches, files[1:])
        assert not any(path.is_relative_to(other) for path in seen)


async def test_closing_ends_it_and_it_can_begin_again(subject: Subject, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    for _ in range(2):
        async with subject.watch(tmp_path) as batches:
            await begin(batches)
        with pytest.raises(StopAsyncIteration):
            await anext(batches)
    assert set(threading.enumerate()) == before


async def test_canceling_the_reader_ends_it(subject: Subject, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    begun = asyncio.Event()

    async def read() -> None:
        async with subject.watch(tmp_path) as batches:
            await begin(batches)
            begun.set()
            await anext(batches)

    reader = asyncio.create_task(read())
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert set(threading.enumerate()) == before


async def test_batches_that_nobody_has_read_yet_merge(subject: Subject, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.py" for number in range(50)]
    async with subject.watch(tmp_path) as batches:
        await begin(batches)
        for file in files:
            file.write_text("x = 1\n")
            subject.changed(file)
        assert await collect(batches, files) >= set(files)
