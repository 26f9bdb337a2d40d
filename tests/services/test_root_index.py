"""The life of a root's index: another owner that leaves, a folder that goes and comes back."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.embedder import HashEmbedder
from tests.support.live_index import live_index, opener

from impetus.adapters import store
from impetus.config import IndexSettings
from impetus.domain.ports import Vectors
from impetus.errors import IndexLocked
from impetus.services.repository import Repository, Store


def make(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make(tmp_path / "project", {"a.py": "def first():\n    return 1\n"})


async def test_a_second_process_takes_over_when_the_owner_is_gone(tmp_path: Path, project: Path) -> None:
    home = tmp_path / "home"
    async with live_index(home, project, HashEmbedder()) as owner:
        await owner.idle()
        second = live_index(home, project, HashEmbedder())
        follower = await second.__aenter__()
        await follower.idle()
        assert follower.progress.phase == "shared"
        assert follower.progress.files == 1
    (project / "b.py").write_text("def second():\n    return 2\n")
    follower.note([project / "b.py"])
    await follower.idle()
    assert (follower.progress.phase, follower.progress.files) == ("ready", 2)
    await second.__aexit__(None, None, None)


async def test_a_folder_that_vanishes_is_said_and_indexed_when_it_is_back(tmp_path: Path, project: Path) -> None:
    async with live_index(tmp_path / "home", project, HashEmbedder()) as index:
        await index.idle()
        shutil.rmtree(project)
        index.note([project])
        await index.idle()
        assert index.progress.phase == "failed"
        make(project, {"new.py": "x = 1\n"})
        index.note([project])
        await index.idle()
        assert (index.progress.phase, index.progress.files) == ("ready", 1)


class FailsOnce(HashEmbedder):
    """Raises what nobody foresees, once."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = False

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.failing:
            self.failing = False
            raise ZeroDivisionError
        return super().embed(texts)


async def test_what_an_unforeseen_failure_left_undone_is_done_with_the_next_change(
    tmp_path: Path, project: Path
) -> None:
    embedder = FailsOnce()
    async with live_index(tmp_path / "home", project, embedder) as index:
        await index.idle()
        embedder.failing = True
        (project / "b.py").write_text("def second():\n    return 2\n")
        index.note([project / "b.py"])
        await index.idle()
        assert index.progress.phase == "failed"
        (project / "c.py").write_text("def third():\n    return 3\n")
        index.note([project / "c.py"])
        await index.idle()
        assert (index.progress.phase, index.progress.files) == ("ready", 3)


async def test_vectors_that_are_lost_while_it_runs_are_made_again(tmp_path: Path, project: Path) -> None:
    async with live_index(tmp_path / "home", project, HashEmbedder()) as index:
        await index.idle()
        vectors = index.repository.store.vectors
        ids = sorted(vectors.ids())
        vectors.remove(ids)
        await asyncio.to_thread(vectors.on_lost)
        await index.idle()
        assert ids
        assert vectors.missing(ids) == set()


async def test_an_index_that_could_not_be_opened_after_a_rebuild_is_opened_later(tmp_path: Path, project: Path) -> None:
    home, locked = tmp_path / "home", False
    folder = store.folder_for(home, project)
    opened = opener(folder, HashEmbedder())

    def open_store(fresh: bool) -> Store:
        if locked:
            raise IndexLocked("Another Impetus process keeps this index; end it first")
        return opened(fresh)

    repository = Repository(folder.name, open_store)
    async with live_index(home, project, HashEmbedder(), repository=repository) as index:
        await index.idle()
        locked = True
        with pytest.raises(IndexLocked):
            await repository.rebuild()
        await index.idle()
        assert (index.progress.phase, "keeps this index" in index.progress.problems[0].message) == ("failed", True)
        locked = False
        index.note([project])
        await index.idle()
        assert (index.progress.phase, index.progress.files) == ("ready", 1)
    await repository.close()


async def test_a_rebuild_that_was_asked_for_leaves_no_warning(tmp_path: Path, project: Path) -> None:
    async with live_index(tmp_path / "home", project, HashEmbedder()) as index:
        await index.idle()
        await index.repository.rebuild("It was damaged")
        await index.idle()
        assert "It was damaged" in index.repository.problems()[0].message
        await index.repository.rebuild()
        await index.idle()
        assert index.repository.problems() == ()


async def test_a_reader_never_deletes_what_another_process_owns(tmp_path: Path, project: Path) -> None:
    home = tmp_path / "home"
    async with live_index(home, project, HashEmbedder()) as owner:
        await owner.idle()
        async with live_index(home, project, HashEmbedder()) as reader:
            await reader.idle()
            with pytest.raises(IndexLocked):
                await reader.repository.rebuild()
            assert reader.repository.store.reader.counts(project).files == 1
        assert owner.repository.store.reader.counts(project).files == 1


@pytest.mark.parametrize(("days", "kept"), [(0, 1), (14, 2)])
async def test_contents_that_nothing_uses_stay_for_their_time(
    tmp_path: Path, project: Path, days: float, kept: int
) -> None:
    settings = IndexSettings(keep_unused_days=days)
    async with live_index(tmp_path / "home", project, HashEmbedder(), settings=settings) as index:
        await index.idle()
        (project / "a.py").write_text("def other():\n    return 2\n")
        index.note([project / "a.py"])
        await index.idle()
        opened = index.repository.store
        assert opened.writer is not None
        assert len(await index.repository.run(opened.writer.stored_chunks)) == kept
        assert len(opened.vectors.ids()) == kept
