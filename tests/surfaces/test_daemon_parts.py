"""Small parts of the engine's life that need no process of their own."""

import asyncio
import logging
import os
import platform
import resource
import socket
import threading
import weakref
from pathlib import Path

import pytest

from impetus.config import LogSettings
from impetus.daemon import address, descriptors
from impetus.daemon.greeting import environment_received
from impetus.daemon.idle import Idle
from impetus.daemon.lock import EngineLock, holder
from impetus.daemon.log import EngineLog
from impetus.daemon.pump import pump
from impetus.daemon.state import resident
from impetus.daemon.tidy import Tidy
from impetus.errors import BadRequest


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_idle_counts_from_the_last_use() -> None:
    idle = Idle(minutes=2, now=1000.0)
    assert idle.interval_s == 12
    assert not idle.over(1100.0, used=True)
    assert not idle.over(1219.0, used=False)
    assert idle.over(1220.0, used=False)


async def test_what_work_left_is_given_back() -> None:
    loop = asyncio.get_running_loop()
    cycle = Cycle()
    collected = loop.create_future()
    weakref.finalize(cycle, collected.set_result, None)
    del cycle
    # Of 80 MB every thousandth 2 kB stay, so nothing is free at the end of the heap.
    pinned = [block for number, block in enumerate([bytes(2_000) for _ in range(40_000)]) if number % 1_000 == 0]
    before = resident(os.getpid())
    Tidy(after_s=0).after_window()
    await collected
    await loop.shutdown_default_executor()
    assert len(pinned) == 40
    if platform.libc_ver()[0] == "glibc":
        assert before - resident(os.getpid()) > 40_000_000


def test_one_engine_holds_the_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    assert holder(path) is None
    held = EngineLock(path, 0)
    assert holder(path) == os.getpid()
    with pytest.raises(BadRequest, match=f"runs already \\(process {os.getpid()}\\)"):
        EngineLock(path, 0)
    held.release()
    assert holder(path) is None


def test_the_limit_of_open_files_is_raised() -> None:
    """A Mac gives 256 to what is started from its desktop."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        descriptors.raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (4096 if hard < 0 else min(hard, 4096), hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_settings_in_the_environment_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment_received(b"IMPETUS_A=1=2\0IMPETUS_B=\0") == {"IMPETUS_A": "1=2", "IMPETUS_B": ""}


def test_a_log_is_put_aside_and_standard_error_follows(tmp_path: Path) -> None:
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    log = EngineLog(tmp_path / "engine.log", maxBytes=1000, backupCount=2, encoding="utf-8")
    try:
        for number in range(400):
            log.emit(logging.LogRecord("impetus", logging.WARNING, "", 0, "message %d", (number,), None))
        os.write(2, b"from a library\n")
    finally:
        for descriptor, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)
        log.close()
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["engine.log", "engine.log.1", "engine.log.2"]
    assert "from a library" in (tmp_path / "engine.log").read_text()
    assert all(file.stat().st_size < 1100 for file in tmp_path.iterdir())
    assert LogSettings().max_size > 0


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    assert address.last_lines(str(log)) == []
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert address.last_lines(str(log), 2) == ["line 9998", "line 9999"]


class Pumped:
    """A pump on a thread, with both its sides in our hands."""

    def __init__(self) -> None:
        self.engine, inner = socket.socketpair()
        inner.setblocking(False)
        read_in, self.write_in = os.pipe()
        self.read_out, write_out = os.pipe()
        self.result: list[bool] = []

        def run() -> None:
            self.result.append(pump(inner, read_in, write_out))
            inner.close()
            os.close(read_in)
            os.close(write_out)

        self.thread = threading.Thread(target=run)
        self.thread.start()


def test_the_pump_passes_everything_on_both_ways() -> None:
    pumped = Pumped()
    sent = os.urandom(3_000_000)
    threading.Thread(target=lambda: (os.write(pumped.write_in, b"up"), pumped.engine.sendall(sent))).start()
    with os.fdopen(pumped.read_out, "rb") as out:
        assert out.read(len(sent)) == sent
        assert pumped.engine.recv(10) == b"up"
        os.close(pumped.write_in)
        assert pumped.engine.recv(10) == b""  # the end of the editor's input
        pumped.engine.sendall(b"last words")
        pumped.engine.close()
        assert out.read() == b"last words"
    pumped.thread.join(10)
    assert pumped.result == [True]


def test_the_pump_ends_when_the_editor_is_gone() -> None:
    pumped = Pumped()
    os.close(pumped.read_out)
    pumped.engine.sendall(b"who reads this?")
    pumped.thread.join(10)
    assert pumped.result == [False]
    os.close(pumped.write_in)
    pumped.engine.close()


def test_the_pump_sees_the_end_of_the_engine_though_nobody_reads() -> None:
    pumped = Pumped()
    pumped.engine.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            pumped.engine.send(b"x" * 65536)
    pumped.engine.close()
    pumped.thread.join(10)
    assert pumped.result == [True]
    os.close(pumped.write_in)
    os.close(pumped.read_out)
