"""The worker process: a thread that reads the socket, and the loop on the main thread, where the models live.

The reading thread never waits for a model: it answers the heartbeat, and when the engine is gone it ends the process at
once, whatever the models are computing.
"""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from impetus.domain.ports import Embedder, TextModel
from impetus.worker import messages
from impetus.worker.frames import Channel, end_with_parent
from impetus.worker.loop import Loop
from impetus.worker.messages import Ping, Pong, ToWorker
from impetus.worker.residency import Machine

log = logging.getLogger(__name__)


def run(
    fd: int,
    load: Callable[[Path], TextModel],
    embedder: Callable[[str], Embedder],
    machine: Machine,
    teardown: Callable[[], None] = lambda: None,
) -> None:
    """Serve the engine behind the socket `fd`. `teardown` is the last thing done on the model thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the engine's to handle
    end_with_parent()
    channel: Channel[ToWorker] = Channel(socket.socket(fileno=fd), messages.for_worker)
    channel.send(Pong("", 0.0))  # we are up
    loop = Loop(load, embedder, machine, channel.send)
    threading.Thread(target=_listen, args=(channel, loop), name="impetus-reader", daemon=True).start()
    try:
        loop.run()
    except ConnectionError:
        return  # the engine is gone; the reading thread has seen it as well
    teardown()


def _listen(channel: Channel[ToWorker], loop: Loop) -> None:
    code = 1
    try:
        for message in channel:
            if isinstance(message, Ping):
                channel.send(Pong(*loop.progress()))
            else:
                loop.inbox.put(message)
        code = 0
    except Exception:
        log.exception("the engine cannot be understood any more")
    finally:
        os._exit(code)  # no clean end: nobody waits for what is computed, and native code cannot be asked to stop
