"""Search without an answer, reranking, ids of workspaces, models on demand, embeddings in other sizes."""

import math
from pathlib import Path
from typing import Any

import pytest
from tests.support.http import Port, post, refusal
from tests.support.scripted_session import HIT, ROOT

from impetus.domain.types import SearchQuery
from impetus.errors import ModelError, NotFound
from impetus.web import token_ids
from impetus.web.models import workspaces
from impetus.web.schema import EmbeddingRequest


async def test_search() -> None:
    port = Port(role="readonly")
    await port.session.open_root(ROOT)
    body = {"query": "run", "model": "impetus/project", "top_k": 3, "paths": ["src/**"], "languages": ["python"]}
    status, got = await post(port, "/v1/rag/search", body)
    assert status == 200
    (passage,) = got["data"]
    assert (passage["path"], passage["start_line"], passage["end_line"]) == ("src/app.py", 3, 5)
    assert (passage["symbol"], passage["text"]) == ("run", HIT.text)
    assert port.session.calls == [("search", SearchQuery("run", 3, ("src/**",), ("python",), (ROOT,), 2))]


@pytest.mark.parametrize(
    ("more", "parameter"),
    [({"query": ""}, "query"), ({"top_k": 0}, "top_k"), ({"root": "/etc"}, "root"), ({"paths": [""]}, "paths")],
)
async def test_search_refuses_by_name(more: dict[str, Any], parameter: str) -> None:
    assert (await refusal(Port(), "/v1/rag/search", {"query": "x", **more}))["param"] == parameter


async def test_reindexing_is_asked_for_by_workspace() -> None:
    port = Port()
    await port.session.open_root(ROOT)
    status, got = await post(port, "/v1/rag/index", {"model": "impetus/project", "full": True})
    assert (status, got["object"]) == (202, "rag.status")
    assert port.session.calls == [("reindex", ((ROOT,), True))]
    async with port.client() as client:
        assert (await client.get("/v1/rag/status")).json() == got


async def test_rerank() -> None:
    documents = ["x" * 40, {"text": "abc"}, "abcd"]
    body = {"query": "abc", "documents": documents, "top_n": 2, "return_documents": True}
    _, got = await post(Port(role="readonly"), "/v1/rerank", body)
    assert got["data"] == got["results"]
    assert [(entry["index"], entry["document"]["text"]) for entry in got["results"]] == [(1, "abc"), (2, "abcd")]
    assert got["results"][0]["relevance_score"] == pytest.approx(1)
    assert (await refusal(Port(), "/rerank", {"query": "x", "documents": ["a", ""]}))["param"] == "documents"


def test_ids_of_workspaces() -> None:
    roots = [Path("/b/app"), Path("/a/app"), Path("/c")]
    assert workspaces(roots) == {
        "impetus/app": Path("/a/app"), "impetus/app-2": Path("/b/app"), "impetus/c": Path("/c")
    }  # fmt: skip


async def test_models_name_the_open_workspaces() -> None:
    port = Port()
    await port.session.open_root(ROOT)
    async with port.client() as client:
        ids = [entry["id"] for entry in (await client.get("/models")).json()["data"]]
        one = (await client.get("/v1/models/impetus/project")).json()
    assert ids[-1] == one["id"] == "impetus/project"
    assert (one["role"], one["context_length"]) == ("chat", 4096)


async def test_models_are_loaded_by_id() -> None:
    port = Port()
    status, got = await post(port, "/api/models/load", {"model": "impetus-complete"})
    assert (status, got["id"]) == (200, "impetus-complete")
    assert (await post(port, "/api/models/unload", {"model": "impetus-complete"}))[0] == 200
    assert port.session.models.calls == [("load", "completion"), ("unload", "completion")]
    for wrong in ("/models/x", "impetus-embed", "https://evil.example"):
        await refusal(port, "/api/models/load", {"model": wrong}, 404)
    assert (await refusal(port, "/api/models/load", {"model": "impetus", "path": "/x"}))["param"] == "path"


async def test_shorter_embeddings_have_unit_length() -> None:
    _, whole = await post(Port(), "/v1/embeddings", {"model": "impetus-embed", "input": "four"})
    _, cut = await post(Port(), "/v1/embeddings", {"model": "impetus-embed", "input": "four", "dimensions": 2})
    first, second = whole["data"][0]["embedding"][:2]
    length = math.hypot(first, second)
    assert cut["data"][0]["embedding"] == pytest.approx([first / length, second / length])


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank"])
@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [(ModelError("The embedder failed"), 500, "EMBEDDING_ERROR"), (NotFound("gone"), 404, "NOT_FOUND")],
)
async def test_failures_of_the_embedder(path: str, raised: Exception, status: int, code: str) -> None:
    port = Port()
    port.session.script.embedding_fails = raised
    body = {"model": "impetus-embed", "input": "x", "query": "x", "documents": ["y"]}
    assert (await refusal(port, path, body, status))["code"] == code


def test_token_ids_become_text_where_their_tokenizer_is_known() -> None:
    words = {1: "one ", 2: "two"}

    def decode(tokens: Any) -> str:
        return "".join(words[token] for token in tokens)

    def request(value: Any) -> EmbeddingRequest:
        return EmbeddingRequest(model="impetus-embed", input=value)

    assert request([1, 2]).texts(decode) == ["one two"]
    assert request([[1], [2]]).texts(decode) == ["one ", "two"]
    with pytest.raises(Exception, match="not token ids"):
        request([3]).texts(decode)


def test_no_tokenizer_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    token_ids.decoder.cache_clear()
    assert token_ids.decoder() is None
    token_ids.decoder.cache_clear()
