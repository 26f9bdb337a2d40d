"""The remote embedder against a real HTTP server on this machine."""

from collections.abc import Iterator

import numpy as np
import pytest
from tests.support.embedder import HashEmbedder
from tests.support.embedding_server import EmbeddingServer

from impetus.adapters.remote_embedder import BATCH, PAUSES, RemoteEmbedder
from impetus.errors import ModelError


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    made = EmbeddingServer()
    yield made
    made.close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def embedder(server: EmbeddingServer, pauses: list[float]) -> Iterator[RemoteEmbedder]:
    made = RemoteEmbedder(server.url, "nomic-embed-text", "secret", wait=lambda s: bool(pauses.append(s)))
    yield made
    made.close()


def test_sends_model_key_and_prefixes_in_batches_and_keeps_order(
    server: EmbeddingServer, embedder: RemoteEmbedder
) -> None:
    texts = [f"text {number}" for number in range(BATCH + 3)]
    vectors = embedder.embed(texts)
    assert [len(request["input"]) for request in server.requests] == [BATCH, 3]
    assert server.requests[0]["model"] == "nomic-embed-text"
    assert server.requests[1]["input"][0] == f"search_document: text {BATCH}"
    assert set(server.keys) == {"Bearer secret"}
    assert np.allclose(vectors, HashEmbedder().embed([f"search_document: {text}" for text in texts]), atol=1e-6)
    embedder.embed_query("why")
    assert server.requests[-1]["input"] == ["search_query: why"]


def test_vectors_that_are_not_of_unit_length_are_scaled(server: EmbeddingServer, embedder: RemoteEmbedder) -> None:
    server.change = lambda vectors: [[7 * number for number in vector] for vector in vectors]
    assert np.linalg.norm(embedder.embed(["one", "two"]), axis=1) == pytest.approx([1, 1], abs=1e-6)


def test_a_busy_server_is_asked_again(server: EmbeddingServer, embedder: RemoteEmbedder, pauses: list[float]) -> None:
    server.script = [(429, {"error": {"message": "slow down"}}), (503, b"loading")]
    assert len(embedder.embed(["text"])) == 1
    assert pauses == list(PAUSES[:2])


def test_the_server_says_how_long_to_wait(
    server: EmbeddingServer, embedder: RemoteEmbedder, pauses: list[float]
) -> None:
    server.headers = {"Retry-After": "7"}
    server.script = [(429, {})]
    embedder.embed(["text"])
    assert pauses == [7.0]


def test_gives_up_after_some_tries_and_a_query_at_once(
    server: EmbeddingServer, embedder: RemoteEmbedder, pauses: list[float]
) -> None:
    server.script = [(503, {"error": "loading"})] * (len(PAUSES) + 1)
    with pytest.raises(ModelError, match="loading"):
        embedder.embed(["text"])
    pauses.clear()
    server.script = [(503, {"error": "loading"})]
    with pytest.raises(ModelError, match="loading"):
        embedder.embed_query("text")
    assert pauses == []


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, r"embedding\.api_key_env"), (404, r"embedding\.base_url and"), (400, r"embedding\.model"), (501, "log")],
)
def test_a_refusal_says_what_to_do(server: EmbeddingServer, embedder: RemoteEmbedder, status: int, advice: str) -> None:
    server.script = [(status, {"error": {"message": "because"}})]
    with pytest.raises(ModelError, match=rf"\({status}\): because; .*{advice}"):
        embedder.embed(["text"])


def test_a_server_that_is_not_there_is_named() -> None:
    gone = EmbeddingServer()
    gone.close()
    embedder = RemoteEmbedder(gone.url, "m")
    with pytest.raises(ModelError, match=rf"{gone.url} cannot be used: .*; start it"):
        embedder.embed(["text"])
    embedder.close()


@pytest.mark.parametrize("bad", [float("nan"), 0.0])
def test_bad_vectors_never_leave(server: EmbeddingServer, embedder: RemoteEmbedder, bad: float) -> None:
    server.change = lambda vectors: [vectors[0], [bad] * len(vectors[1])]
    with pytest.raises(ModelError, match="zero or not finite"):
        embedder.embed(["one", "two"])


def test_too_few_vectors_and_other_lengths_are_refused(server: EmbeddingServer, embedder: RemoteEmbedder) -> None:
    server.change = lambda vectors: vectors[:1]
    with pytest.raises(ModelError, match="1 vectors for 2 texts"):
        embedder.embed(["one", "two"])
    server.change = lambda vectors: vectors
    embedder.embed(["one"])
    server.change = lambda vectors: [vector[:32] for vector in vectors]
    with pytest.raises(ModelError, match="32 numbers instead of 64"):
        embedder.embed(["one"])


def test_shorter_vectors_are_asked_for_and_are_another_space(server: EmbeddingServer) -> None:
    short = RemoteEmbedder(server.url, "m", dimensions=32)
    server.change = lambda vectors: [vector[:32] for vector in vectors]
    assert short.embed(["some words of a text"]).shape == (1, 32)
    assert server.requests[0]["dimensions"] == 32
    whole = RemoteEmbedder(server.url, "m")
    assert short.id != whole.id
    short.close()
    whole.close()


def test_something_else_at_the_address_is_recognized(server: EmbeddingServer, embedder: RemoteEmbedder) -> None:
    server.script = [(200, b"<html>hello</html>")]
    with pytest.raises(ModelError, match=r"usually ends in /v1"):
        embedder.embed(["text"])
