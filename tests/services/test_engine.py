"""The engine's folders, and what its status says of the embedders."""

import asyncio
import threading
from pathlib import Path

import pytest
from tests.support.tiny_encoder import write_encoder

from impetus.app import create_engine
from impetus.config import resolve
from impetus.domain.types import Health, SearchQuery
from impetus.errors import IndexFailed, NotFound
from impetus.services.session import Session


def nothing_open(_root: Path) -> set[str]:
    return set()


async def test_a_folder_whose_index_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "project"
    root.mkdir()
    home.write_text("not a folder")
    engine = await create_engine(resolve({"index": {"watch": False}})[0], home=home)
    try:
        for _ in range(2):
            with pytest.raises(IndexFailed):
                await engine.open_root(root, engine.settings.index, nothing_open)
        assert (engine.status().indexes, engine.status().health) == ((), Health.OK)
        with pytest.raises(NotFound):
            engine.index(root)
        home.unlink()
        await engine.open_root(root, engine.settings.index, nothing_open)  # what was in the way is gone
        await engine.index(root).idle()
        assert engine.status().indexes[0].phase == "ready"
    finally:
        await engine.close()


async def test_a_folder_that_cannot_be_looked_into_is_refused_in_words(tmp_path: Path) -> None:
    engine = await create_engine(resolve({"index": {"watch": False}})[0], home=tmp_path / "home")
    try:
        with pytest.raises(NotFound, match="cannot be opened: File name too long"):
            await engine.open_root(tmp_path / ("x" * 300), engine.settings.index, nothing_open)
    finally:
        await engine.close()


async def test_a_folder_opened_again_waits_for_its_closing_and_others_do_not(tmp_path: Path) -> None:
    """`Reload window` does so: the files of an index are let go of before they are opened anew."""
    root, other = tmp_path / "project", tmp_path / "other"
    for folder in (root, other):
        folder.mkdir()
    engine = await create_engine(resolve({"index": {"watch": False}})[0], home=tmp_path / "home")
    before, after, beside = Session(engine), Session(engine), Session(engine)
    let_go = threading.Event()
    try:
        await before.open_root(root)
        await before.indexed()
        busy = asyncio.create_task(engine.index(root).repository.run(let_go.wait))
        closing = asyncio.create_task(before.close())
        for _ in range(100):  # turns of the loop, until only the files are left to be closed
            await asyncio.sleep(0)
        opening = asyncio.create_task(after.open_root(root))
        await beside.open_root(other)
        await beside.indexed()
        let_go.set()
        await asyncio.gather(busy, closing, opening)
        await after.indexed()
        assert [index.phase for index in after.status().indexes] == ["ready"]
    finally:
        let_go.set()
        await engine.close()


async def test_a_neural_embedder_joins_behind_and_its_state_is_shown(tmp_path: Path) -> None:
    root, model = tmp_path / "project", write_encoder(tmp_path / "model", _name_or_path="tests/tiny")
    root.mkdir()
    (root / "a.py").write_text("def parse_header(line):\n    return line.split(':')\n")
    settings = resolve({"index": {"watch": False}, "embedding": {"model": str(model), "compute": "cpu"}})[0]
    engine = await create_engine(settings, home=tmp_path / "home")
    session = Session(engine)
    try:
        await session.open_root(root)
        await session.indexed()
        assert (await session.search(SearchQuery("split a header line")))[0].path == "a.py"
        await asyncio.wait_for(session.embedded(), 30)
        assert (await session.search(SearchQuery("split a header line")))[0].path == "a.py"
        static, neural = [model for model in session.status().models if model.role == "embedding"]
        assert static.state == "ready"
        assert (neural.id.startswith("tiny-"), neural.state, neural.detail) == (True, "ready", "1 chunk on the CPU")
    finally:
        await session.close()
        await engine.close()


async def test_the_model_process_proves_itself_before_it_computes_vectors(tmp_path: Path) -> None:
    """How fast it is here decides whether it is used; whether it is right does not depend on that."""
    model = write_encoder(tmp_path / "model")
    embedding = {"model": str(model), "compute": "gpu"}
    engine = await create_engine(resolve({"embedding": embedding})[0], home=tmp_path / "home")
    try:
        assert [(one.name, one.state) for one in engine.embedding_backends()] == [("GPU", "untried"), ("CPU", "in use")]
        gpu, _cpu = await engine.try_embedding_backends()
        assert gpu.state in ("in use", "failed")
        assert gpu.verdict is not None
        assert gpu.verdict.cosine > 0.9999
        assert set(engine.embedders()) == {"CPU (static)", "GPU", "CPU"}
        machine = await engine.machine()
        assert machine is not None and machine[0].build
    finally:
        await engine.close()


async def test_a_status_without_indexing_counts_what_is_there(tmp_path: Path) -> None:
    root, model = tmp_path / "project", write_encoder(tmp_path / "model")
    root.mkdir()
    (root / "a.py").write_text("def parse_header(line):\n    return line.split(':')\n")
    for enable, state in ((True, "ready"), (False, "ready")):
        index = {"watch": False, "enable": enable}
        settings = resolve({"index": index, "embedding": {"model": str(model), "compute": "cpu"}})[0]
        engine = await create_engine(settings, home=tmp_path / "home")
        await engine.open_root(root, engine.settings.index, nothing_open)
        filling = engine.index(root).filling
        assert filling is not None
        if enable:
            await asyncio.wait_for(filling.finished(), 30)
        assert (engine.status().models[-1].state, engine.status().models[-1].detail) == (state, "1 chunk on the CPU")
        await engine.close()


async def test_an_unusable_model_is_said_and_static_vectors_serve(tmp_path: Path) -> None:
    settings = resolve({"index": {"watch": False}, "embedding": {"model": str(tmp_path / "nothing")}})[0]
    engine = await create_engine(settings, home=tmp_path / "home")
    status = engine.status()
    assert status.health is Health.WARNING
    assert "There is no embedding model" in status.message
    assert [model.state for model in status.models if model.role == "embedding"] == ["ready"]
    await engine.close()


async def test_an_embedding_server_that_is_away_is_said_and_static_vectors_serve(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "a.py").write_text("def parse_header(line):\n    return line.split(':')\n")
    embedding = {"model": "m", "base_url": "http://127.0.0.1:9/v1"}
    engine = await create_engine(
        resolve({"index": {"watch": False}, "embedding": embedding})[0], home=tmp_path / "home"
    )
    session = Session(engine)
    try:
        await session.open_root(root)
        await session.indexed()
        assert (await session.search(SearchQuery("split a header line")))[0].path == "a.py"
        await asyncio.wait_for(session.embedded(), 30)
        status = session.status()
        assert status.health is Health.WARNING
        assert "The embedding model m-" in status.message
        assert "127.0.0.1:9/v1 cannot be used" in status.message
    finally:
        await session.close()
        await engine.close()
