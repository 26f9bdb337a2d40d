"""Roles, states and ways of the configured models."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from tests.support.fakes import FakeGenerator, FakeRemote

from impetus.domain.types import End, Piece, Priority, Sampling, Step, TextPrompt
from impetus.errors import Busy, EngineStopped, ModelUnavailable
from impetus.services.models import REMOTE_LIMIT, Models
from impetus.services.scheduler import ModelThread

PROMPT = TextPrompt("x")


def stream(models: Models, role: str = "chat", priority: Priority = Priority.CHAT) -> AsyncGenerator[Step, None]:
    return models.stream(role, PROMPT, Sampling(), priority)  # type: ignore[arg-type]


async def text(models: Models, role: str = "chat") -> str:
    async with aclosing(stream(models, role)) as steps:
        return "".join([step.text async for step in steps if isinstance(step, Piece)])


async def test_each_role_has_its_model() -> None:
    models = Models(ModelThread(), chat=FakeGenerator("hello you"), completion=FakeGenerator("x = 1", model_id="fim"))
    assert await text(models) == "hello you"
    assert await text(models, "completion") == "x = 1"
    assert models.has("chat")
    assert models.model_id("completion") == "fim"
    assert models.context_length("chat") == 8192
    assert await models.count_tokens("chat", "two words") == 2
    await models.close()


async def test_a_missing_model_says_what_to_set() -> None:
    models = Models(ModelThread())
    assert not models.has("chat")
    with pytest.raises(ModelUnavailable, match=r"chat\.model"):
        await text(models)
    with pytest.raises(ModelUnavailable, match=r"completion\.model"):
        models.model_id("completion")
    assert [(state.role, state.state) for state in models.states()] == [("chat", "none"), ("completion", "none")]
    await models.close()


async def test_states_are_those_of_the_generators() -> None:
    models = Models(ModelThread(), completion=FakeGenerator("x", model_id="fim"))
    chat, completion = models.states()
    assert (chat.state, completion.id, completion.state) == ("none", "fim", "ready")
    await models.close()


async def test_a_remote_model_does_not_wait_for_the_model_thread() -> None:
    gate = threading.Semaphore(0)
    local, remote = FakeGenerator("a b", gate=gate), FakeRemote("c d")
    models = Models(ModelThread(), chat=remote, completion=local)
    async with aclosing(stream(models, "completion", Priority.TYPING)) as held:
        await anext(held)  # the prefill; its thread now waits at the gate
        assert await text(models, "chat") == "c d"
        gate.release(2)
        assert [type(step) async for step in held] == [Piece, Piece, End]
    assert threading.get_ident() not in local.threads
    await models.unload("chat")  # nothing to give back
    await models.close()
    assert remote.closed == 1


async def test_leaving_a_remote_stream_ends_it_at_once() -> None:
    remote = FakeRemote("a", gate=asyncio.Event())
    models = Models(ModelThread(), chat=remote)
    request = asyncio.create_task(text(models))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert remote.ended == 1
    await models.close()


async def test_remote_requests_are_bounded() -> None:
    gate = asyncio.Event()
    models = Models(ModelThread(), chat=FakeRemote("a", gate=gate))
    requests = [asyncio.create_task(text(models)) for _ in range(REMOTE_LIMIT)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await text(models)
    gate.set()
    assert await asyncio.gather(*requests) == ["a"] * REMOTE_LIMIT
    assert await text(models) == "a"
    await models.close()


async def test_unload_happens_on_the_model_thread_and_close_stops_streams() -> None:
    generator = FakeGenerator("a b c")
    models = Models(ModelThread(), chat=generator)
    await models.unload("chat")
    assert generator.unloaded == 1
    gate = threading.Semaphore(0)
    slow = Models(ModelThread(), chat=FakeGenerator("a b c", gate=gate))
    async with aclosing(stream(slow)) as steps:
        await anext(steps)
        closing = asyncio.create_task(slow.close())
        gate.release(1)
        with pytest.raises(EngineStopped):
            while True:
                await anext(steps)
                gate.release(1)
        await closing
    await models.close()
