"""One suite for every `VectorStore`: the fake, the segment alone, Chroma behind it in a folder and on a server."""

import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.chroma_server import ChromaProcess
from tests.support.vectors import MemoryVectorStore

from impetus.adapters.chroma_index import ChromaServer
from impetus.adapters.chroma_store import ChromaStore
from impetus.domain.ports import Vectors, VectorStore
from impetus.errors import IndexReplaced

DIMENSIONS = 16


def vectors(count: int, seed: int = 0) -> Vectors:
    made = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def names(count: int, start: int = 0) -> list[str]:
    return [f"{i:032x}" for i in range(start, start + count)]


def settle(store: VectorStore) -> None:
    while store.settle():
        pass


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaProcess]:
    process = ChromaProcess(tmp_path_factory.mktemp("chroma"))
    yield process
    process.stop()


@pytest.fixture(params=["fake", "segment", "chroma", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    if request.param == "fake":
        yield MemoryVectorStore()
        return
    limit = 1_000_000 if request.param == "segment" else 20
    server = None
    if request.param == "server":
        server = ChromaServer(request.getfixturevalue("chroma").url)
    made = ChromaStore(tmp_path, "test", DIMENSIONS, segment_limit=limit, server=server, subject=str(tmp_path))
    yield made
    assert made.problems() == ()
    made.close()


def test_finds_the_nearest_with_their_cosine(store: VectorStore) -> None:
    data = vectors(200)
    store.add(names(200), data)
    settle(store)
    store.add(names(50, 200), vectors(50, 1))  # some in the segment, some settled
    everything = np.concatenate([data, vectors(50, 1)])
    for query in vectors(5, 2):
        expected = np.argsort(-(everything @ query))[:10]
        found = store.search(query, 10)
        assert [key for key, _ in found] == [names(250)[i] for i in expected]
        assert [score for _, score in found] == pytest.approx((everything @ query)[expected], abs=2e-3)


def test_adding_again_changes_nothing(store: VectorStore) -> None:
    store.add(names(60), vectors(60))
    settle(store)
    store.add(names(60), vectors(60, 9))
    assert store.search(vectors(60)[7], 1)[0][0] == names(60)[7]
    assert len(store.search(vectors(1)[0], 100)) == 60


def test_removed_are_missing_and_not_found(store: VectorStore) -> None:
    store.add(names(60), vectors(60))
    settle(store)
    store.add(names(5, 60), vectors(5, 1))
    gone = [*names(3), *names(2, 60)]
    store.remove(gone)
    assert store.missing(names(65)) == set(gone)
    assert not set(gone) & {key for key, _ in store.search(vectors(1)[0], 65)}
    store.add(gone, vectors(5, 4))
    assert store.missing(names(65)) == set()


def test_text_without_a_vector_is_known_and_never_found(store: VectorStore) -> None:
    data = vectors(3)
    data[1] = 0.0
    store.add(names(3), data)
    assert store.missing(names(3)) == set()
    assert {key for key, _ in store.search(data[0], 10)} == {names(3)[0], names(3)[2]}


def test_ids_are_everything_that_is_not_missing(store: VectorStore) -> None:
    store.add(["empty"], np.zeros((1, vectors(1).shape[1]), np.float32))
    store.add(names(3), vectors(3))
    settle(store)
    store.remove(names(1))
    assert store.ids() == {"empty", *names(3)[1:]}


def test_a_vector_that_is_not_finite_is_not_stored(store: VectorStore) -> None:
    data = vectors(3)
    data[1, 4] = np.nan
    data[2, 0] = np.inf
    store.add(names(3), data)
    assert store.missing(names(3)) == {names(3)[1], names(3)[2]}


def test_empty_store_answers(store: VectorStore) -> None:
    assert store.search(vectors(1)[0], 5) == []
    assert store.missing(names(1)) == set(names(1))
    assert not store.settle()


def test_counts_what_is_not_missing(store: VectorStore) -> None:
    store.add(["empty"], np.zeros((1, DIMENSIONS), np.float32))
    store.add(names(60), vectors(60))
    settle(store)
    store.add(names(9, 55), vectors(9, 1))
    assert len(store) == 65
    store.remove([*names(3), *names(1, 63), "unknown"])
    assert len(store) == 61 == len(store.ids())


# -- what only the real one can show ---------------------------------------------------------------------------------

Open = Callable[..., ChromaStore]


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Open]:
    opened: list[ChromaStore] = []

    def make(embedder: str = "test", limit: int = 20) -> ChromaStore:
        for store in opened:
            store.close()
        opened[:] = [ChromaStore(tmp_path, embedder, DIMENSIONS, segment_limit=limit)]
        return opened[0]

    yield make
    opened[0].close()


def test_survives_a_restart_settled_or_not(reopen: Open) -> None:
    store = reopen()
    store.add(names(60), vectors(60))
    settle(store)
    store.add(names(5, 60), vectors(5, 1))
    store = reopen()
    assert store.missing(names(65)) == set()
    assert store.search(vectors(60)[3], 1)[0][0] == names(60)[3]
    assert store.search(vectors(5, 1)[2], 1)[0][0] == names(5, 60)[2]


def test_a_closed_one_says_that_the_index_is_replaced(reopen: Open) -> None:
    store = reopen()
    store.add(names(3), vectors(3))
    store.close()
    for ask in (lambda: store.missing(names(3)), store.ids, lambda: store.add(names(1, 3), vectors(1))):
        with pytest.raises(IndexReplaced):
            ask()
    assert reopen().missing(names(4)) == {names(1, 3)[0]}


def test_small_collections_never_open_chroma(reopen: Open, tmp_path: Path) -> None:
    store = reopen(limit=1000)
    store.add(names(60), vectors(60))
    settle(store)
    assert store.search(vectors(1)[0], 3)
    assert not (tmp_path / "chroma").exists()


def test_vectors_of_another_embedder_are_dropped(reopen: Open) -> None:
    store = reopen()
    store.add(names(60), vectors(60))
    settle(store)
    store = reopen("another")
    assert store.missing(names(60)) == set(names(60))
    store.add(names(60), vectors(60, 5))
    settle(store)
    assert store.search(vectors(60, 5)[3], 1)[0][0] == names(60)[3]
    assert len(store.search(vectors(1)[0], 100)) == 60


def test_a_damaged_chroma_folder_is_started_over_and_said(reopen: Open, tmp_path: Path) -> None:
    store = reopen()
    store.add(names(60), vectors(60))
    settle(store)
    store.close()
    for file in (tmp_path / "chroma").rglob("*"):
        if file.is_file():
            file.write_bytes(b"not a database" * 100)
    store = reopen()
    lost: list[str] = []
    store.on_lost = lambda: lost.append("told")
    assert store.search(vectors(1)[0], 5) is not None
    assert "built anew" in store.problems()[0].message
    assert lost == ["told"]
    missing = store.missing(names(60))
    assert missing, "what Chroma held has to be made again"
    store.add(names(60), vectors(60))
    settle(store)
    assert {key for key, _ in store.search(vectors(1)[0], 100)} == set(names(60))


def test_vectors_that_chroma_lost_are_noticed(reopen: Open, tmp_path: Path) -> None:
    store = reopen()
    store.add(names(60), vectors(60))
    settle(store)
    store.close()
    shutil.rmtree(tmp_path / "chroma")
    store = reopen()
    lost: list[str] = []
    store.on_lost = lambda: lost.append("told")
    store.search(vectors(1)[0], 5)
    assert "lost" in store.problems()[0].message
    assert store.missing(names(60))
    assert lost == ["told"]


def test_a_full_disk_costs_none_of_the_vectors_that_chroma_holds(reopen: Open, tmp_path: Path) -> None:
    store = reopen()
    store.add(names(60), vectors(60))
    settle(store)
    held = store.search(vectors(1)[0], 100)
    store.add(names(400, 60), vectors(400, 1))
    largest = max(file.stat().st_size for file in (tmp_path / "chroma").rglob("*"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 4, limits[1]))  # no file may be written beyond
    try:
        assert not store.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot be written" in store.problems()[0].message
    assert store.missing(names(460)) == set()
    assert {key for key, _ in held} <= {key for key, _ in store.search(vectors(1)[0], 460)}
    settle(store)
    assert len(store.search(vectors(1)[0], 460)) == 460


def test_who_does_not_own_it_sees_what_the_owner_adds(reopen: Open, tmp_path: Path) -> None:
    owner = reopen(limit=1000)
    owner.add(names(60), vectors(60))
    reader = ChromaStore(tmp_path, "test", DIMENSIONS, read_only=True)
    try:
        assert len(reader.search(vectors(1)[0], 100)) == 60
        owner.add(names(5, 60), vectors(5, 1))
        owner.remove(names(1))
        assert reader.search(vectors(5, 1)[2], 1)[0][0] == names(5, 60)[2]
        assert len(reader.search(vectors(1)[0], 100)) == 64
    finally:
        reader.close()


def test_who_does_not_own_it_says_that_a_large_index_is_searched_by_words_alone(reopen: Open, tmp_path: Path) -> None:
    owner = reopen()
    owner.add(names(60), vectors(60))
    reader = ChromaStore(tmp_path, "test", DIMENSIONS, read_only=True)
    try:
        assert reader.problems() == ()
        settle(owner)
        reader.search(vectors(1)[0], 5)
        assert "words alone" in reader.problems()[0].message
    finally:
        reader.close()
