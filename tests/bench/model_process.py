"""What it costs and gives that models run in a process of their own, with the bundled completion model.

    python -m tests.bench.model_process

One run: memory of engine and worker before, with and after the model; the share of the process boundary in the
processor time of a token; how many steps the model computes after the last one that was seen before a request was left
(the engine may be behind, so more than the one under way can be counted on a busy machine); how long a killed worker
keeps the next request waiting.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import psutil
from tests.support.worker import supervisor

import impetus
from impetus import __version__
from impetus.domain.types import End, Piece, Priority, Sampling, Step, TextPrompt
from impetus.worker.supervisor import Supervisor

MODEL = Path(impetus.__file__).parent / "data" / "models" / "impetus-fim-43m"
COMMAND = (sys.executable, "-P", "-m", "impetus.app_worker", __version__, "0", "0")
PROMPT = TextPrompt("def add(first, second):\n    return first + second\n\n\n" * 8)


#: Of the bundled model: with it an answer ends.
END_TOKEN = 0


def sampling(tokens: int) -> Sampling:
    """Long enough, whatever the model would like to say."""
    return Sampling(max_tokens=tokens, temperature=1.0, seed=1, logit_bias=((END_TOKEN, -100.0),))


def stream(worker: Supervisor, tokens: int) -> "aclosing[AsyncGenerator[Step, None]]":
    return aclosing(worker.stream(MODEL, PROMPT, sampling(tokens), Priority.CHAT))


async def read(worker: Supervisor, tokens: int) -> None:
    async with stream(worker, tokens) as steps:
        async for step in steps:
            assert not isinstance(step, End) or step.usage.completion_tokens == tokens, "the model ended by itself"


def cpu(worker: Supervisor) -> float:
    """Processor seconds of this process and the model process so far."""
    times = psutil.Process(worker.pid).cpu_times()
    return time.process_time() + times.user + times.system


async def boundary(steps: int) -> float:
    """Processor seconds for a step of a model that computes nothing: what it costs to hand it over."""
    worker = supervisor()
    await worker.load(MODEL)
    words, began = 60, cpu(worker)
    for _ in range(steps // words):
        prompt = TextPrompt("|" + " word" * words)
        async with aclosing(worker.stream(MODEL, prompt, Sampling(), Priority.CHAT)) as answer:
            async for _ in answer:
                pass
    taken = cpu(worker) - began
    await worker.close()
    return taken / steps


def memory() -> tuple[float, float]:
    """MB of this process and of its children."""
    own = psutil.Process()
    children = sum(child.memory_info().rss for child in own.children(recursive=True))
    return own.memory_info().rss / 1e6, children / 1e6


async def ended(worker: Supervisor) -> None:
    changed = asyncio.Event()
    worker.subscribe(changed.set)
    while worker.pid is not None:
        changed.clear()
        await changed.wait()


async def steps_after_leaving(worker: Supervisor) -> int:
    """Steps of the model after a request was left, counted by the model."""
    await worker.unload(MODEL)  # counts from nothing again
    seen = 0
    async with stream(worker, 200) as steps:
        async for step in steps:
            assert not isinstance(step, End), "the model ended by itself"
            seen += 1
            if seen == 20:
                break
    totals = []
    for _ in range(2):  # the second tells what the first took: both find the prompt in the cache
        await read(worker, 2)
        totals.append(worker.states()[MODEL].counters.steps)
    return totals[0] - (totals[1] - totals[0]) - seen


async def first_token(worker: Supervisor) -> float:
    began = time.perf_counter()
    async with stream(worker, 2) as steps:
        async for step in steps:
            if isinstance(step, Piece):
                return time.perf_counter() - began
    raise AssertionError("the model said nothing")


async def measure(tokens: int, rounds: int) -> None:
    worker = Supervisor(COMMAND, idle_s=1.0)
    before = memory()
    cold = await first_token(worker)
    with_model = memory()
    await ended(worker)
    after = memory()
    for name, (engine, child) in (("before", before), ("with the model", with_model), ("after its end", after)):
        print(f"memory {name:16} engine {engine:6.1f} MB, model process {child:6.1f} MB")
    await worker.close()

    worker = Supervisor(COMMAND)
    await read(worker, 2)
    began = cpu(worker)
    await read(worker, tokens)
    token = (cpu(worker) - began) / tokens
    handed = await boundary(6000)
    print(f"processor time to hand a token over {handed * 1e6:.0f} us, {handed / token:.5f} of the time to compute it")
    left = [await steps_after_leaving(worker) for _ in range(rounds)]
    print(f"steps computed after a request was left: at most {max(left)}, in {len(left)} trials")
    warm = await first_token(worker)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    await ended(worker)
    again = await first_token(worker)
    print(
        f"first token: {cold * 1e3:.0f} ms from a cold start, {warm / cold:.2f} x that warm, "
        f"{again / cold:.2f} x that after a kill"
    )
    await worker.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.tokens, arguments.rounds))


if __name__ == "__main__":
    main()
