"""What is done for Windows and can be run elsewhere."""

import asyncio
import os
import subprocess
import sys
import threading

import pytest
from tests.support.lsp_process import SERVER

from impetus.cli import shared
from impetus.errors import BadRequest
from impetus.lsp.relay import relayed

#: Every command, in a Python that lacks what Windows lacks.
COMMANDS = """
import importlib, pkgutil, socket, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
del socket.AF_UNIX, sys.modules["_socket"].AF_UNIX
import impetus.cli
for module in pkgutil.iter_modules(impetus.cli.__path__):
    importlib.import_module(f"impetus.cli.{module.name}")
"""


def test_the_commands_need_nothing_that_windows_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS], env={**os.environ, "PYTHONPATH": str(SERVER)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_what_stands_on_a_shared_engine_is_refused_in_words() -> None:
    shared.need()
    with pytest.raises(BadRequest, match="`impetus lsp --standalone`"):
        shared.need("nt")


async def threads_are_gone() -> None:
    for thread in threading.enumerate():
        if thread.name in ("impetus-stdin", "impetus-stdout"):
            await asyncio.to_thread(thread.join)


async def test_pipes_are_brought_to_an_event_loop_that_takes_none() -> None:
    (incoming, editor_writes), (editor_reads, outgoing) = os.pipe(), os.pipe()
    reader, writer = await relayed(incoming, outgoing)
    sent = os.urandom(1_000_000)

    def edit() -> bytes:
        with os.fdopen(editor_writes, "wb") as pipe:
            pipe.write(b"hello\r\n" + sent)
        with os.fdopen(editor_reads, "rb") as pipe:
            return pipe.read()

    editing = asyncio.create_task(asyncio.to_thread(edit))
    assert await reader.readline() == b"hello\r\n"
    assert await reader.read(-1) == sent
    writer.write(sent + b"bye\n")
    writer.close()
    assert await editing == sent + b"bye\n"
    await threads_are_gone()


async def test_the_stream_ends_when_nobody_reads() -> None:
    (incoming, editor_writes), (editor_reads, outgoing) = os.pipe(), os.pipe()
    reader, writer = await relayed(incoming, outgoing)
    os.close(editor_reads)
    writer.write(b"who reads this?")
    assert await reader.read() == b""
    os.close(editor_writes)
    writer.close()
    await threads_are_gone()
