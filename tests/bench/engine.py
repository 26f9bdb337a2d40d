"""The engine of all windows: how fast a window starts, what it and the engine hold in memory, how fast it answers
while it works.

    python -m tests.bench.engine [start] [memory] [status] [--windows 10] [--seconds 20]

start    process start to `initialize` result against `python -I -S -c pass`, in turns, with a warm engine
memory   resident memory of a shim, of the engine with a workspace of 10,000 chunks, and of windows that open it too
status   `impetus/status` round trips during a full scan, a long answer and ten completions a second
"""

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any

import psutil
from tests.bench.figures import spread
from tests.support.crash import write_project
from tests.support.engine_home import EngineHome, engine_home
from tests.support.lsp_client import LspClient, LspError, framed
from tests.support.tiny_model import make_model

from impetus.daemon.state import resident

MB = 1_000_000
FILES = 2_600  # make 10,000 chunks and some
BARE = [sys.executable, "-I", "-S", "-c", "pass"]
INITIALIZE = framed(
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"processId": None, "capabilities": {}}}
)


def shim_command() -> list[str]:
    """What a package manager installs, where it is installed beside this interpreter."""
    script = Path(sys.executable).with_name("impetus")
    return [str(script), "lsp"] if script.exists() else [sys.executable, "-m", "impetus", "lsp"]


def begin(home: EngineHome) -> "tuple[subprocess.Popen[bytes], float]":
    """A shim whose `initialize` has been answered, and the seconds since its start."""
    started = time.perf_counter()
    pipe = subprocess.PIPE
    process = subprocess.Popen(shim_command(), stdin=pipe, stdout=pipe, env=home.environment())
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(INITIALIZE)
    process.stdin.flush()
    length = int(process.stdout.readline().split(b":")[1])
    while process.stdout.readline().strip():
        pass
    process.stdout.read(length)
    return process, time.perf_counter() - started


def end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.wait()
    process.stdout.close()


def start(home: EngineHome, times: int = 40) -> None:
    keeper, cold = begin(home)
    bare, warm, held = [], [], []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(BARE, check=True)
        bare.append(time.perf_counter() - began)
        process, seconds = begin(home)
        warm.append(seconds)
        held.append(resident(process.pid) / MB)
        end(process)
    print(f"bare interpreter      {spread(bare)}")
    print(f"shim to initialize    {spread(warm)}   {median(warm) / median(bare):.1f} x, fastest to fastest ", end="")
    print(f"{min(warm) / min(bare):.1f} x; limit 5 x")
    print(f"with a cold engine    {cold * 1000:.0f} ms")
    print(f"memory of a shim      {max(held):.1f} MB; limit 20")
    end(keeper)


async def memory(home: EngineHome, windows: int) -> None:
    await asyncio.to_thread(write_project, home.project, Random(1), FILES)
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(home.editor(opens=False))
        await first.request("impetus/status")
        most = asyncio.create_task(most_held(home))
        await open_project(home, first)
        most.cancel()
        await first.request("impetus/search", {"query": "how is the retry policy made"})
        index = (await home.state())["indexes"][0]
        print(f"workspace             {index['files']:,} files, {index['chunks']:,} chunks")
        before = await settled(home)
        print(f"engine, one window    {before / MB:.0f} MB; limit 250")
        print(f"most during the scan  {await most}")
        for _ in range(windows):
            client = await stack.enter_async_context(home.editor())
            await client.request("impetus/search", {"query": "how is the retry policy made"})
        after = await settled(home)
        print(f"each further window   {(after - before) / windows / MB:.2f} MB, {windows} windows; limit 5")


async def most_held(home: EngineHome) -> str:
    """Until cancelled. What processes share is counted for each of them."""
    engine, most = psutil.Process(home.pid), [0]
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            now = [resident(each.pid) for each in (engine, *engine.children(recursive=True))]
            most = max(most, now, key=sum)
            await asyncio.sleep(0.05)
    each = " + ".join(f"{held / MB:.0f}" for held in most)
    return f"{sum(most) / MB:.0f} MB: {each} (the engine, the index worker, the parser processes)"


async def settled(home: EngineHome) -> int:
    """Memory once it has stopped to change."""
    last, now = 0, resident(home.pid)
    while abs(now - last) > 500_000:
        await asyncio.sleep(1)
        last, now = now, resident(home.pid)
    return now


async def status(home: EngineHome, seconds: float) -> None:
    await asyncio.to_thread(write_project, home.project, Random(1), FILES)
    with tempfile.TemporaryDirectory() as folder:
        model = await asyncio.to_thread(make_model, Path(folder, "tiny"), context=16384)
        variables = {"IMPETUS_CHAT_MODEL": str(model), "IMPETUS_CHAT_MAX_TOKENS": "8000"}
        async with home.editor(opens=False, **variables) as worker, home.editor(opens=False) as watcher:
            await open_project(home, worker)
            source = (home.project / "open.py").as_uri()
            worker.open(source, "def total(items):\n    result = 0\n    for item in items:\n        result += \n")
            await watched("nothing to do", watcher, seconds / 4)
            await complete(worker, source)
            stop = asyncio.Event()
            jobs = [
                asyncio.create_task(forever(stop, 0.1, lambda: complete(worker, source))),
                asyncio.create_task(forever(stop, 0, lambda: rescan(worker))),
                asyncio.create_task(forever(stop, 0, lambda: ask(worker))),
            ]
            await watched("all at once", watcher, seconds)
            done = [job.get_name() for job in jobs if job.done()]
            assert not done, f"a job ended early: {[job.exception() for job in jobs if job.done()]}"
            stop.set()
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)


async def open_project(home: EngineHome, client: LspClient) -> None:
    folder = {"uri": home.project.as_uri(), "name": "project"}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    await until_indexed(client)


async def until_indexed(client: LspClient) -> None:
    while True:
        status = await client.request("impetus/status")
        if [index["phase"] for index in status["indexes"]] == ["ready"]:
            return
        await asyncio.sleep(0.2)


async def rescan(client: LspClient) -> None:
    await client.request("impetus/reindex", {"full": True})
    await asyncio.sleep(0.5)  # it has begun by then
    await until_indexed(client)


async def complete(client: LspClient, uri: str) -> None:
    position = {"line": 3, "character": 18}
    await client.request("impetus/complete", {"textDocument": {"uri": uri}, "position": position})


async def ask(client: LspClient) -> None:
    question = client.start("impetus/ask", {"question": "how is the policy of a retry made?"})
    try:
        await client.response(question)
    except LspError:
        pass  # while the index is replaced there is nothing to answer from
    except TimeoutError:
        client.cancel(question)  # longer than a test waits; the next one begins


async def forever(stop: asyncio.Event, pause: float, work: Callable[[], Any]) -> None:
    while not stop.is_set():
        await work()
        await asyncio.sleep(pause)


ECHO = """
import asyncio, sys
async def echo(reader, writer):
    while line := await reader.readline():
        writer.write(line)
async def main():
    async with await asyncio.start_unix_server(echo, sys.argv[1]) as server:
        print("listens", flush=True)
        await server.serve_forever()
asyncio.run(main())
"""


async def watched(name: str, client: LspClient, seconds: float) -> None:
    """In turns with an echo of a bare process: what that takes is the machine's doing, not the engine's."""
    took: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "echo"))
        pipe = subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", ECHO, path, stdout=pipe)
        assert process.stdout is not None
        await process.stdout.readline()
        reader, writer = await asyncio.open_unix_connection(path)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            await client.request("impetus/status")
            took.append(time.perf_counter() - began)
            client.responses.clear()
            began = time.perf_counter()
            writer.write(b"status\n")
            await reader.readline()
            bare.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)
        writer.close()
        process.kill()
        await process.wait()
    for what, times in ((f"status, {name}", took), ("  a bare echo, in turns", bare)):
        print(f"{what:24} {spread(times)}  p99 {quantiles(times, n=100)[-1] * 1000:6.1f} ms  ({len(times):,})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["start", "memory", "status"], help="start, memory, status")
    parser.add_argument("--windows", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20, help="how long the status is asked for")
    arguments = parser.parse_args()
    parts: dict[str, Callable[[EngineHome], None]] = {
        "start": start,
        "memory": lambda home: asyncio.run(memory(home, arguments.windows)),
        "status": lambda home: asyncio.run(status(home, arguments.seconds)),
    }
    for part in arguments.parts:
        with engine_home() as home:
            parts[part](home)


if __name__ == "__main__":
    main()
