"""Bytes between an editor's pipes and the engine's socket, both ways at once.

Each direction reads only when what it read before is written, so a side that stops reading stops the other from
writing, and nothing piles up here. One thread: neither direction can hold up the other, and the end of the engine is
seen even while the editor reads nothing.
"""

import os
import select
from _socket import SHUT_WR, socket

#: A pipe that polls as writable takes this much without blocking. The editor's pipes are never made non-blocking,
#: because others may share them.
_PIECE = select.PIPE_BUF
_CHUNK = 65536

#: An editor that reads nothing for so long does not get the last words of an engine that is gone.
_LAST_WORDS_MS = 2000

_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


def pump(engine: socket, incoming: int = 0, outgoing: int = 1) -> bool:
    """Until the engine closes the connection (True) or the editor stops listening (False).

    `engine` must not block. The end of the editor's input is passed on, and the engine's last words are waited for.
    """
    wire = engine.fileno()
    up, down = b"", b""  # on the way to the engine, to the editor
    reading, gone = True, False
    while True:
        poll = select.poll()
        if gone:
            down = down or _receive(engine)
            if not down:
                return True
        else:
            poll.register(wire, (0 if down else select.POLLIN) | (select.POLLOUT if up else 0))
            if reading and not up:
                poll.register(incoming, select.POLLIN)
        if down:
            poll.register(outgoing, select.POLLOUT)
        events = dict(poll.poll(_LAST_WORDS_MS if gone else None))
        if gone and not events:
            return True
        if events.get(outgoing):
            try:
                down = down[os.write(outgoing, down[:_PIECE]) :]
            except OSError:
                return False
        state = events.get(wire, 0)
        if not down and state & select.POLLIN:
            down = _receive(engine)
            gone = not down
        if state & _GONE:
            gone = True
        elif state & select.POLLOUT:
            try:
                up = up[engine.send(up) :]
            except BlockingIOError:
                pass
            except OSError:
                gone = True
        if events.get(incoming):
            up = os.read(incoming, _CHUNK)
            if not up:
                reading = False
                _end_of_input(engine)


def _receive(engine: socket) -> bytes:
    try:
        return engine.recv(_CHUNK)
    except OSError:
        return b""


def _end_of_input(engine: socket) -> None:
    try:
        engine.shutdown(SHUT_WR)
    except OSError:
        pass  # it is gone already, which the next poll tells
