"""Who may use the local models next: one thread that does all model work, one step at a time.

A job is an iterator; advancing it once is a step. Between steps the thread looks again: TYPING goes before CHAT before
INDEX, and among equals the job that came first is finished first. Leaving a stream stops its job before its next step.
Knows nothing of models, tokens or protocols.
"""

import asyncio
import itertools
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from impetus.domain.types import Priority
from impetus.errors import Busy, EngineStopped

T = TypeVar("T")

#: Jobs that may wait or run per priority; beyond it `Busy` is raised. INDEX work comes in batches of its own making.
LIMITS: Mapping[Priority, int] = {Priority.TYPING: 16, Priority.CHAT: 16, Priority.INDEX: 64}

#: Seconds after which a refused caller may try again.
RETRY_AFTER = {Priority.TYPING: 0.5, Priority.CHAT: 2.0, Priority.INDEX: 5.0}


class _Job:
    """One stream: its steps on the model thread, its output queue on the consumer's loop."""

    def __init__(self, make_steps: Callable[[], Iterator[Any]], priority: Priority, number: int) -> None:
        self.make_steps = make_steps
        self.priority = priority
        self.number = number
        self.steps: Iterator[Any] | None = None
        self.cancelled = False
        self._loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()

    def order(self) -> tuple[bool, int, int]:
        """Cancelled jobs go first: closing them is cheap and may hand a cache to the next one."""
        return not self.cancelled, self.priority, self.number

    def emit(self, item: Any) -> None:
        self._put((True, item))

    def end(self, error: BaseException | None = None) -> None:
        self._put((False, error))

    def _put(self, entry: tuple[bool, Any]) -> None:
        try:
            self._loop.call_soon_threadsafe(self.queue.put_nowait, entry)
        except RuntimeError:  # the consumer's loop is closed: nobody waits any more
            self.cancelled = True


class ModelThread:
    """Starts its thread on first use. `teardown` runs on that thread as its last statement (MLX needs it there)."""

    def __init__(
        self,
        *,
        teardown: Callable[[], None] = lambda: None,
        limits: Mapping[Priority, int] = LIMITS,
        name: str = "impetus-model",
    ) -> None:
        self._teardown = teardown
        self._limits = dict(limits)
        self._name = name
        self._changed = threading.Condition()
        self._jobs: list[_Job] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopped = False

    async def stream(self, make_steps: Callable[[], Iterator[T]], priority: Priority) -> AsyncGenerator[T, None]:
        """The items of `make_steps()`, made and advanced on the model thread. Use with `contextlib.aclosing`."""
        job = self._admit(make_steps, priority)
        try:
            while True:
                more, item = await job.queue.get()
                if more:
                    yield item
                elif item is None:
                    return
                else:
                    raise item
        finally:
            with self._changed:
                job.cancelled = True
                self._changed.notify_all()

    async def call(self, function: Callable[[], T], priority: Priority) -> T:
        """Run `function` on the model thread as one step."""

        def steps() -> Iterator[T]:
            yield function()

        async with aclosing(self.stream(steps, priority)) as results:
            async for result in results:
                return result
        raise EngineStopped("The model thread ended without a result")

    def waiting(self, priority: Priority) -> int:
        """Jobs of this priority that run or wait."""
        with self._changed:
            return self._count(priority)

    async def idle(self) -> None:
        """Return once no job is left; for tests and for a clean end."""
        await asyncio.to_thread(self._wait_idle)

    def close(self) -> None:
        """Stop before the next step of whatever runs, end the thread and wait for it. May be called twice."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    # -- the consumers' side -----------------------------------------------------------------------------------------

    def _admit(self, make_steps: Callable[[], Iterator[Any]], priority: Priority) -> _Job:
        with self._changed:
            if self._stopped:
                raise EngineStopped("The engine is shutting down; start it again")
            if self._count(priority) >= self._limits[priority]:
                raise Busy(
                    f"{self._limits[priority]} requests of this kind wait for the local model; try again in a moment",
                    retry_after=RETRY_AFTER[priority],
                )
            job = _Job(make_steps, priority, next(self._numbers))
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return job

    def _count(self, priority: Priority) -> int:
        return sum(job.priority == priority and not job.cancelled for job in self._jobs)

    def _wait_idle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs)

    # -- the model thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._advance(job)
        finally:
            self._teardown()

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._stopped)
            if not self._stopped:
                return min(self._jobs, key=_Job.order)
            left = list(self._jobs)
        for job in left:
            self._finish(job, EngineStopped("The engine is shutting down; the request was stopped"))
        return None

    def _advance(self, job: _Job) -> None:
        if job.cancelled:
            self._finish(job)
            return
        try:
            if job.steps is None:
                job.steps = iter(job.make_steps())
            item = next(job.steps)
        except StopIteration:
            self._finish(job)
        except Exception as error:  # reaches its own consumer only
            self._finish(job, error)
        else:
            job.emit(item)

    def _finish(self, job: _Job, error: Exception | None = None) -> None:
        close = getattr(job.steps, "close", None)
        if close is not None:
            try:
                close()
            except Exception as close_error:
                error = error or close_error
        with self._changed:
            self._jobs.remove(job)
            self._changed.notify_all()
        job.end(error)
