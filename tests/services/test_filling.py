"""Neural vectors in the background: what is filled in, in which order, and what stops it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.support.embedder import HashEmbedder
from tests.support.fakes import FakePower
from tests.support.gated_embedder import GatedEmbedder
from tests.support.live_index import live_index, repository_in

from impetus.adapters import store
from impetus.adapters.disk import Disk
from impetus.adapters.verdict_file import VerdictFile
from impetus.config import IndexSettings
from impetus.domain.hardware import Hardware
from impetus.domain.ports import Vectors
from impetus.errors import ModelError
from impetus.services.background import Background
from impetus.services.dispatcher import Backend, Dispatcher
from impetus.services.filling import Filled, Filling, filling_state
from impetus.services.neural import Neural
from impetus.services.root_index import RootIndex


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("alpha", "beta", "gamma"):
        (folder / f"{name}.py").write_text(f"def {name}():\n    return '{name}'\n")
    return folder


@pytest.fixture
def embedder() -> GatedEmbedder:
    return GatedEmbedder()


@asynccontextmanager
async def filled_index(
    home: Path,
    root: Path,
    embedder: GatedEmbedder | Dispatcher,
    open_first: Callable[[], set[str]] = set,
    on_change: Callable[[], None] = lambda: None,
) -> AsyncIterator[RootIndex]:
    neural = Neural(embedder, quiet=0.0, retry=0.0)
    try:
        async with live_index(
            home, root, HashEmbedder(), neural=neural, open_first=open_first, on_change=on_change
        ) as index:
            await index.idle()
            yield index
            if isinstance(embedder, GatedEmbedder):
                embedder.gate.set()
    finally:
        neural.close()


def filling_of(index: RootIndex) -> Filling:
    assert index.filling is not None
    return index.filling


async def finished(index: RootIndex) -> Filled:
    await asyncio.wait_for(filling_of(index).finished(), 20)
    return filling_of(index).filled


def lacking(index: RootIndex) -> set[str]:
    found = index.repository.store
    assert found.neural is not None
    ids = [key for keys in found.reader.chunk_ids(index.root).values() for key in keys]
    return found.neural.missing(ids)


async def test_every_chunk_gets_its_vector(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    async with filled_index(tmp_path / "home", project, embedder) as index:
        done = await finished(index)
        assert (done.done, done.total) == (3, 3)
        assert lacking(index) == set()
        assert sorted(embedder.embedded) == [f"def {n}():\n    return '{n}'\n" for n in ("alpha", "beta", "gamma")]


@pytest.mark.parametrize("bad", [float("nan"), 0.0])
async def test_no_vector_of_a_failed_backend_is_stored(tmp_path: Path, project: Path, bad: float) -> None:
    class Started(GatedEmbedder):
        """Has a word for every text, so that none has a vector of zeros."""

        def embed(self, texts: Sequence[str]) -> Vectors:
            return super().embed([f"start {text}" for text in texts])

    class Spoiled(Started):
        """Passes the canary, and spoils what comes after."""

        def embed(self, texts: Sequence[str]) -> Vectors:
            vectors = super().embed(texts)
            return np.full_like(vectors, bad) if any("return 'beta'" in text for text in texts) else vectors

    spoiled, reference = Spoiled(), Started()
    verdicts = VerdictFile(tmp_path / "verdicts", reference.id, Hardware("Linux"))
    ticks = iter(range(10**9))
    backends = [Backend("GPU", spoiled), Backend("CPU", reference)]
    dispatcher = Dispatcher(backends, verdicts, clock=lambda: next(ticks))
    async with filled_index(tmp_path / "home", project, dispatcher) as index:
        done = await finished(index)
        assert (done.done, done.total) == (3, 3)
        store = index.repository.store.neural
        assert store is not None
        for name in ("alpha", "beta", "gamma"):
            vector = HashEmbedder(dimensions=32)._vector(f"start def {name}():\n    return '{name}'\n")
            (_, nearest), *_ = store.search(vector, 3)
            assert nearest == pytest.approx(1, abs=1e-3)
    assert [one.state for one in dispatcher.states()] == ["failed", "in use"]


async def test_only_what_is_new_is_embedded(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    async with filled_index(tmp_path / "home", project, embedder) as index:
        await finished(index)
        embedder.embedded.clear()
        old = (project / "alpha.py").read_text()
        (project / "alpha.py").rename(project / "moved.py")
        (project / "beta.py").write_text("def changed():\n    return 1\n")
        index.note([project])
        await index.idle()
        await finished(index)
        assert embedder.embedded == ["def changed():\n    return 1\n"]
        (project / "beta.py").write_text("def beta():\n    return 'beta'\n")
        (project / "alpha.py").write_text(old)
        index.note([project])
        await index.idle()
        await finished(index)
        assert len(embedder.embedded) == 1, "the way back costs nothing"
        assert lacking(index) == set()


async def test_a_restart_goes_on_where_it_was(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    async with filled_index(tmp_path / "home", project, embedder) as index:
        await finished(index)
    (project / "delta.py").write_text("def delta():\n    return 4\n")
    again = GatedEmbedder()
    async with filled_index(tmp_path / "home", project, again) as index:
        assert (await finished(index)).done == 4
        assert again.embedded == ["def delta():\n    return 4\n"]


async def test_another_model_begins_anew(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    async with filled_index(tmp_path / "home", project, embedder) as index:
        await finished(index)
    other = GatedEmbedder("another", 16)
    async with filled_index(tmp_path / "home", project, other) as index:
        await finished(index)
        assert len(other.embedded) == 3


async def test_a_second_worktree_embeds_nothing(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    second = Path(shutil.copytree(project, tmp_path / "second"))
    neural = Neural(embedder, quiet=0.0)
    async with live_index(tmp_path / "home", project, HashEmbedder(), neural=neural) as index:
        await index.idle()
        await finished(index)
        embedder.embedded.clear()
        shared = index.repository
        async with live_index(tmp_path / "home", second, HashEmbedder(), neural=neural, repository=shared) as other:
            await other.idle()
            assert (await finished(other)).done == 3
    assert embedder.embedded == []
    neural.close()


async def test_open_files_come_first(tmp_path: Path, embedder: GatedEmbedder) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for number in range(30):
        (project / f"f{number:02}.py").write_text(f"def f{number}():\n    return {number}\n")
    async with filled_index(tmp_path / "home", project, embedder, lambda: {"f17.py"}) as index:
        await finished(index)
        assert embedder.embedded[0] == "def f17():\n    return 17\n"


async def test_secrets_are_masked(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    secret = "ghp_" + "a1B2" * 9
    (project / "alpha.py").write_text(f"token = '{secret}'\n")
    async with filled_index(tmp_path / "home", project, embedder) as index:
        await finished(index)
        assert not any(secret in text for text in embedder.embedded)


async def test_one_text_that_fails_holds_up_no_other(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    changed = asyncio.Event()
    embedder.poison = "beta"
    async with (
        asyncio.timeout(20),
        filled_index(tmp_path / "home", project, embedder, on_change=changed.set) as index,
    ):
        while len(lacking(index)) != 1:
            changed.clear()
            await changed.wait()
        embedder.poison = ""
        while lacking(index):
            changed.clear()
            await changed.wait()


async def test_a_failed_embedder_is_said_and_static_vectors_go_on(
    tmp_path: Path, project: Path, embedder: GatedEmbedder
) -> None:
    embedder.broken = ModelError("The embedding server is away")
    async with filled_index(tmp_path / "home", project, embedder) as index:
        await finished(index)
        (project / "new.py").write_text("def new():\n    return 5\n")
        index.note([project / "new.py"])
        await index.idle()
        assert index.progress.files == 4
        reader = index.repository.store.reader
        ids = [key for keys in reader.chunk_ids(project).values() for key in keys]
        assert index.repository.store.vectors.missing(ids) == set()
        assert len(lacking(index)) == 4


@pytest.mark.parametrize("bad", [0.0, float("nan")])
async def test_bad_vectors_are_never_stored(tmp_path: Path, project: Path, embedder: GatedEmbedder, bad: float) -> None:
    embedder.bad = bad
    async with filled_index(tmp_path / "home", project, embedder) as index:
        assert (await finished(index)).done == 0
        assert filling_of(index).filled.total == 3
        vectors = index.repository.store.neural
        assert vectors is not None
        assert len(vectors) == 0


async def test_saves_do_not_wait_for_a_batch(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    embedder.gate.clear()
    async with filled_index(tmp_path / "home", project, embedder) as index:
        await asyncio.to_thread(embedder.asked.wait, 10)
        (project / "alpha.py").write_text("def saved():\n    return 2\n")
        index.note([project / "alpha.py"])
        await asyncio.wait_for(index.idle(), 10)
        assert index.repository.store.reader.definitions(["saved"], [project])


async def test_the_state_can_be_told_without_work(tmp_path: Path, project: Path, embedder: GatedEmbedder) -> None:
    home = tmp_path / "home"
    async with filled_index(home, project, embedder) as index:
        await finished(index)
    repository = repository_in(store.folder_for(home, project), HashEmbedder(), embedder)
    await repository.open()
    neural = Neural(embedder)
    made = Filling(project, repository, Disk(IndexSettings()), neural, asyncio.Event().wait, set, lambda: None)
    await made.measure()
    assert (made.filled.done, made.filled.total) == (3, 3)
    neural.close()
    await repository.close()


def test_what_the_status_says(embedder: GatedEmbedder) -> None:
    neural = Neural(embedder)

    def said(*filled: Filled) -> tuple[str, str]:
        state = filling_state(neural, filled)
        return state.state, state.detail

    assert said(Filled(12_345, 29_511, 20.0)) == ("filling", "12,345 of 29,511 chunks, about 14 min left")
    assert said(Filled(10, 20, 0.0)) == ("filling", "10 of 20 chunks")
    assert said(Filled(10, 10, 5.0), Filled(5, 5, 0.0)) == ("ready", "15 chunks")
    assert said(Filled()) == ("ready", "")
    embedder.broken = ModelError("It is away")
    assert neural.ask("query").result() is None
    assert said(Filled(1, 2, 1.0)) == ("failed", "It is away; 1 of 2 chunks have a vector")
    neural.close()


def test_the_status_names_what_computes(tmp_path: Path, embedder: GatedEmbedder) -> None:
    verdicts = VerdictFile(tmp_path, embedder.id, Hardware("Linux"))
    slow = GatedEmbedder()
    slow.broken = ModelError("no driver")
    dispatcher = Dispatcher([Backend("GPU", slow), Backend("CPU", embedder)], verdicts)
    neural = Neural(dispatcher)
    assert filling_state(neural, [Filled()]).detail == "on the CPU"
    assert filling_state(neural, [Filled(5, 5)]).detail == "5 chunks on the CPU"
    assert filling_state(neural, [Filled(12_345, 29_511, 20.0)]).detail == (
        "12,345 of 29,511 chunks on the CPU, about 14 min left"
    )
    dispatcher.embed(["one"])
    assert filling_state(neural, [Filled(5, 5)]).detail == "5 chunks on the CPU (GPU: no driver)"
    neural.close()


async def test_chunks_wait_for_a_machine_that_is_to_be_spared(embedder: GatedEmbedder) -> None:
    background = Background(FakePower(), spare=True)
    background.reason = "on battery"
    waiting = Neural(embedder, background)
    assert filling_state(waiting, [Filled(1, 2, 1.0)]).detail == "1 of 2 chunks; waits: on battery"
    waiting.close()
    power = FakePower("on battery", "too hot")
    neural = Neural(embedder, Background(power, spare=True, ask_every_s=0.001))
    assert len(await neural.embed(["one"])) == 1
    assert power.asked == 3
    assert neural.waits == ""
    neural.close()
