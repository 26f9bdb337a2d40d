"""Pipes for an event loop that takes none, as that of Windows: two threads pass the bytes on to a socket."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from typing import Final

_PIECE: Final = 1 << 16


async def relayed(incoming: int, outgoing: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The thread that writes outlives the stream by what is still to be written."""
    ours, theirs = socket.socketpair()
    source, target = os.fdopen(incoming, "rb", buffering=0), os.fdopen(outgoing, "wb", buffering=0)

    def bring() -> None:
        with source:
            _copy(source.read, theirs.sendall)
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_WR)

    def take() -> None:
        def write(piece: bytes) -> None:
            while piece:
                piece = piece[target.write(piece) :]

        with target:
            _copy(theirs.recv, write)
        with theirs, contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=bring, name="impetus-stdin", daemon=True).start()  # nothing ends a read but its pipe
    threading.Thread(target=take, name="impetus-stdout").start()
    return await asyncio.open_connection(sock=ours)


def _copy(read: Callable[[int], bytes | None], write: Callable[[bytes], object]) -> None:
    with contextlib.suppress(OSError):
        while piece := read(_PIECE):
            write(piece)
