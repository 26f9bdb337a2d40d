"""A chat model behind the OpenAI protocol that answers by script, in a thread of the test.

Where an effort is asked for it thinks first. Asked for the weather with tools at hand it calls the first one; asked to
"make it shout" it answers with a file as aider wants it; else it says what it was asked last.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SHOUTED = "hello.py\n```\nprint('HELLO')\n```\n"


class Upstream:
    def __init__(self) -> None:
        outer = self
        self.requests: list[dict[str, Any]] = []
        self.fails: tuple[int, str] | None = None  # status and body in place of every answer
        self._hold: threading.Event | None = None
        self._closed = False

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                models = {"data": [{"id": "scripted", "max_model_len": 32768}]}
                self._begin(200, "application/json")
                self.wfile.write(json.dumps(models).encode())

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(request)
                if outer.fails is not None:
                    status, body = outer.fails
                    self._begin(status, "application/json")
                    self.wfile.write(body.encode())
                    return
                deltas, reason = answer(request)
                chunks: list[dict[str, Any]] = [_chunk(delta, None) for delta in deltas]
                usage = {"prompt_tokens": 5, "completion_tokens": len(deltas), "total_tokens": 5 + len(deltas)}
                chunks.append({**_chunk({}, reason), "usage": usage})
                self._begin(200, "text/event-stream")
                for number, chunk in enumerate(chunks):
                    if number and outer._hold is not None:
                        outer._hold.wait()
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                    self.wfile.flush()
                self.wfile.write(b"data: [DONE]\n\n")

            def _begin(self, status: int, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def hold(self) -> None:
        """Every answer stops behind its first chunk, until `let_go`."""
        self._hold = threading.Event()

    def let_go(self) -> None:
        if self._hold is not None:
            self._hold.set()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.let_go()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _chunk(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def answer(request: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Deltas, and the reason of the end."""
    last = request["messages"][-1]
    said = str(last.get("content") or "")
    if last["role"] == "tool":
        return words(f"The tool said {said}."), "stop"
    if request.get("tools") and "weather" in said:
        name = request["tools"][0]["function"]["name"]
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
        parts = [{"index": 0, "function": {"arguments": part}} for part in ('{"city"', ': "Paris"}')]
        return [{"tool_calls": [each]} for each in (call, *parts)], "tool_calls"
    if "make it shout" in said:
        return words(SHOUTED), "stop"
    thought = [{"reasoning_content": "hm"}] if request.get("reasoning_effort") else []
    return [*thought, *words(f"You asked: {said.splitlines()[-1] if said else ''}")], "stop"


def words(text: str) -> list[dict[str, Any]]:
    return [{"content": part} for part in text.replace(" ", " \0").split("\0")]
