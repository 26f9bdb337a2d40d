"""A client that leaves stops a model in a process of its own within one step: in prefill and in decode, streamed and
whole. A client that does not read holds nobody up."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.services.test_session import engine_with
from tests.support.http import Port, send
from tests.support.scripted_session import Script
from tests.support.worker import supervisor
from tests.worker.test_supervisor import Hold, hold

from impetus.config import resolve
from impetus.domain.types import (
    Delta,
    Finish,
    FinishReason,
    Piece,
    Priority,
    Prompt,
    Sampling,
    Sources,
    Step,
    TextPrompt,
)
from impetus.services.session import Session
from impetus.worker.supervisor import Supervisor

__all__ = ["hold"]

MODEL = Path("/models/a")
DEADLINE = 30


class Watched:
    """A worker that says when somebody has left it."""

    def __init__(self, inner: Supervisor) -> None:
        self.inner = inner
        self.left = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def stream(
        self, model: Path, prompt: Prompt, sampling: Sampling, priority: Priority, draft: Path | None = None
    ) -> AsyncGenerator[Step, None]:
        try:
            async with aclosing(self.inner.stream(model, prompt, sampling, priority, draft)) as steps:
                async for step in steps:
                    yield step
        finally:
            self.left.set()


@pytest.fixture
async def worker() -> AsyncIterator[Watched]:
    made = Watched(supervisor())
    yield made
    await made.close()


@pytest.fixture
def port(worker: Watched) -> Iterator[Port]:
    settings, _ = resolve({"chat": {"model": str(MODEL)}, "http": {"port": 0}})
    made = Port()
    made.session = Session(engine_with(worker), settings)  # type: ignore[arg-type, assignment]
    yield made


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "words", ["one !wait !wait three four |", "| one !wait !wait three four"], ids=["prefill", "decode"]
)
async def test_the_model_computes_one_further_step_at_most(
    port: Port, worker: Watched, hold: Hold, tmp_path: Path, words: str, stream: bool
) -> None:
    """The step that may follow waits too, so that there is time to hear that nobody wants it."""

    async def go_on() -> None:
        await hold.begun()
        hold.let_go()

    body = {"model": "impetus-plain", "prompt": words, "stream": stream}
    async with asyncio.timeout(DEADLINE), port.served() as url:
        await worker.load(MODEL)
        _, writer = await send(url, port.key, "/v1/completions", body)
        await hold.begun()  # inside of the second step
        assert not worker.left.is_set()
        writer.close()
        await worker.left.wait()
        hold.let_go()
        further = asyncio.create_task(go_on())
        async with aclosing(worker.stream(MODEL, TextPrompt("| x"), Sampling(), Priority.CHAT)) as steps:
            assert [step.text.strip() async for step in steps if isinstance(step, Piece)] == ["x"]
        reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)  # no further step opens it
        await further
        os.close(reader)
    # "one", "!wait", perhaps the other one, then "x".
    assert worker.states()[MODEL].counters.steps in (3, 4)


async def test_a_client_that_does_not_read_holds_nobody_up() -> None:
    long = [Sources(()), *[Delta("word " * 2000) for _ in range(2000)], Finish(FinishReason.STOP, "scripted")]
    port = Port(Script(events=long))
    body = {"model": "impetus-plain", "stream": True, "messages": [{"role": "user", "content": "go"}]}
    async with asyncio.timeout(DEADLINE), port.served() as url:
        _, stalled = await send(url, port.key, "/v1/chat/completions", body)
        reader, other = await send(url, port.key, "/v1/embeddings", {"model": "impetus-embed", "input": "x"})
        assert b"200" in await reader.readline()
        assert not port.session.ended.is_set()  # 20 MB wait for their reader
        stalled.close()
        other.close()
        await port.session.ended.wait()
