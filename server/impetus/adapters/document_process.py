"""Reads documents in a process beside this one, within limits of time and memory."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

from impetus.adapters import document_formats
from impetus.domain.documents import Passage
from impetus.errors import BadRequest, EngineStopped, IndexFailed

#: A book of a thousand pages takes about a minute.
SECONDS = 120
#: Address space of the process. macOS takes the limit and does not keep to it.
MEGABYTES = 1_500

#: All that it needs of ours; keys and settings are none of its business.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "TMPDIR")

_CHILD = "impetus.adapters.document_child"


class DocumentProcess:
    """Implements `DocumentReader`. The process starts with the first document, reads one at a time, and leaves when it
    has nothing to do.
    """

    def __init__(self, seconds: int = SECONDS, megabytes: int = MEGABYTES) -> None:
        self._seconds = seconds
        # -P: modules of the folder that we were started in must not stand in for ours.
        self._command = (sys.executable, "-P", "-B", "-m", _CHILD, str(seconds), str(megabytes))
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def media_type(self, name: str, given: str | None) -> str:
        return document_formats.media_type(name, given)

    def readable(self, name: str) -> bool:
        return document_formats.known(name) is not None

    def read(self, name: str, media_type: str, data: bytes) -> tuple[Passage, ...]:
        with self._lock:
            answer = self._ask(media_type, data)
        if "error" in answer:
            raise BadRequest(f"{name} cannot be read: {answer['error']}", parameter="content")
        return tuple(Passage(text, tuple(headings), page, cell) for text, headings, page, cell in answer["passages"])

    def close(self) -> None:
        """A document that is being read fails."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._ended()

    def _ask(self, media_type: str, data: bytes) -> dict[str, Any]:
        request = json.dumps({"media_type": media_type, "size": len(data)}).encode() + b"\n"
        while True:
            if self._closed:
                raise EngineStopped("Impetus is shutting down; start it again")
            if self._process is not None and self._process.poll() is not None:
                self._ended()  # it had nothing to do
            if self._process is None:
                self._process = self._start()
            requests, answers = _pipes(self._process)
            with suppress(BrokenPipeError):  # how it ended says more
                requests.write(request)
                requests.write(data)
                requests.flush()
            line = answers.readline()
            if line.endswith(b"\n"):
                answer: dict[str, Any] = json.loads(line)
                return answer
            code = self._ended()
            if code:
                return {"error": self._why(code)}
            # It left at this very moment because it had nothing to do.

    def _start(self) -> "subprocess.Popen[bytes]":
        kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what libraries say of a document is no business of the log
                env=kept,
            )
        except OSError as error:
            raise IndexFailed(f"The process that reads documents cannot be started: {error}; try again") from error

    def _ended(self) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        requests, answers = _pipes(process)
        answers.close()
        with suppress(BrokenPipeError):  # what it did not read
            requests.close()
        return process.wait()

    def _why(self, code: int) -> str:
        if code == -signal.SIGALRM:
            return f"reading it took longer than {self._seconds} seconds; split it"
        return "the process that reads documents failed at it; it is damaged, or takes too much memory"


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
