"""How messages travel between the engine and its child processes: msgpack behind a length of four bytes, big-endian."""

import ctypes
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

_LENGTH = struct.Struct(">I")
HEAD_BYTES = _LENGTH.size

_PR_SET_PDEATHSIG = 1

_encoder = msgspec.msgpack.Encoder()


def encode(*messages: msgspec.Struct) -> bytes:
    """The frames of these messages, one after the other."""
    frames = bytearray()
    for message in messages:
        body = _encoder.encode(message)
        frames += _LENGTH.pack(len(body)) + body
    return bytes(frames)


def length(head: bytes) -> int:
    """Bytes of the message that follows these first `HEAD_BYTES`."""
    return int(_LENGTH.unpack(head)[0])


class Channel(Generic[T]):
    """One end of a socket pair, for code that blocks. Messages that several threads send do not mix."""

    def __init__(self, end: socket.socket, decode: Callable[[bytes], T]) -> None:
        self._socket = end
        self._decode = decode
        self._sending = threading.Lock()

    def send(self, *messages: msgspec.Struct) -> None:
        """Raises ConnectionError when the other end is gone."""
        frames = encode(*messages)
        with self._sending:
            self._socket.sendall(frames)

    def waits(self, seconds: float) -> bool:
        """Whether a message, or the end, is there within so many seconds."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def receive(self) -> T | None:
        """The next message; None when the other end is gone. Raises msgspec.DecodeError."""
        head = self._read(HEAD_BYTES)
        body = self._read(length(head)) if head is not None else None
        return self._decode(body) if body is not None else None

    def __iter__(self) -> Iterator[T]:
        while (message := self.receive()) is not None:
            yield message

    def close(self) -> None:
        self._socket.close()

    def _read(self, count: int) -> bytes | None:
        # Nothing is read ahead, so that `waits` sees every message that is there.
        data = bytearray()
        try:
            while len(data) < count:
                part = self._socket.recv(min(count - len(data), 1 << 20))
                if not part:
                    return None
                data += part
        except ConnectionError:
            return None
        return bytes(data)


def end_with_parent() -> None:
    """Where Linux can see to it: native code that holds the interpreter keeps any thread of ours from noticing."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
