"""The index worker, a real process: what it makes equals what is made here, and nothing that ends it ends the index."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import psutil
import pytest
from tests.support.crash import content, module_source, write_project
from tests.support.embedder import HashEmbedder
from tests.support.index import TestIndex
from tests.support.index_child import CRASHES
from tests.support.live_index import live_index, repository_in
from tests.support.worker import command

from impetus import __version__
from impetus.adapters import store
from impetus.config import IndexSettings
from impetus.domain.ports import VectorStore
from impetus.domain.types import IndexProgress
from impetus.errors import IndexFailed
from impetus.services.updating import WORTH_A_WORKER
from impetus.worker.index_process import IndexProcess

COMMAND = command("index_child")
SETTINGS = IndexSettings(processes=1)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[TestIndex]:
    """Large enough for several transactions."""
    root = tmp_path / "project"
    write_project(root, Random(4), 60)
    made = TestIndex.make(root, tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def worker(index: TestIndex) -> Iterator[IndexProcess]:
    made = IndexProcess(COMMAND, index.home)
    yield made
    made.close()


def updated(
    worker: IndexProcess,
    index: TestIndex,
    vectors: VectorStore | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[IndexProgress]:
    def look():  # type: ignore[no-untyped-def]
        return index.indexer().changes({index.root})

    steps = worker.apply(index.root, SETTINGS, look, vectors or index.vectors, first=set(), stopped=stopped)
    return list(steps)


def script(index: TestIndex, *words: str) -> None:
    (index.home / "script").write_text("\n".join(words))


def equals_one_made_here(index: TestIndex, tmp_path: Path) -> bool:
    here = TestIndex.make(index.root, tmp_path / "here")
    try:
        here.update()
        ids = [each for chunks in index.content().values() for each in chunks]
        return index.content() == here.content() and index.vectors.ids() == here.vectors.ids() == set(ids)
    finally:
        here.close()


def test_what_it_makes_equals_what_is_made_here(worker: IndexProcess, index: TestIndex, tmp_path: Path) -> None:
    progress = updated(worker, index)
    assert len(progress) > 1
    assert (progress[-1].root, progress[-1].done, progress[-1].total) == (index.root, 60, 60)
    assert equals_one_made_here(index, tmp_path)
    assert updated(worker, index) == []


@pytest.mark.parametrize("word", ["kill", "!kill", "fail", "babble", "!babble"])
def test_one_that_dies_is_replaced_and_goes_on(
    worker: IndexProcess, index: TestIndex, tmp_path: Path, word: str
) -> None:
    script(index, word)
    assert updated(worker, index)[-1].done > 0
    assert equals_one_made_here(index, tmp_path)


def test_one_that_dies_after_each_transaction_still_comes_to_the_end(
    worker: IndexProcess, index: TestIndex, tmp_path: Path
) -> None:
    script(index, *["kill"] * 20)
    updated(worker, index)
    assert equals_one_made_here(index, tmp_path)


def test_one_that_gets_nowhere_is_given_up_with_the_reason(
    worker: IndexProcess, index: TestIndex, tmp_path: Path
) -> None:
    script(index, "!kill", "!kill")
    with pytest.raises(IndexFailed, match=r"was ended by SIGKILL, 2 times in a row.*index\.exclude"):
        updated(worker, index)
    updated(worker, index)  # asked again, it is tried again
    assert equals_one_made_here(index, tmp_path)


def test_one_that_falls_silent_is_replaced(index: TestIndex, tmp_path: Path) -> None:
    now = 0.0

    def clock() -> float:
        """Runs while the worker does not."""
        nonlocal now
        if worker.pid is not None and psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED:
            now += 100
        return now

    worker = IndexProcess(COMMAND, index.home, clock=clock)
    script(index, "stop")
    updated(worker, index)
    worker.close()
    assert now > 300
    assert equals_one_made_here(index, tmp_path)


def test_a_content_that_ends_its_parser_is_indexed_as_text(worker: IndexProcess, index: TestIndex) -> None:
    (index.root / "bad.py").write_bytes(CRASHES + b"def lost(): pass\n")
    assert updated(worker, index)[-1].done > 0
    assert len(index.content()) == 61
    outline = index.reader.outline(index.root, "bad.py")
    assert outline is not None and outline.definitions == ()
    assert index.reader.lexical(["lost"], 5)


def test_an_update_that_is_stopped_ends_at_once_and_the_next_one_finishes(
    worker: IndexProcess, index: TestIndex, tmp_path: Path
) -> None:
    stop = threading.Event()
    script(index, "stop")  # it would never answer again
    steps = worker.apply(
        index.root,
        SETTINGS,
        lambda: index.indexer().changes({index.root}),
        index.vectors,
        first=set(),
        stopped=stop.is_set,
    )
    next(steps)
    stop.set()
    assert list(steps) == []
    assert worker.pid is None
    updated(worker, index)
    assert equals_one_made_here(index, tmp_path)


class FullStore:
    def __init__(self, store: VectorStore) -> None:
        self.missing = store.missing

    def add(self, ids: object, vectors: object) -> None:
        raise IndexFailed("No space is left; free some")


def test_what_fails_here_ends_the_update_with_its_reason(
    worker: IndexProcess, index: TestIndex, tmp_path: Path
) -> None:
    with pytest.raises(IndexFailed, match="No space is left"):
        updated(worker, index, FullStore(index.vectors))  # type: ignore[arg-type]
    assert index.content() == {}  # a file is mapped after its vectors are stored
    updated(worker, index)
    assert equals_one_made_here(index, tmp_path)


def test_what_fails_there_comes_here_as_it_was_raised(index: TestIndex, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / store.CATALOG).mkdir()
    worker = IndexProcess(COMMAND, tmp_path / "other")
    with pytest.raises(IndexFailed, match="cannot be opened"):
        updated(worker, index)
    assert worker.pid is not None  # it lives, and the next update may go well
    worker.close()


def test_one_without_work_ends_and_another_takes_its_place(
    index: TestIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPETUS_TEST_IDLE", "0.05")
    worker = IndexProcess(COMMAND, index.home)
    updated(worker, index)
    assert worker.pid is not None
    psutil.wait_procs([psutil.Process(worker.pid)] if psutil.pid_exists(worker.pid) else [], timeout=20)
    monkeypatch.delenv("IMPETUS_TEST_IDLE")
    (index.root / "new.py").write_text(module_source(Random(1), 3))
    assert updated(worker, index)[-1].total == 1
    worker.close()
    assert equals_one_made_here(index, tmp_path)


def test_a_command_that_is_not_there_says_so(index: TestIndex) -> None:
    worker = IndexProcess(["/nowhere/python"], index.home)
    assert not worker.ready()
    with pytest.raises(IndexFailed, match="cannot be started"):
        updated(worker, index)


def test_it_takes_one_update_at_a_time(worker: IndexProcess, index: TestIndex, tmp_path: Path) -> None:
    """Two folders of a repository share the worker, and their scans take turns on one thread."""
    steps = worker.apply(
        index.root,
        SETTINGS,
        lambda: index.indexer().changes({index.root}),
        index.vectors,
        first=set(),
        stopped=lambda: False,
    )
    next(steps)
    assert not worker.ready()
    assert list(steps)
    assert worker.ready()
    assert equals_one_made_here(index, tmp_path)


class Awaited(IndexProcess):
    """Is ready when it is asked, however long it takes to start."""

    def ready(self) -> bool:
        while not super().ready():
            pass
        return True


async def test_a_large_scan_is_begun_here_and_finished_by_the_worker(tmp_path: Path) -> None:
    root, embedder = tmp_path / "project", HashEmbedder()
    source, size, number = module_source(Random(2), 40), 0, 0
    root.mkdir()
    while size < WORTH_A_WORKER:
        text = source.replace("return", f"return {number} +")
        (root / f"module_{number}.py").write_text(text)
        size, number = size + len(text), number + 1
    for name, with_worker in (("one", True), ("other", False)):
        folder = store.folder_for(tmp_path / name, root)
        worker = Awaited(COMMAND, folder) if with_worker else None
        repository = repository_in(folder, embedder, worker=worker)
        async with live_index(tmp_path / name, root, embedder, repository=repository) as index:
            await index.idle()
            assert (index.progress.phase, index.progress.files) == ("ready", number)
            assert (folder / "script").exists() == with_worker  # an update came to the process
            if worker is not None:
                assert worker.pid is not None and os.getpid() == psutil.Process(worker.pid).ppid()
        await repository.close()
        assert worker is None or worker.pid is None
    made = [content(store.folder_for(tmp_path / name, root), root, embedder) for name in ("one", "other")]
    assert made[0] == made[1]


def test_after_an_upgrade_the_old_engine_is_told_what_to_do(index: TestIndex) -> None:
    worker = IndexProcess((sys.executable, "-m", "impetus.app_indexer", "0.0.9"), index.home)
    try:
        with pytest.raises(IndexFailed, match=f"upgraded to {__version__} while .* as 0.0.9; reload the window"):
            updated(worker, index)
    finally:
        worker.close()
