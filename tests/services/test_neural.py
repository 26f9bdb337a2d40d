"""The neural embedder between queries that must not wait and a background that must not disturb."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future

import numpy as np
import pytest
from tests.support.gated_embedder import GatedEmbedder

from impetus.domain.ports import Vectors
from impetus.errors import ModelError
from impetus.services.neural import Asked, Neural


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def embedder() -> Iterator[GatedEmbedder]:
    made = GatedEmbedder()
    yield made
    made.gate.set()


@pytest.fixture
def neural(embedder: GatedEmbedder, clock: Clock) -> Iterator[Neural]:
    made = Neural(embedder, deadline=5, clock=clock)
    yield made
    made.close()


def test_a_query_has_its_vector_and_is_not_computed_twice(neural: Neural, embedder: GatedEmbedder) -> None:
    first = neural.ask("parse url").result()
    assert first is not None
    assert np.array_equal(first, embedder._vector("parse url"))
    again = neural.ask("parse url").result()
    assert again is first
    assert embedder.queries == ["parse url"]


def test_a_query_goes_without_when_its_vector_is_late_and_has_it_next_time(
    neural: Neural, embedder: GatedEmbedder, clock: Clock
) -> None:
    embedder.gate.clear()
    asked = neural.ask("parse url")
    clock.now += 10
    assert asked.result() is None
    embedder.gate.set()
    assert neural.ask("parse url").result() is not None


def test_queries_do_not_queue_behind_a_slow_embedder(neural: Neural, embedder: GatedEmbedder) -> None:
    embedder.gate.clear()
    waiting = [neural.ask("one"), neural.ask("two")]
    assert neural.ask("three").result() is None
    embedder.gate.set()
    assert all(asked.result() is not None for asked in waiting)


def test_a_broken_embedder_is_said_and_left_alone_for_a_while(
    neural: Neural, embedder: GatedEmbedder, clock: Clock
) -> None:
    embedder.broken = ModelError("no such model")
    assert neural.ask("one").result() is None
    assert neural.failure == "no such model"
    embedder.broken = None
    assert neural.ask("two").result() is None
    assert embedder.queries == ["one"]
    clock.now += 60
    assert neural.ask("two").result() is not None
    assert neural.failure == ""


def test_a_query_goes_without_where_a_library_raises_what_nobody_foresaw(
    neural: Neural, embedder: GatedEmbedder
) -> None:
    embedder.broken = ZeroDivisionError()
    assert neural.ask("one").result() is None


def test_a_query_whose_work_is_given_up_at_the_end_goes_without() -> None:
    work: Future[Vectors | None] = Future()
    work.cancel()
    assert Asked(work, 10.0, lambda: 0.0).result() is None


@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf")])
async def test_bad_vectors_of_chunks_are_refused(neural: Neural, embedder: GatedEmbedder, bad: float) -> None:
    embedder.bad = bad
    with pytest.raises(ModelError, match="zero or not finite"):
        await neural.embed(["one", "two"])
    assert "zero or not finite" in neural.failure


async def test_the_background_waits_for_a_quiet_moment(neural: Neural, clock: Clock) -> None:
    clock.now += 10
    await asyncio.wait_for(neural.quiet(), 1)
    neural.touch()
    clock.now += 0.999
    waiting = asyncio.create_task(neural.quiet())
    await asyncio.sleep(0)
    assert not waiting.done()
    neural.ask("a query also counts")
    clock.now += 2
    await asyncio.wait_for(waiting, 1)


async def test_after_the_end_nothing_is_computed(neural: Neural) -> None:
    neural.close()
    assert neural.ask("late").result() is None
