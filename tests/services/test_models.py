"""Which model a session's settings name, what is said of it, how many requests are let in."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from tests.support.fakes import FakeEmbedder, FakePower, FakeRemote, FakeWorker, fake_models

from impetus.config import ChatSettings, CompletionSettings, Settings
from impetus.domain.types import End, Piece, Prefill, Priority, Sampling, Step, TextPrompt
from impetus.errors import Busy, EngineStopped, ModelUnavailable
from impetus.services.models import EMBED_BATCH, ModelRole, SessionModels

PROMPT = TextPrompt("x")
LOCAL = Settings(chat=ChatSettings(model="/models/chat"))
REMOTE = Settings(chat=ChatSettings(base_url="http://localhost:1/v1", model="big"))
NONE = Settings(completion=CompletionSettings(model=""))


def stream(models: SessionModels, role: ModelRole = "chat") -> AsyncGenerator[Step, None]:
    return models.stream(role, PROMPT, Sampling(), Priority.CHAT)


async def text(models: SessionModels, role: ModelRole = "chat") -> str:
    async with aclosing(stream(models, role)) as steps:
        return "".join([step.text async for step in steps if isinstance(step, Piece)])


async def test_each_role_has_its_model() -> None:
    models = fake_models(FakeWorker("hello you", "x = 1"))
    session = models.named_by(LOCAL)
    assert await text(session) == "hello you"
    assert await text(session, "completion") == "x = 1"
    assert session.has("chat")
    assert (session.model_id("chat"), session.model_id("completion")) == ("chat", "fim")
    assert await session.context_length("chat") == 8192
    await models.close()


async def test_a_missing_model_says_what_to_set() -> None:
    session = fake_models(FakeWorker()).named_by(NONE)
    assert not session.has("chat")
    with pytest.raises(ModelUnavailable, match=r"chat\.model"):
        await text(session)
    with pytest.raises(ModelUnavailable, match=r"completion\.model"):
        session.model_id("completion")
    assert [(state.role, state.state) for state in session.states()] == [("chat", "none"), ("completion", "none")]


async def test_a_local_model_is_missing_not_loaded_or_what_the_worker_says(tmp_path: Path) -> None:
    worker = FakeWorker("x")
    models = fake_models(worker)
    session = models.named_by(Settings(chat=ChatSettings(model=str(tmp_path / "big"))))
    told: list[str] = []
    models.subscribe(lambda: told.append(session.states()[0].state))
    assert session.states()[0].state == "missing"
    (tmp_path / "big").mkdir()
    assert session.states()[0].state == "not loaded"
    await session.load("chat")
    assert session.states()[0].state == "ready"
    await session.unload("chat")
    assert told == ["ready", "not loaded"]


async def test_two_sessions_use_two_models_or_share_one() -> None:
    worker = FakeWorker("x")
    remote = FakeRemote("far away")
    models = fake_models(worker, remote)
    here, there, again = (models.named_by(settings) for settings in (LOCAL, REMOTE, REMOTE))
    assert (here.model_id("chat"), there.model_id("chat")) == ("chat", "remote")
    assert await text(there) == await text(again) == "far away"  # one connection: there was no second to hand out
    await there.load("chat")
    await there.unload("chat")  # nothing to give back
    assert worker.prompts == []
    await models.close()
    assert remote.closed == 1


async def test_leaving_a_stream_ends_it_at_once_wherever_the_model_runs() -> None:
    remote, worker = FakeRemote("a", gate=asyncio.Event()), FakeWorker("a b c", gate=asyncio.Semaphore(0))
    models = fake_models(worker, remote)
    for settings in (REMOTE, LOCAL):
        request = asyncio.create_task(text(models.named_by(settings)))
        for _ in range(5):
            await asyncio.sleep(0)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert (remote.ended, worker.ended, worker.pieces) == (1, 1, 0)
    await models.close()


async def test_local_requests_are_bounded_by_priority() -> None:
    gate = asyncio.Semaphore(0)
    limits = {Priority.TYPING: 1, Priority.CHAT: 2, Priority.INDEX: 1}
    models = fake_models(FakeWorker("a", gate=gate), limits=limits)
    sessions = [models.named_by(LOCAL), models.named_by(LOCAL)]
    requests = [asyncio.create_task(text(session)) for session in sessions]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as refused:
        await text(sessions[0])
    assert refused.value.retry_after > 0
    typing = sessions[0].stream("completion", PROMPT, Sampling(), Priority.TYPING)
    assert isinstance(await anext(typing), Prefill)
    await typing.aclose()
    gate.release()
    gate.release()
    assert await asyncio.gather(*requests) == ["a", "a"]
    gate.release()
    assert await text(sessions[1]) == "a"
    await models.close()


async def test_remote_requests_are_bounded_and_do_not_count_as_local() -> None:
    gate = asyncio.Event()
    models = fake_models(FakeWorker("x = 1"), FakeRemote("a", gate=gate), remote=3)
    session = models.named_by(REMOTE)
    requests = [asyncio.create_task(text(session)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await text(session)
    assert await text(session, "completion") == "x = 1"
    gate.set()
    assert await asyncio.gather(*requests) == ["a"] * 3
    assert await text(session) == "a"
    await models.close()


async def test_close_tells_what_is_under_way() -> None:
    models = fake_models(FakeWorker("a b c", gate=asyncio.Semaphore(0)))
    async with aclosing(stream(models.named_by(LOCAL))) as steps:
        await anext(steps)
        waiting = asyncio.ensure_future(anext(steps))
        await asyncio.sleep(0)
        await models.close()
        with pytest.raises(EngineStopped):
            await waiting


async def test_embedding_waits_while_the_machine_is_to_be_spared() -> None:
    power = FakePower("on battery", "on battery", "too hot")
    models = fake_models(FakeWorker(), power=power)
    texts = [f"text {number}" for number in range(EMBED_BATCH + 3)]
    found = await models.embed("fake-v1", texts)
    np.testing.assert_array_equal(found, FakeEmbedder().embed(texts))
    assert power.asked == 5  # three times in vain, then once before each of the two batches
    assert (await models.embed("fake-v1", [])).shape[0] == 0


async def test_steps_come_as_the_worker_gives_them() -> None:
    models = fake_models(FakeWorker("a b"))
    async with aclosing(stream(models.named_by(LOCAL))) as steps:
        assert [type(step) async for step in steps] == [Prefill, Piece, Piece, End]
    await models.close()
