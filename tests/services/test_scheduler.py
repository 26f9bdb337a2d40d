"""The model thread: order, cancelling, admission, errors, end. Steps are gated, so nothing depends on time."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from impetus.domain.types import Priority
from impetus.errors import Busy, EngineStopped, ModelError
from impetus.services.scheduler import ModelThread


class Recorder:
    """Makes jobs whose every step is written down."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.threads: set[int] = set()

    def steps(self, name: str, count: int = 2, gate: threading.Semaphore | None = None) -> Iterator[int]:
        try:
            for i in range(count):
                if gate is not None:
                    gate.acquire()
                self.threads.add(threading.get_ident())
                self.log.append(f"{name}{i}")
                yield i
        finally:
            self.threads.add(threading.get_ident())
            self.log.append(f"{name}.closed")


async def collect(thread: ModelThread, steps: Iterator[int], priority: Priority) -> list[int]:
    async with aclosing(thread.stream(lambda: steps, priority)) as items:
        return [item async for item in items]


@pytest.fixture
async def thread():
    model_thread = ModelThread()
    yield model_thread
    await asyncio.to_thread(model_thread.close)


async def blocked(thread: ModelThread, recorder: Recorder) -> tuple[threading.Semaphore, asyncio.Task[list[int]]]:
    """A job that holds the thread in its first step until the semaphore is released."""
    gate, started = threading.Semaphore(0), asyncio.Event()
    loop = asyncio.get_running_loop()

    def steps() -> Iterator[int]:
        loop.call_soon_threadsafe(started.set)
        yield from recorder.steps("blocker", 1, gate)

    task = asyncio.create_task(collect(thread, steps(), Priority.TYPING))
    await started.wait()
    return gate, task


async def test_steps_run_strictly_by_priority_and_first_come_first_served(thread: ModelThread) -> None:
    recorder = Recorder()
    gate, blocker = await blocked(thread, recorder)
    order = [("index", Priority.INDEX), ("chat", Priority.CHAT), ("later", Priority.CHAT), ("typing", Priority.TYPING)]
    tasks = []
    for name, priority in order:
        tasks.append(asyncio.create_task(collect(thread, recorder.steps(name), priority)))
        await asyncio.sleep(0)
    gate.release()
    await asyncio.gather(blocker, *tasks)
    closed = [entry for entry in recorder.log if entry.endswith(".closed")]
    assert closed == ["blocker.closed", "typing.closed", "chat.closed", "later.closed", "index.closed"]
    steps = [entry for entry in recorder.log if not entry.endswith(".closed")]
    assert steps == ["blocker0", "typing0", "typing1", "chat0", "chat1", "later0", "later1", "index0", "index1"]


async def test_a_more_urgent_job_goes_in_between_the_steps_of_a_running_one(thread: ModelThread) -> None:
    recorder = Recorder()
    gate = threading.Semaphore(1)
    async with aclosing(thread.stream(lambda: recorder.steps("chat", 3, gate), Priority.CHAT)) as chat:
        assert await anext(chat) == 0
        typing = asyncio.create_task(collect(thread, recorder.steps("typing"), Priority.TYPING))
        await asyncio.sleep(0)
        gate.release(2)
        assert [item async for item in chat] == [1, 2]
        await typing
    # The chat's second step may have been under way already; its third was not.
    assert recorder.log.index("typing1") < recorder.log.index("chat2")


async def test_leaving_a_stream_stops_before_the_next_step_and_closes_on_the_thread(thread: ModelThread) -> None:
    recorder = Recorder()
    gate = threading.Semaphore(1)
    async with aclosing(thread.stream(lambda: recorder.steps("chat", 100, gate), Priority.CHAT)) as chat:
        assert await anext(chat) == 0
    gate.release(100)
    await thread.idle()
    assert recorder.log[-1] == "chat.closed"
    assert len(recorder.log) <= 3  # the step under way when the consumer left, no other
    assert threading.get_ident() not in recorder.threads
    assert len(recorder.threads) == 1


async def test_cancelling_the_consuming_task_stops_the_job(thread: ModelThread) -> None:
    recorder = Recorder()
    gate, blocker = await blocked(thread, recorder)
    waiting = asyncio.create_task(collect(thread, recorder.steps("never"), Priority.CHAT))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.release()
    await blocker
    await thread.idle()
    assert "never0" not in recorder.log


async def test_too_many_of_one_priority_are_refused_and_others_admitted() -> None:
    thread = ModelThread(limits={Priority.TYPING: 2, Priority.CHAT: 1, Priority.INDEX: 1})
    recorder = Recorder()
    gate, blocker = await blocked(thread, recorder)
    first = asyncio.create_task(collect(thread, recorder.steps("first"), Priority.CHAT))
    await asyncio.sleep(0)
    assert thread.waiting(Priority.CHAT) == 1
    with pytest.raises(Busy) as refused:
        await collect(thread, recorder.steps("second"), Priority.CHAT)
    assert refused.value.retry_after > 0
    third = asyncio.create_task(collect(thread, recorder.steps("third"), Priority.TYPING))
    await asyncio.sleep(0)
    gate.release()
    await asyncio.gather(blocker, first, third)
    assert await collect(thread, recorder.steps("again"), Priority.CHAT) == [0, 1]
    await asyncio.to_thread(thread.close)


async def test_an_error_reaches_its_own_consumer_only(thread: ModelThread) -> None:
    recorder = Recorder()

    def broken() -> Iterator[int]:
        yield 1
        raise ModelError("it broke")

    async with aclosing(thread.stream(broken, Priority.CHAT)) as items:
        assert await anext(items) == 1
        with pytest.raises(ModelError, match="it broke"):
            await anext(items)
    assert await collect(thread, recorder.steps("fine"), Priority.CHAT) == [0, 1]


async def test_call_returns_a_value_or_raises(thread: ModelThread) -> None:
    assert await thread.call(lambda: 42, Priority.CHAT) == 42
    assert await thread.call(lambda: None, Priority.CHAT) is None
    with pytest.raises(ZeroDivisionError):
        await thread.call(lambda: 1 // 0, Priority.CHAT)


async def test_close_stops_what_runs_tells_it_and_tears_down_on_the_thread() -> None:
    torn_down: list[int] = []
    thread = ModelThread(teardown=lambda: torn_down.append(threading.get_ident()))
    recorder = Recorder()
    gate = threading.Semaphore(1)
    async with aclosing(thread.stream(lambda: recorder.steps("chat", 100, gate), Priority.CHAT)) as chat:
        await anext(chat)
        gate.release(1)
        closing = asyncio.create_task(asyncio.to_thread(thread.close))
        with pytest.raises(EngineStopped):
            while True:
                await anext(chat)
                gate.release(1)
        await closing
    assert recorder.log[-1] == "chat.closed"
    assert torn_down == list(recorder.threads)
    with pytest.raises(EngineStopped):
        await collect(thread, recorder.steps("late"), Priority.TYPING)
    thread.close()  # a second time does nothing


async def test_closing_an_unused_thread_starts_none() -> None:
    torn_down: list[bool] = []
    ModelThread(teardown=lambda: torn_down.append(True)).close()
    assert torn_down == []
