"""`impetus lsp --standalone`: one session on standard input and output, engine and all, in this process.

Standard output belongs to LSP alone: whatever else writes to it, native libraries included, ends up on standard error.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from impetus.config import Settings
from impetus.lsp.relay import relayed

if TYPE_CHECKING:
    from impetus.lsp.host import EngineFactory
    from impetus.services.engine import Engine


def claim() -> tuple[int, int]:
    """Take the two ends of the protocol away from everybody else. Call it before anything heavy is imported."""
    sys.stdout.flush()
    incoming, outgoing = os.dup(0), os.dup(1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return incoming, outgoing


def run(load: Callable[[], "EngineFactory"]) -> int:
    """Serve until the editor leaves. Exit code 0 after shutdown, 1 without, 2 when there is no pipe to an editor.

    `load` imports the composition root; it is called on a thread, after `initialize` has been answered.
    """
    incoming, outgoing = claim()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return asyncio.run(_run(incoming, outgoing, load))


async def _run(incoming: int, outgoing: int, load: Callable[[], "EngineFactory"]) -> int:
    from impetus.lsp.host import OwnEngine
    from impetus.lsp.server import converse, new_server

    async def create(settings: Settings, problems: Sequence[str]) -> "Engine":
        logging.getLogger("impetus").setLevel(settings.log.level.upper())
        make = await asyncio.to_thread(load)
        return await make(settings, problems)

    try:
        reader, writer = await _streams(incoming, outgoing)
    except ValueError:
        print("impetus lsp talks to an editor through pipes; standard input or output is a file", file=sys.stderr)  # noqa: T201
        return 2
    host = OwnEngine(create)
    try:
        return 0 if await converse(reader, writer, new_server(host)) else 1
    finally:
        await host.close()


async def _streams(incoming: int, outgoing: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises ValueError for what is neither pipe, socket nor terminal."""
    if os.name != "posix":
        return await relayed(incoming, outgoing)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(incoming, "rb", buffering=0))
    transport, flow = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(outgoing, "wb", buffering=0)
    )
    return reader, asyncio.StreamWriter(transport, flow, reader, loop)
