"""The worker process in trouble: real processes that are killed, stopped, deaf, silent, or talk nonsense.

Every request under way is answered exactly once, with a reason; the next one is served by a new process.
"""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from pathlib import Path

import psutil
import pytest
from tests.support.worker import supervisor
from tests.support.worker_child import PIPE

from impetus.domain.types import End, Piece, Prefill, Priority, Sampling, Step, TextPrompt
from impetus.errors import BadRequest, Busy, EngineStopped, InsufficientMemory, ModelError, NotFound
from impetus.worker.process import Patience
from impetus.worker.supervisor import LONGEST_PAUSE, Supervisor, pause_after

MODEL, OTHER = Path("/models/a"), Path("/models/b")
QUICK = Patience(beat_s=0.05, silence_s=1.0)


@pytest.fixture
async def worker() -> AsyncIterator[Supervisor]:
    made = supervisor()
    yield made
    await made.close()


@pytest.fixture
async def patient() -> AsyncIterator[Supervisor]:
    """Whenever it looks at its clock, any pause is over."""
    made = supervisor(clock=itertools.count(0, LONGEST_PAUSE).__next__)
    yield made
    await made.close()


class Hold:
    """Holds a worker inside `!wait`, in the middle of a step, until it is let go."""

    def __init__(self, pipe: Path) -> None:
        self._pipe = pipe
        self._writing = -1

    async def begun(self) -> None:
        """Until the worker is in there."""
        self._writing = await asyncio.to_thread(os.open, self._pipe, os.O_WRONLY)

    def let_go(self) -> None:
        if self._writing >= 0:
            with suppress(BrokenPipeError):
                os.write(self._writing, b"x")
            os.close(self._writing)
            self._writing = -1


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setenv(PIPE, str(tmp_path / "pipe"))
    made = Hold(tmp_path / "pipe")
    yield made
    made.let_go()


def stream(worker: Supervisor, text: str, model: Path = MODEL) -> "aclosing[AsyncIterator[Step]]":
    return aclosing(worker.stream(model, TextPrompt(text), Sampling(), Priority.CHAT))  # type: ignore[type-var]


async def said(worker: Supervisor, text: str, model: Path = MODEL) -> str:
    async with stream(worker, text, model) as steps:
        return "".join([step.text async for step in steps if isinstance(step, Piece)]).strip()


async def pid_of(worker: Supervisor) -> int:
    await worker.load(MODEL)
    assert worker.pid is not None
    return worker.pid


# -- killed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "before"), [("one !kill | x", [Prefill]), ("| one !kill x", [Piece])])
async def test_killed_in_prefill_and_in_decode(worker: Supervisor, text: str, before: list[type]) -> None:
    pid = await pid_of(worker)
    found: list[type] = []
    async with stream(worker, text) as steps:
        with pytest.raises(ModelError, match=r"SIGKILL \(.*memory ran out\) while it worked for a; .*ask again"):
            async for step in steps:
                found.append(type(step))  # noqa: PERF401  it raises
    assert found == before
    assert worker.states() == {}
    assert await said(worker, "| fine") == "fine"
    assert worker.pid != pid


async def test_all_requests_under_way_fail_once_and_the_next_are_served(worker: Supervisor, hold: Hold) -> None:
    pid = await pid_of(worker)
    requests = [asyncio.create_task(said(worker, "| !wait x", model)) for model in (MODEL, OTHER)]
    requests.append(asyncio.create_task(said(worker, "| y")))
    await hold.begun()
    os.kill(pid, signal.SIGKILL)
    failures = await asyncio.gather(*requests, return_exceptions=True)
    assert all(isinstance(failure, ModelError) for failure in failures[:2])
    assert await asyncio.gather(said(worker, "| a"), said(worker, "| b", OTHER)) == ["a", "b"]


async def test_a_model_that_ends_the_process_twice_is_loaded_again_only_when_asked(worker: Supervisor) -> None:
    lethal = Path("/models/lethal")
    for _ in range(2):
        with pytest.raises(ModelError, match=r"SIGKILL .*while it worked for lethal"):
            await said(worker, "| x", lethal)
    assert worker.pid is None
    with pytest.raises(ModelError, match="2 times in a row and is not loaded again"):
        await said(worker, "| x", lethal)
    with pytest.raises(ModelError, match="not loaded again"):
        await worker.embed(str(lethal), ["x"])
    assert worker.pid is None  # no process was started for it
    assert worker.states()[lethal].state == "failed"


async def test_what_is_loaded_by_itself_counts_as_nobody_asking(patient: Supervisor) -> None:
    """Editors have the completion model loaded with every document that they open."""
    lethal = Path("/models/lethal")
    for _ in range(2):
        with pytest.raises(ModelError, match="SIGKILL"):
            await patient.load(lethal, asked=False)
    for _ in range(2):
        with pytest.raises(ModelError, match="impetus models load"):
            await patient.load(lethal, asked=False)
    assert patient.pid is None
    with pytest.raises(ModelError, match="SIGKILL"):
        await patient.load(lethal)


async def test_a_draft_that_ended_the_process_twice_is_left_out(patient: Supervisor) -> None:
    lethal = Path("/models/lethal")

    async def drafted() -> str:
        steps = patient.stream(MODEL, TextPrompt("| one"), Sampling(), Priority.CHAT, lethal)
        async with aclosing(steps):
            return "".join([step.text async for step in steps if isinstance(step, Piece)]).strip()

    for _ in range(2):
        with pytest.raises(ModelError, match=r"SIGKILL .*while it worked for lethal"):
            await drafted()
    assert await drafted() == "one"


async def test_vectors_between_two_deaths_clear_their_embedder(worker: Supervisor) -> None:
    """Two deaths in weeks are no reason to give up an encoder that answers between them."""
    for _ in range(3):
        assert len(await worker.embed("fake-v1", ["x"])) == 1
        with pytest.raises(ModelError, match=r"SIGKILL .*while it worked for fake-v1"):
            await worker.embed("fake-v1", ["!kill"])


def test_the_pause_is_bounded_after_any_number_of_deaths() -> None:
    assert [pause_after(deaths) for deaths in (1, 2, 3, 4, 100, 5_000)] == [0, 1, 2, 4, LONGEST_PAUSE, LONGEST_PAUSE]


async def test_after_deaths_the_start_waits_longer_and_longer() -> None:
    now = 0.0
    worker = supervisor(clock=lambda: now)
    lethal = Path("/models/lethal")
    waits = []
    for _ in range(4):
        with pytest.raises(ModelError, match="SIGKILL"):
            await worker.load(lethal)  # asks for it each time
        try:
            await worker.load(OTHER)
        except Busy as busy:
            assert "the last time it was ended by SIGKILL" in str(busy)
            waits.append(busy.retry_after)
            now += busy.retry_after
    assert waits == [1.0, 2.0, 4.0]  # after the first death it starts at once
    assert await said(worker, "| x", OTHER) == "x"
    await worker.close()


async def test_an_answer_between_two_deaths_clears_the_model(worker: Supervisor) -> None:
    for _ in range(3):
        with pytest.raises(ModelError, match="SIGKILL"):
            await said(worker, "| !kill")
        assert await said(worker, "| fine") == "fine"


# -- silent ------------------------------------------------------------------------------------------------------------


async def test_a_process_that_is_stopped_and_goes_on_answers_as_if_nothing_had_been(worker: Supervisor) -> None:
    pid = await pid_of(worker)
    os.kill(pid, signal.SIGSTOP)
    request = asyncio.create_task(said(worker, "read | one two"))
    await asyncio.to_thread(_until_stopped, pid)
    assert not request.done()
    os.kill(pid, signal.SIGCONT)
    assert await request == "one two"
    assert worker.pid == pid


def _until_stopped(pid: int) -> None:
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        pass


@pytest.mark.parametrize("how", ["stopped", "deaf"])
async def test_a_process_that_stays_silent_is_replaced(how: str) -> None:
    worker = supervisor(patience=QUICK)
    pid = await pid_of(worker)
    if how == "stopped":
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ModelError, match="did not answer for"):
        await said(worker, "| x" if how == "stopped" else "| !deaf")
    assert not psutil.pid_exists(pid)
    assert await said(worker, "| fine") == "fine"
    await worker.close()


async def test_a_long_step_is_no_hang(hold: Hold) -> None:
    """Beside a process that is replaced for its silence, one that computes for as long is left alone."""
    computing, silent = supervisor(patience=QUICK), supervisor(patience=QUICK)
    pid = await pid_of(computing)
    long = asyncio.create_task(said(computing, "| !wait done"))
    await hold.begun()
    with pytest.raises(ModelError, match="did not answer"):
        await said(silent, "| !deaf")
    assert not long.done()
    hold.let_go()
    assert await long == "!wait done"
    assert computing.pid == pid
    await computing.close()
    await silent.close()


async def test_a_process_that_never_comes_up_is_ended() -> None:
    worker = Supervisor(["/bin/sh", "-c", "exec sleep 600"], patience=Patience(start_s=0.2))
    with pytest.raises(ModelError, match=r"did not come up within 0.2 s"):
        await said(worker, "| x")
    await worker.close()


async def test_one_step_without_end_is_a_hang(hold: Hold) -> None:
    worker = supervisor(patience=Patience(beat_s=0.02, step_s=0.1))
    with pytest.raises(ModelError, match="was busy with one step for"):
        await said(worker, "| !wait")
    assert await said(worker, "| fine") == "fine"
    await worker.close()


async def test_a_request_that_cannot_be_begun_is_a_hang(hold: Hold) -> None:
    """A template, a tokenizer or a grammar that never comes to an end."""
    worker = supervisor(patience=Patience(beat_s=0.02, step_s=0.1))
    async with asyncio.timeout(10):
        with pytest.raises(ModelError, match=r"was busy with one request for .* while it worked for a;"):
            await said(worker, "!begin !wait | x")
        assert await said(worker, "| fine") == "fine"
    await worker.close()


async def test_nonsense_from_the_process_ends_it(worker: Supervisor) -> None:
    with pytest.raises(ModelError, match="sent what is no message"):
        await said(worker, "| !babble x")
    assert await said(worker, "| fine") == "fine"


# -- errors that end nothing -------------------------------------------------------------------------------------------


async def test_failures_of_a_model_reach_their_request_and_leave_the_process(worker: Supervisor) -> None:
    pid = await pid_of(worker)
    with pytest.raises(ModelError, match=r"did not foresee: the kernel failed;"):
        await said(worker, "| !fail")
    with pytest.raises(ModelError, match="broken is broken; fetch it again"):
        await said(worker, "| x", Path("/models/broken"))
    with pytest.raises(ModelError, match="nobody foresaw this"):
        await said(worker, "| x", Path("/models/surprise"))
    with pytest.raises(InsufficientMemory) as refused:
        await said(worker, "| x", Path("/models/huge"))
    assert refused.value.needed == 10**15
    with pytest.raises(NotFound):
        await worker.embed("other", ["x"])
    with pytest.raises(BadRequest, match="surrogate"):
        await said(worker, "| half of \ud83d")
    states = {path.name: state.state for path, state in worker.states().items()}
    assert states == {"a": "ready", "broken": "failed", "surprise": "failed", "huge": "failed"}
    assert await said(worker, "| fine") == "fine"
    assert worker.pid == pid


async def test_a_process_that_cannot_be_started_is_a_failure_of_the_request(tmp_path: Path) -> None:
    worker = Supervisor([str(tmp_path / "nothing")])
    with pytest.raises(ModelError, match="cannot be started"):
        await said(worker, "| x")
    await worker.close()


async def test_a_command_that_ends_at_once_is_a_death(tmp_path: Path) -> None:
    worker = Supervisor(["/bin/false"])
    with pytest.raises(ModelError, match="ended with code 1"):
        await said(worker, "| x")
    await worker.close()


# -- cancel, end -------------------------------------------------------------------------------------------------------


async def test_what_is_left_computes_one_further_step_at_most(worker: Supervisor, hold: Hold, tmp_path: Path) -> None:
    """The step that may follow waits too, so that there is time to hear that nobody wants it."""

    async def go_on() -> None:
        await hold.begun()
        hold.let_go()

    await worker.load(MODEL)
    async with stream(worker, "| one !wait !wait four five") as steps:
        await anext(steps)
        await hold.begun()  # inside the second step
    hold.let_go()
    further = asyncio.create_task(go_on())
    assert await said(worker, "| x") == "x"
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)  # no further step opens it
    await further
    os.close(reader)
    # "one", "!wait", perhaps the other one, then "x".
    assert worker.states()[MODEL].counters.steps in (3, 4)


async def test_an_idle_process_ends_and_comes_back() -> None:
    worker = supervisor(idle_s=0.05)
    changed = asyncio.Event()
    worker.subscribe(changed.set)
    assert await said(worker, "| x") == "x"
    pid = worker.pid
    assert pid is not None
    while worker.pid is not None:
        changed.clear()
        await changed.wait()
    assert not psutil.pid_exists(pid)
    assert worker.states() == {}
    assert await said(worker, "| again") == "again"
    await worker.close()


async def test_close_answers_what_is_under_way_and_ends_the_process(hold: Hold) -> None:
    worker = supervisor()
    pid = await pid_of(worker)
    request = asyncio.create_task(said(worker, "| !wait x"))
    await hold.begun()
    closing = asyncio.create_task(worker.close())
    with pytest.raises(EngineStopped, match="shutting down"):
        await request
    hold.let_go()  # it finishes its step
    await closing
    assert not psutil.pid_exists(pid)


async def test_close_does_not_wait_for_ever(hold: Hold) -> None:
    worker = supervisor(patience=Patience(stop_s=0.1))
    pid = await pid_of(worker)
    request = asyncio.create_task(said(worker, "| !wait x"))
    await hold.begun()
    await worker.close()
    with pytest.raises(EngineStopped):
        await request
    assert not psutil.pid_exists(pid)


async def test_end_is_the_last_step(worker: Supervisor) -> None:
    async with stream(worker, "| one") as steps:
        assert [type(step) async for step in steps] == [Piece, End]
