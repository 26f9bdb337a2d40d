"""The HTTP port under 100 connections, 50 of them streaming, and what it adds to a request.

    python -m tests.bench.http_load --seconds 20

The port runs in a process of its own over an index of this checkout's server/, behind all of its guards, with a key and
with limits of requests switched off. In place of a model stands a generator with a clock: a token every 20 ms under
load, at once where only what the port adds counts. Streams and whole answers ask the chat model; the other connections
ask in turn for models, status, search and vectors. The client writes HTTP by hand in this process, so that its own time
stays small; both share the cores of the machine.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.figures import rss_mb, spread
from tests.support.fakes import FakeWorker, fake_models
from tests.support.http import MemoryKeyStore

from impetus.app import create_engine
from impetus.config import resolve
from impetus.domain.types import End, FinishReason, Piece, Prefill, Priority, Prompt, Sampling, Step, Usage
from impetus.services.keys import Keys
from impetus.services.session import Session
from impetus.web.port import base_url, bind
from impetus.web.server import HttpServer

_PROJECT = Path(__file__).parents[2]
CONNECTIONS, STREAMING, WHOLE = 100, 50, 25
TOKENS, TOKEN_S = 50, 0.02
ALONE = 300
#: As Retry-After says: more answers are asked for than are made at once.
RETRY_S = 2.0

READS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("GET", "/v1/models", None),
    ("GET", "/api/health/status", None),
    ("POST", "/v1/rag/search", {"query": "where are keys checked"}),
    ("POST", "/v1/embeddings", {"model": "impetus-embed", "input": ["def open_gate(name): ..."]}),
)


class PacedWorker(FakeWorker):
    """A token every so often; the prompt says how often."""

    async def stream(
        self, model: Path, prompt: Prompt, sampling: Sampling, priority: Priority, draft: Path | None = None
    ) -> AsyncGenerator[Step, None]:
        yield Prefill(1, 1)
        pause = 0.0 if "at once" in str(prompt) else TOKEN_S
        for _ in range(sampling.max_tokens):
            if pause:
                await asyncio.sleep(pause)
            yield Piece("word ")
        yield End(FinishReason.LENGTH, Usage(1, sampling.max_tokens))


async def serve(home: Path) -> None:
    """The port; prints its address and a key, then serves until its input ends."""
    http = {"port": 0, "inference_per_minute": 0, "reads_per_minute": 0}
    settings, _ = resolve({"http": http, "chat": {"model": "/models/clock"}, "index": {"watch": False}})
    engine = await create_engine(settings, home=home)
    engine.models = fake_models(PacedWorker(""))
    session = Session(engine)
    await session.open_root(_PROJECT / "server")
    await session.indexed()
    keys = Keys(MemoryKeyStore())
    bound = bind(settings.http)
    port = HttpServer(session, settings, keys)
    serving = asyncio.create_task(port.serve(bound))
    print(json.dumps({"url": base_url(bound), "key": keys.create("bench", "admin").secret}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps({"rss_mb": rss_mb()}), flush=True)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await session.close()
    await engine.close()


@dataclass
class Figures:
    statuses: Counter[int] = field(default_factory=Counter)
    reads: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._key = key

    async def open(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    def close(self) -> None:
        self._writer.close()

    async def ask(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, float]:
        """Status, and seconds until the first byte of the body that is data; returns at its end."""
        payload = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        begun = time.perf_counter()
        self._writer.write(head.encode() + payload)
        told = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(told.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" not in told:
            length = int(told.split(b"content-length:")[1].split(b"\r\n")[0])
            await self._reader.readexactly(length)
            return status, time.perf_counter() - begun
        first = 0.0
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            data = await self._reader.readexactly(size + 2)
            if not first and b'"word ' in data:
                first = time.perf_counter() - begun
        await self._reader.readexactly(2)
        return status, first


def chat(text: str, tokens: int, *, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "impetus-plain", "messages": messages, "max_tokens": tokens, "stream": stream}


async def streams(connection: Connection, figures: Figures, end: float) -> None:
    while time.monotonic() < end:
        status, first = await connection.ask("POST", "/v1/chat/completions", chat("go", TOKENS, stream=True))
        figures.statuses[status] += 1
        if status == 429:
            await asyncio.sleep(RETRY_S)
            continue
        figures.first.append(first)


async def answers(connection: Connection, figures: Figures, end: float) -> None:
    while time.monotonic() < end:
        begun = time.perf_counter()
        status, _ = await connection.ask("POST", "/v1/chat/completions", chat("go", TOKENS, stream=False))
        figures.statuses[status] += 1
        if status == 429:
            await asyncio.sleep(RETRY_S)
            continue
        figures.whole.append(time.perf_counter() - begun)


async def reads(connection: Connection, figures: Figures, end: float, first: int) -> None:
    number = first
    while time.monotonic() < end:
        method, path, body = READS[number % len(READS)]
        number += 1
        status, seconds = await connection.ask(method, path, body)
        figures.statuses[status] += 1
        figures.reads.append(seconds)
        await asyncio.sleep(0.2)


async def load(connections: Sequence[Connection], seconds: float) -> Figures:
    figures = Figures()
    end = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for number, connection in enumerate(connections):
            if number < STREAMING:
                group.create_task(streams(connection, figures, end))
            elif number < STREAMING + WHOLE:
                group.create_task(answers(connection, figures, end))
            else:
                group.create_task(reads(connection, figures, end, number))
    return figures


async def alone(connection: Connection) -> tuple[list[float], list[float]]:
    """Seconds of requests that nothing else disturbs: answers of one token at once, and the one that does nothing."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(ALONE):
        _, seconds = await connection.ask("POST", "/v1/chat/completions", chat("at once", 1, stream=False))
        took[0].append(seconds)
        _, seconds = await connection.ask("GET", "/api/health/live", None)
        took[1].append(seconds)
    return took


async def measure(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as home:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.http_load", "--serve", home,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=_PROJECT, env=os.environ,
        )  # fmt: skip
        assert server.stdin is not None and server.stdout is not None
        told = json.loads(await server.stdout.readline())
        port = int(told["url"].rsplit(":", 1)[1])
        connections = [await Connection(port, told["key"]).open() for _ in range(CONNECTIONS)]
        added, live = await alone(connections[0])
        figures = await load(connections, seconds)
        for connection in connections:
            connection.close()
        server.stdin.close()
        memory = json.loads(await server.stdout.readline())["rss_mb"]
        await server.wait()
    print(f"a whole answer of a generator without delay, alone   {spread(added)}")
    print(f"GET /api/health/live, alone                          {spread(live)}")
    counted = ", ".join(f"{status}: {count}" for status, count in sorted(figures.statuses.items()))
    print(f"{CONNECTIONS} connections, {STREAMING} streaming, for {seconds:g} s: {counted}")
    print(f"  models, status, search, vectors                    {spread(figures.reads)}")
    print(f"  first token of a stream (its generator: 20 ms)     {spread(figures.first)}")
    print(f"  whole answer (its generator: {TOKENS * TOKEN_S * 1000:.0f} ms)             {spread(figures.whole)}")
    print(f"  server: {memory:.0f} MB resident")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of load")
    parser.add_argument("--serve", type=Path, metavar="HOME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.serve) if arguments.serve else measure(arguments.seconds))


if __name__ == "__main__":
    main()
