"""The worker process by itself, at the other end of a socket."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.worker import COMMAND

from impetus.worker import frames, messages
from impetus.worker.messages import Done, Load, Ping, Pong, Stop, ToEngine


@contextmanager
def worker() -> "Iterator[tuple[socket.socket, subprocess.Popen[str]]]":
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(
                [*COMMAND, "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        try:
            assert isinstance(receive(ours), Pong)  # it is up
            yield ours, process
        finally:
            process.kill()
            process.communicate()


def receive(end: socket.socket) -> ToEngine:
    head = end.recv(frames.HEAD_BYTES, socket.MSG_WAITALL)
    return messages.for_engine(end.recv(frames.length(head), socket.MSG_WAITALL))


def test_it_answers_and_ends_when_asked_to() -> None:
    with worker() as (end, process):
        end.sendall(frames.encode(Ping()))
        assert receive(end) == Pong("", 0.0)
        end.sendall(frames.encode(Load(7, "/models/a")))
        while not isinstance(answer := receive(end), Done):
            pass
        assert answer == Done(7)
        end.sendall(frames.encode(Stop()))
        assert process.wait(timeout=10) == 0


def test_it_ends_when_the_other_end_is_gone() -> None:
    with worker() as (end, process):
        end.close()
        assert process.wait(timeout=10) == 0


def test_it_ends_loudly_when_it_understands_nothing() -> None:
    with worker() as (end, process):
        end.sendall(b"\0\0\0\4junk")
        _, log = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "cannot be understood" in log
