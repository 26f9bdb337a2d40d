"""What it costs and gives that models run in a process of their own, with the bundled completion model.

    python -m tests.bench.model_process

One run: memory of engine and worker before, with and after the model; the share of the process boundary in the time
of a token; how many steps are computed after a request was left; how long a killed worker keeps a completion waiting.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

import psutil

import impetus
from impetus.domain.types import Piece, Priority, Sampling, Step, TextPrompt
from impetus.worker.supervisor import Supervisor

MODEL = Path(impetus.__file__).parent / "data" / "models" / "fim-pilot-42m"
COMMAND = (sys.executable, "-P", "-m", "impetus.app_worker", "0")
PROMPT = TextPrompt("def add(first, second):\n    return first + second\n\n\n" * 8)

#: The same model in the same loop without a process between: prints seconds for each token.
IN_PROCESS = """
import sys, time
from pathlib import Path
from impetus.adapters.mlx_model import clear_streams, load_model
from impetus.domain.types import End, Piece, Priority, Sampling
from tests.bench.model_process import PROMPT, sampling
model = load_model(Path(sys.argv[1]))
times = []
model.start(1, PROMPT, sampling(int(sys.argv[2])), Priority.CHAT)
while model.waiting() is not None:
    for _, step in model.step(Priority.CHAT):
        if isinstance(step, Piece):
            times.append(time.perf_counter())
model.close()
clear_streams()
print(*(b - a for a, b in zip(times, times[1:])))
"""


def sampling(tokens: int) -> Sampling:
    """Long enough, whatever the model would like to say."""
    return Sampling(max_tokens=tokens, temperature=1.0, seed=1)


def stream(worker: Supervisor, tokens: int) -> "aclosing[AsyncGenerator[Step, None]]":
    return aclosing(worker.stream(MODEL, PROMPT, sampling(tokens), Priority.CHAT))


async def gaps(worker: Supervisor, tokens: int) -> list[float]:
    """Seconds between tokens as the engine sees them."""
    times = []
    async with stream(worker, tokens) as steps:
        async for step in steps:
            if isinstance(step, Piece):
                times.append(time.perf_counter())  # noqa: PERF401  the moment counts
    return [b - a for a, b in pairwise(times)]


async def in_process(tokens: int) -> list[float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IN_PROCESS, str(MODEL), str(tokens), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return [float(gap) for gap in out.split()]


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
        async for _ in steps:
            seen += 1
            if seen == 20:
                break
    totals = []
    for _ in range(2):  # the second tells what the first took: both find the prompt in the cache
        await gaps(worker, 2)
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
    inside, through = [], []
    for _ in range(rounds):
        inside += await in_process(tokens)
        through += await gaps(worker, tokens)
    ours, without = quantiles(through, n=10)[0], quantiles(inside, n=10)[0]
    print(f"time of a token through the process {ours / without:.2f} x that without (fastest tenth of each)")
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
