"""A stand-in for the Hugging Face Hub on loopback: listings and files with ranges, as its library asks for them, and
failures by script.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
#: From this size on a file has a SHA-256, as those in large-file storage have.
LARGE = 10_000


class HubServer:
    """`repos` holds path → bytes of each repository. `cuts` holds, for a path, how many bytes of each next answer are
    sent before the connection ends; `lies` what is sent in place of a file's bytes. `gated` files wait for `gate`
    before their first byte, and those in `halves` in the middle.
    """

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, bytes]] = {}
        self.cuts: dict[str, list[int]] = {}
        self.lies: dict[str, bytes] = {}
        self.gated: set[str] = set()
        self.halves: set[str] = set()
        self.gate = threading.Event()
        self.began = threading.Event()  # a file waits for the gate
        self.requests: list[tuple[str, str, str]] = []  # method, path, range
        self.status = 0  # answers everything with it
        self.code = ""  # of the Hub's errors, as in its header
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._answer(self)

            def do_HEAD(self) -> None:
                outer._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self.gate.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def ranges(self, path: str) -> list[str]:
        """Of the requests for one file, in order."""
        return [asked for method, what, asked in self.requests if method == "GET" and what.endswith(path)]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(handler.path).path)
        self.requests.append((handler.command, path, handler.headers.get("Range", "")))
        if self.status:
            return _send(handler, self.status, b"{}", {"X-Error-Code": self.code})
        if path.startswith("/api/models/"):
            repo = path.removeprefix("/api/models/").partition("/revision/")[0]
            return self._listing(handler, repo)
        repo, _, rest = path.lstrip("/").partition("/resolve/")
        name = rest.partition("/")[2]
        data = self.repos.get(repo, {}).get(name)
        if data is None:
            return _send(handler, 404, b"", {"X-Error-Code": "EntryNotFound"})
        return self._file(handler, name, data)

    def _listing(self, handler: BaseHTTPRequestHandler, repo: str) -> None:
        if repo not in self.repos:
            return _send(handler, 404, b"{}", {"X-Error-Code": "RepoNotFound"})
        siblings = []
        for name, data in self.repos[repo].items():
            sibling: dict[str, Any] = {"rfilename": name, "size": len(data)}
            sibling["blobId"] = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
            if len(data) >= LARGE:
                sha256 = hashlib.sha256(data).hexdigest()
                sibling["lfs"] = {"size": len(data), "sha256": sha256, "pointerSize": 130}
            siblings.append(sibling)
        body = {"id": repo, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "mit"}}
        return _send(handler, 200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _file(self, handler: BaseHTTPRequestHandler, name: str, data: bytes) -> None:
        if name in self.gated:
            self.began.set()
            self.gate.wait(30)
        data = self.lies.get(name, data)
        begin = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"X-Repo-Commit": COMMIT, "ETag": '"x"'}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        if name in self.halves:
            half = data[begin : (begin + len(data)) // 2]
            _send(handler, 206 if begin else 200, data[begin:], headers, len(half))
            self.began.set()
            self.gate.wait(30)
            return
        cut = self.cuts[name].pop(0) if self.cuts.get(name) else None
        _send(handler, 206 if begin else 200, data[begin:], headers, cut)


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str], cut: int | None = None
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        if value:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body if cut is None else body[:cut])
    if cut is not None:
        handler.close_connection = True
