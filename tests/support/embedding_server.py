"""An OpenAI-compatible /v1/embeddings on this machine, over any embedder, with failures by script."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from impetus.domain.ports import Embedder
from tests.support.embedder import HashEmbedder


class EmbeddingServer:
    """`script` holds (status, body) pairs that are answered before anything else, `change` edits good vectors."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self.embedder = embedder or HashEmbedder()
        self.script: list[tuple[int, Any]] = []
        self.headers: dict[str, str] = {}
        self.change: Callable[[list[list[float]]], list[list[float]]] = lambda vectors: vectors
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.keys.append(self.headers["Authorization"])
                status, answer = outer.script.pop(0) if outer.script else (200, outer._answer(body))
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        vectors = self.change([vector.tolist() for vector in self.embedder.embed(body["input"])])
        rows = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        return {"object": "list", "data": rows[::-1], "model": body["model"]}

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
