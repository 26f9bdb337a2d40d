"""The life of a root's index: another owner that leaves, a folder that goes and comes back."""

import shutil
from pathlib import Path

import pytest
from tests.support.embedder import HashEmbedder
from tests.support.live_index import live_index

from impetus.config import IndexSettings
from impetus.errors import IndexLocked


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


async def test_a_reader_never_deletes_what_another_process_owns(tmp_path: Path, project: Path) -> None:
    home = tmp_path / "home"
    async with live_index(home, project, HashEmbedder()) as owner:
        await owner.idle()
        async with live_index(home, project, HashEmbedder()) as reader:
            await reader.idle()
            with pytest.raises(IndexLocked):
                await reader.repository.rebuild("asked for")
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
        store = index.repository.store
        assert store.writer is not None
        assert len(await index.repository.run(store.writer.stored_chunks)) == kept
        assert len(store.vectors.ids()) == kept
