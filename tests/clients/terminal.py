"""A terminal without a display: a program on a pseudo-terminal, its screen, and keys typed into it."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

PATIENCE_S = float(os.environ.get("IMPETUS_TEST_PATIENCE", "60"))

#: The first terminal that a session's leader opens becomes its own.
_ON_TTY = 'tty=$1; shift; exec "$@" <>"$tty" >&0 2>&1'

#: Sequences that pyte 0.8 prints instead of ignoring: private CSI (`>`, `<`, `=`, `$`), DCS, APC.
_UNKNOWN = re.compile(rb"\x1b\[[<>=][0-9;:]*[A-Za-z]|\x1b\[\??[0-9;]*\$[a-z]|\x1b[P_^].*?(?:\x1b\\|\x07)", re.DOTALL)

#: `4:3` (curly underline) and `38:2:…` are subparameters, which pyte does not know either.
_COLON = re.compile(rb"\x1b\[([0-9;:]*):([0-9;:]*)m")

#: The start of a sequence that the next bytes will end.
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-9;:?<>=$]*|[P_^\]][^\x07\x1b]*)?$")


class Screen(pyte.Screen):
    """Answers what programs ask of a terminal."""

    def __init__(self, columns: int, rows: int, answer: Callable[[bytes], None]) -> None:
        self._answer = answer
        super().__init__(columns, rows)

    def report_device_status(self, mode: int, **_private: object) -> None:
        """pyte knows the public form only."""
        super().report_device_status(mode)

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())


class Terminal:
    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], cwd: Path, *, columns: int = 120, rows: int = 34
    ) -> None:
        leader, follower = os.openpty()
        self.screen = Screen(columns, rows, self._write)
        self._stream = pyte.ByteStream(self.screen)
        self._rest = b""
        self._fd = leader
        size = {"LINES": str(rows), "COLUMNS": str(columns)}
        _resize(follower, columns, rows)
        self.process = subprocess.Popen(
            ["sh", "-c", _ON_TTY, "sh", os.ttyname(follower), *command],
            cwd=cwd,
            env={**env, **size, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(follower)

    # -- looking -----------------------------------------------------------------------------------------------------

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def pump(self, seconds: float = 0.05) -> bool:
        """Read what the program has written, waiting so long for the first byte; whether there was any."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # the program has ended
            return False
        self._feed(data)
        return bool(data)

    def until(self, condition: str | Callable[[], object], patience: float = PATIENCE_S) -> None:
        """Wait until the screen shows a text or a condition holds."""
        holds = (lambda: condition in self.text()) if isinstance(condition, str) else condition
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                wanted = condition if isinstance(condition, str) else "the condition"
                raise AssertionError(f"waited {patience:.0f} s for {wanted!r}; the screen:\n{self.text()}")
            self.pump()

    def settle(self, quiet: float = 0.3) -> None:
        """Until the program has written nothing for a while; for pictures."""
        while self.pump(quiet):
            pass

    # -- doing -------------------------------------------------------------------------------------------------------

    def press(self, keys: str) -> None:
        self._write(keys.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
        os.close(self._fd)

    def _write(self, data: bytes) -> None:
        os.write(self._fd, data)

    def _feed(self, data: bytes) -> None:
        data = self._rest + data
        unfinished = _UNFINISHED.search(data)
        self._rest = data[unfinished.start() :] if unfinished else b""
        data = data[: unfinished.start()] if unfinished else data
        self._stream.feed(_COLON.sub(_plain_sgr, _UNKNOWN.sub(b"", data)))


def _plain_sgr(match: re.Match[bytes]) -> bytes:
    """Underline styles become a plain underline; anything else with subparameters goes."""
    kept = []
    for part in match[0][2:-1].split(b";"):
        if b":" not in part:
            kept.append(part)
        elif part.startswith(b"4:") and part != b"4:0":
            kept.append(b"4")
    return b"\x1b[" + b";".join(kept) + b"m" if kept else b""


def _resize(fd: int, columns: int, rows: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
