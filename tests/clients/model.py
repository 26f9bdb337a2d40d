"""Models of the tests' own behind the OpenAI protocol: they say what the test wants, when the test wants it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeVar

from tests.clients.terminal import PATIENCE_S


class ChatModel:
    """Writes the first of `words`, the others once `go_on` is set. `left` is set when the reader has gone too early."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.go_on = threading.Event()
        self.left = threading.Event()
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        try:
            for number, word in enumerate(self.words):
                if number == 1:
                    self._wait(handler)
                _send(handler, {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
            _send(handler, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            handler.wfile.write(b"data: [DONE]\n\n")
        except ConnectionError:
            self.left.set()

    def _wait(self, handler: BaseHTTPRequestHandler) -> None:
        """For the test's word, or for the end of the connection."""
        handler.connection.settimeout(0.02)
        for _ in range(int(PATIENCE_S / 0.02)):
            if self.go_on.is_set():
                return
            try:
                if handler.connection.recv(1) == b"":
                    raise ConnectionResetError
            except TimeoutError:
                continue


class Completer:
    """Goes on with whichever of `lines` the text before the cursor ends in the beginning of."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        prompt = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))["prompt"]
        begun = prompt.split("\n")[-1]
        text = next((line[len(begun) :] for line in self.lines if line.startswith(begun)), "")
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        _send(handler, {"choices": [{"index": 0, "text": text, "finish_reason": "stop"}]})
        handler.wfile.write(b"data: [DONE]\n\n")


def _send(handler: BaseHTTPRequestHandler, chunk: dict[str, Any]) -> None:
    handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
    handler.wfile.flush()


class Model(Protocol):
    url: str

    def answer(self, handler: BaseHTTPRequestHandler) -> None: ...


M = TypeVar("M", bound=Model)


@contextmanager
def running(model: M) -> Iterator[M]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
