"""What a Chroma server brings with it: it goes away and comes back, and several people use it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.support.chroma_server import ChromaProcess

from impetus.adapters.chroma_index import ChromaServer
from impetus.adapters.chroma_server import _COLLECTIONS, ServerIndex
from impetus.adapters.chroma_store import ChromaStore
from impetus.domain.ports import Vectors

DIMENSIONS = 16
Open = Callable[..., ChromaStore]


def vectors(count: int, seed: int = 0) -> Vectors:
    made = np.random.default_rng(seed).standard_normal((count, DIMENSIONS)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def names(count: int, start: int = 0) -> list[str]:
    return [f"{i:032x}" for i in range(start, start + count)]


def settle(store: ChromaStore) -> None:
    while store.settle():
        pass


@pytest.fixture(scope="module")
def chroma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaProcess]:
    process = ChromaProcess(tmp_path_factory.mktemp("chroma"))
    yield process
    process.stop()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connect(chroma: ChromaProcess, tmp_path: Path, clock: Clock) -> Iterator[Open]:
    """Opens the store of one person; each has a folder of their own and the same repository."""
    opened: list[ChromaStore] = []

    def make(person: str = "anna", url: str = chroma.url, embedder: str = "test", timeout: float = 10) -> ChromaStore:
        server = ChromaServer(url, timeout_s=timeout) if url else None
        opened.append(
            ChromaStore(
                tmp_path / person,
                embedder,
                DIMENSIONS,
                segment_limit=20,
                server=server,
                subject=str(tmp_path),
                clock=clock,
            )
        )
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def test_a_server_that_goes_away_is_said_and_found_again(connect: Open, chroma: ChromaProcess, clock: Clock) -> None:
    store = connect()
    store.add(names(60), vectors(60))
    settle(store)
    store.add(names(2, 60), vectors(2, 1))
    chroma.stop()
    try:
        found = store.search(vectors(2, 1)[0], 5)
        assert found[0][0] == names(2, 60)[0], "the segment goes on serving"
        assert f"{chroma.url} cannot be used" in store.problems()[0].message
        store.add(names(30, 100), vectors(30, 2))
        assert not store.settle()
        assert store.missing(names(62) + names(30, 100)) == set(), "nothing is lost, nothing is made again"
    finally:
        chroma.start()
    assert len(store.search(vectors(1)[0], 100)) == 32, "it is not asked at every query"
    clock.now += 60
    settle(store)
    assert len(store.search(vectors(1)[0], 100)) == 92
    assert store.problems() == ()


def test_no_server_at_the_start_is_no_obstacle(connect: Open) -> None:
    store = connect(url="http://127.0.0.1:9")
    store.add(names(60), vectors(60))
    assert not store.settle()
    assert store.search(vectors(60)[3], 1)[0][0] == names(60)[3]
    assert "cannot be used" in store.problems()[0].message


def test_colleagues_share_vectors_and_see_only_their_own(connect: Open) -> None:
    anna, ben = connect("anna"), connect("ben")
    anna.add(names(60), vectors(60))
    settle(anna)
    ben.adopt(names(10) + names(10, 100))
    assert ben.missing(names(10) + names(10, 100)) == set(names(10, 100)), "what Anna stored need not be made again"
    assert {key for key, _ in ben.search(vectors(1)[0], 10)} <= set(names(10))
    assert ben.search(vectors(60)[4], 1)[0][0] == names(60)[4]


def test_what_one_removes_stays_for_the_other(connect: Open) -> None:
    anna, ben = connect("anna"), connect("ben")
    anna.add(names(60), vectors(60))
    settle(anna)
    ben.adopt(names(60))
    ben.remove(names(60))
    assert ben.search(vectors(1)[0], 5) == []
    assert anna.search(vectors(60)[7], 1)[0][0] == names(60)[7]


def test_a_collection_that_was_deleted_is_noticed(connect: Open, chroma: ChromaProcess, tmp_path: Path) -> None:
    store = connect()
    store.add(names(60), vectors(60))
    settle(store)
    store.close()
    index = ServerIndex(ChromaServer(chroma.url), str(tmp_path), "test")
    index.open()
    index.close()
    httpx.delete(f"{chroma.url}{_COLLECTIONS}/{index.name}", trust_env=False).raise_for_status()
    store = connect()
    store.search(vectors(1)[0], 5)
    assert "lost" in store.problems()[0].message
    assert len(store.missing(names(60))) >= 40


def test_two_embedders_have_two_collections(connect: Open) -> None:
    first, second = connect("anna"), connect("ben", embedder="other")
    first.add(names(60), vectors(60))
    settle(first)
    second.adopt(names(60))
    assert second.missing(names(60)) == set(names(60))


def test_switching_to_a_server_and_back_makes_vectors_again(connect: Open, chroma: ChromaProcess) -> None:
    store = connect(url="")
    store.add(names(60), vectors(60))
    settle(store)
    store.close()
    store = connect(url=chroma.url)
    assert len(store.missing(names(60))) >= 40, "what lies in the folder is not on the server"
    store.add(names(60), vectors(60))
    settle(store)
    assert len(store.search(vectors(1)[0], 100)) == 60
    store.close()
    store = connect(url="")
    store.add(names(60), vectors(60))
    settle(store)
    assert len(store.search(vectors(1)[0], 100)) == 60
    assert store.problems() == ()


def test_a_server_that_hangs_is_given_up_on(connect: Open, chroma: ChromaProcess) -> None:
    store = connect(timeout=0.2)
    store.add(names(60), vectors(60))
    settle(store)
    store.add(names(2, 60), vectors(2, 1))
    with chroma.stopped():
        assert store.search(vectors(2, 1)[0], 5)[0][0] == names(2, 60)[0]
        assert "cannot be used" in store.problems()[0].message


def test_a_refusal_says_what_the_server_said(chroma: ChromaProcess) -> None:
    index = ServerIndex(ChromaServer(chroma.url), "refusals", "test")
    index.open()
    with pytest.raises(httpx.HTTPStatusError, match="dimension"):
        index.upsert(names(1), vectors(1))
        index.upsert(names(1, 1), vectors(1)[:, :3])
    index.close()
