"""The engine's folders: what it keeps of one that cannot be opened."""

from pathlib import Path

import pytest

from impetus.app import create_engine
from impetus.config import resolve
from impetus.domain.types import Health
from impetus.errors import IndexFailed, NotFound


async def test_a_folder_whose_index_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "project"
    root.mkdir()
    home.write_text("not a folder")
    engine = await create_engine(resolve({"index": {"watch": False}})[0], home=home)
    try:
        for _ in range(2):
            with pytest.raises(IndexFailed):
                await engine.open_root(root, engine.settings.index, set)
        assert (engine.status().indexes, engine.status().health) == ((), Health.OK)
        with pytest.raises(NotFound):
            engine.index(root)
        home.unlink()
        await engine.open_root(root, engine.settings.index, set)  # what was in the way is gone
        await engine.index(root).idle()
        assert engine.status().indexes[0].phase == "ready"
    finally:
        await engine.close()
