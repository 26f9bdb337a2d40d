"""Who asks in the first second of a new folder gets an answer; nobody else waits."""

import asyncio
from pathlib import Path

import pytest
from tests.support.gated_embedder import GatedEmbedder
from tests.support.live_index import live_index

from impetus.config import IndexSettings
from impetus.services.first_index import first_index
from impetus.services.root_index import RootIndex

SETTINGS = IndexSettings(watch=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for number in range(4):
        (folder / f"module_{number}.py").write_text(f"def function_{number}():\n    return {number}\n" * 700)
    return folder


async def waited(index: RootIndex, **limits: float) -> int:
    """How often it was told how far the index is."""
    return len([event async for event in first_index([index], **limits)])


async def test_a_question_waits_for_the_first_index_and_is_told_how_far_it_is(tmp_path: Path, root: Path) -> None:
    embedder = GatedEmbedder()
    embedder.gate.clear()
    async with live_index(tmp_path / "home", root, embedder, settings=SETTINGS) as index:
        steps = first_index([index], longest_s=60)
        assert (await anext(steps)).done == 0
        assert not index.complete.is_set()
        embedder.gate.set()
        async for _ in steps:
            pass
        assert (index.progress.phase, index.progress.files) == ("ready", 4)


async def test_of_a_large_folder_what_is_there_has_to_do(tmp_path: Path, root: Path) -> None:
    embedder = GatedEmbedder()
    begun = asyncio.Event()

    def changed() -> None:
        if index.searchable.is_set() and not index.complete.is_set():
            embedder.gate.clear()  # the second transaction waits
            begun.set()

    async with live_index(tmp_path / "home", root, embedder, settings=SETTINGS, on_change=changed) as index:
        await begun.wait()
        assert await waited(index, complete_s=0, longest_s=60) == 0
        assert await waited(index, complete_s=0.01, longest_s=60) > 0
        assert not index.complete.is_set()
        embedder.gate.set()


async def test_nobody_waits_for_ever(tmp_path: Path, root: Path) -> None:
    embedder = GatedEmbedder()
    embedder.gate.clear()
    async with live_index(tmp_path / "home", root, embedder, settings=SETTINGS) as index:
        assert await waited(index, longest_s=0.01) > 0
        assert not index.searchable.is_set()
        embedder.gate.set()


async def test_a_folder_that_was_indexed_before_is_not_waited_for(tmp_path: Path, root: Path) -> None:
    async with live_index(tmp_path / "home", root, GatedEmbedder(), settings=SETTINGS) as index:
        await index.idle()
    embedder = GatedEmbedder()
    embedder.gate.clear()
    (root / "new.py").write_text("def new():\n    return 1\n")
    async with live_index(tmp_path / "home", root, embedder, settings=SETTINGS) as index:
        await asyncio.wait_for(index.complete.wait(), 20)
        assert await waited(index) == 0
        assert index.progress.phase != "ready"
        embedder.gate.set()


async def test_a_folder_that_cannot_be_indexed_is_not_waited_for(tmp_path: Path, root: Path) -> None:
    (tmp_path / "home").mkdir()
    async with live_index(tmp_path / "home", root / "absent", GatedEmbedder(), settings=SETTINGS) as index:
        await asyncio.wait_for(index.complete.wait(), 20)
        assert index.progress.phase == "failed"
        assert await waited(index) == 0
