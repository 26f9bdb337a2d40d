"""A language server that answers everything wrongly, for the negative control: with it the suites have to fail."""

import json
import sys
from typing import Any

SOURCE = {
    "number": 1,
    "passage": {
        "uri": "file:///nowhere/wrong.txt",
        "path": "wrong.txt",
        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
        "score": 1.0,
        "text": "",
        "language": "text",
        "symbol": "wrong",
        "kind": "text",
    },
}
STATUS: dict[str, Any] = {"health": "ok", "message": "Wrong", "models": [], "problems": []}
ANSWER = {
    "sources": [SOURCE],
    "cited": [1],
    "unverified": [],
    "model": "wrong",
    "finishReason": "stop",
    "usage": {"promptTokens": 0, "completionTokens": 0, "cachedTokens": 0},
    "text": "Wrong [1].",
}
CAPABILITIES = {"textDocumentSync": 1, "inlineCompletionProvider": {}, "codeActionProvider": True}


def send(message: dict[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    sys.stdout.buffer.flush()


def result_of(method: str) -> Any:
    return {
        "initialize": {"capabilities": CAPABILITIES},
        "impetus/ask": ANSWER,
        "impetus/explain": ANSWER,
        "impetus/search": {"hits": [SOURCE["passage"]]},
        "textDocument/inlineCompletion": {"items": [{"insertText": "wrong"}]},
        "textDocument/codeAction": [],
    }.get(method)


def main() -> None:
    stream = sys.stdin.buffer
    while header := stream.readline():
        length = int(header.split(b":")[1])
        stream.readline()
        message = json.loads(stream.read(length))
        method = message.get("method")
        if method == "exit":
            return
        if method == "initialized":
            ready = {"phase": "ready", "root": "file:///nowhere", "done": 0, "total": 0, "rate": 0}
            index = {**ready, "files": 0, "chunks": 0, "failed": 0, "problems": []}
            send({"method": "impetus/statusChanged", "params": {**STATUS, "indexes": [index]}})
        if "id" in message and method:
            token = (message.get("params") or {}).get("partialResultToken")
            if token and method in ("impetus/ask", "impetus/explain"):
                part = {"kind": "delta", "text": ANSWER["text"]}
                send({"method": "$/progress", "params": {"token": token, "value": part}})
            send({"id": message["id"], "result": result_of(method)})


if __name__ == "__main__":
    main()
