"""Requests to Neovim over its socket, in MessagePack-RPC (`:help rpc`). No notifications: nothing is subscribed to."""

import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack

from tests.clients.terminal import PATIENCE_S


class Rpc:
    def __init__(self, path: Path) -> None:
        self._socket = _connected(path)
        self._unpacker = msgpack.Unpacker(ext_hook=lambda _code, data: msgpack.unpackb(data), strict_map_key=False)
        self._count = 0

    def notify(self, method: str, *arguments: Any) -> None:
        self._socket.sendall(msgpack.packb([2, method, arguments]))

    def request(self, method: str, *arguments: Any, meanwhile: Callable[[], object]) -> Any:
        """`meanwhile` is called again and again: an editor that waits for its terminal does not answer."""
        self._count += 1
        self._socket.sendall(msgpack.packb([0, self._count, method, arguments]))
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for _kind, number, error, result in self._unpacker:
                if number == self._count:
                    if error is not None:
                        raise RuntimeError(error[1])
                    return result
            if select.select([self._socket], [], [], 0.01)[0]:
                data = self._socket.recv(1 << 16)
                if not data:
                    raise ConnectionError("Neovim has ended")
                self._unpacker.feed(data)
            meanwhile()
        raise TimeoutError(f"Neovim does not answer {method}; it may be waiting for a key")

    def close(self) -> None:
        self._socket.close()


def _connected(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(str(path))
    except OSError:
        made.close()
        raise
    return made


def listens(path: Path) -> bool:
    try:
        _connected(path).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True
