"""Answers every request of Impetus in the right form with the wrong content: no sources, no hits, another's text."""

from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

server = LanguageServer("Impetus", "0.1.0")

INDEX = {"root": "file:///elsewhere", "phase": "ready", "done": 0, "total": 0, "rate": 0, "files": 0, "chunks": 0}
MODEL = {"role": "chat", "id": "", "state": "none", "detail": ""}
STATUS = {
    "health": "ok",
    "message": "Ready: 0 files indexed",
    "indexes": [INDEX | {"failed": 0, "problems": []}],
    "models": [MODEL],
    "problems": [],
}
ANSWER = {
    "text": "I do not know [1].",
    "sources": [],
    "cited": [],
    "unverified": [1],
    "model": "extractive",
    "finishReason": "stop",
    "usage": {"promptTokens": 0, "completionTokens": 0, "cachedTokens": 0},
}


@server.feature(lsp.INITIALIZED)
def initialized(ls: LanguageServer, _params: lsp.InitializedParams) -> None:
    ls.protocol.notify("impetus/statusChanged", STATUS)


@server.feature("impetus/ask")
@server.feature("impetus/explain")
def answer(_ls: LanguageServer, _params: Any) -> Any:
    return ANSWER


@server.feature("impetus/search")
def search(_ls: LanguageServer, _params: Any) -> Any:
    return {"hits": []}


@server.feature("impetus/status")
def status(_ls: LanguageServer, _params: Any) -> Any:
    return STATUS


@server.feature(lsp.TEXT_DOCUMENT_INLINE_COMPLETION, lsp.InlineCompletionOptions())
def complete(_ls: LanguageServer, _params: lsp.InlineCompletionParams) -> lsp.InlineCompletionList:
    return lsp.InlineCompletionList(items=[])


if __name__ == "__main__":
    server.start_io()
