"""What services may expect of a `ModelWorker`: the same for the fake that they are tested with and the real process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from tests.support.fakes import FakeEmbedder, FakeWorker
from tests.support.worker import supervisor

from impetus.domain.ports import ModelWorker
from impetus.domain.types import End, Piece, Prefill, Priority, Sampling, Step, TextPrompt
from impetus.errors import EngineStopped

MODEL, OTHER = Path("/models/a"), Path("/models/b")
MAKERS: dict[str, Callable[[], ModelWorker]] = {"fake": lambda: FakeWorker("one two three"), "process": supervisor}


@pytest.fixture(params=MAKERS)
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[ModelWorker]:
    made = MAKERS[request.param]()
    yield made
    await made.close()


def stream(worker: ModelWorker, model: Path = MODEL) -> "aclosing[AsyncIterator[Step]]":
    prompt = TextPrompt("read | one two three")
    return aclosing(worker.stream(model, prompt, Sampling(), Priority.CHAT))  # type: ignore[type-var]


async def said(worker: ModelWorker, model: Path = MODEL) -> str:
    async with stream(worker, model) as steps:
        return "".join([step.text async for step in steps if isinstance(step, Piece)]).strip()


async def test_a_stream_is_read_said_and_ended(worker: ModelWorker) -> None:
    async with stream(worker) as steps:
        found = [step async for step in steps]
    assert isinstance(found[0], Prefill)
    assert "".join(step.text for step in found if isinstance(step, Piece)).strip() == "one two three"
    assert [isinstance(step, End) for step in found] == [False] * (len(found) - 1) + [True]


async def test_a_stream_with_a_draft_says_the_same(worker: ModelWorker) -> None:
    prompt = TextPrompt("read | one two three")
    async with aclosing(worker.stream(MODEL, prompt, Sampling(), Priority.CHAT, OTHER)) as steps:
        found = [step.text async for step in steps if isinstance(step, Piece)]
    assert "".join(found).strip() == "one two three"


async def test_many_at_once_each_get_their_own(worker: ModelWorker) -> None:
    answers = await asyncio.gather(*(said(worker, model) for model in (MODEL, OTHER) * 5))
    assert answers == ["one two three"] * 10


async def test_a_stream_can_be_left_and_the_next_one_is_answered(worker: ModelWorker) -> None:
    async with stream(worker) as steps:
        await anext(steps)
    assert await said(worker) == "one two three"


async def test_models_are_loaded_and_unloaded_and_listeners_told(worker: ModelWorker) -> None:
    told: list[set[Path]] = []
    worker.subscribe(lambda: told.append({path for path, held in worker.states().items() if held.state == "ready"}))
    assert not worker.states()
    await worker.load(MODEL)
    assert worker.states()[MODEL].state == "ready"
    await said(worker, OTHER)
    assert {path for path, held in worker.states().items() if held.state == "ready"} == {MODEL, OTHER}
    await worker.unload(MODEL)
    await worker.unload(MODEL)  # a second time does nothing
    assert set(worker.states()) == {OTHER}
    assert told[-1] == {OTHER}
    assert {MODEL} in told


async def test_texts_are_embedded(worker: ModelWorker) -> None:
    texts = ["a", "b c"]
    np.testing.assert_array_equal(await worker.embed(FakeEmbedder.id, texts), FakeEmbedder().embed(texts))


async def test_after_close_nothing_is_answered(worker: ModelWorker) -> None:
    assert await said(worker) == "one two three"
    await worker.close()
    await worker.close()
    with pytest.raises(EngineStopped):
        await said(worker)
    with pytest.raises(EngineStopped):
        await worker.load(MODEL)
