"""One suite for every `Embedder`: the fake, the static one, encoders computed here, and one behind HTTP."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support import coreml
from tests.support.embedder import HashEmbedder
from tests.support.embedding_server import EmbeddingServer
from tests.support.minilm import minilm_folder
from tests.support.tiny_encoder import write_encoder

from impetus.adapters import coreml_embedder, mlx_encoder
from impetus.adapters.local_embedder import LocalEmbedder
from impetus.adapters.remote_embedder import RemoteEmbedder
from impetus.adapters.static_embedder import StaticEmbedder
from impetus.domain.ports import Embedder

TEXTS = [
    "def parse_url(text):\n    return urlsplit(text)",
    "read a file",
    "x",
    "ls = [f(i) for i in range(10)]\n" * 60,
    "int main(void) { return 0; }",
]


@pytest.fixture(scope="module")
def coreml_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package is built by the first test that needs it."""
    return tmp_path_factory.mktemp("coreml")


@pytest.fixture(params=["fake", "static", "bert", "nomic_bert", "cls", "minilm", "mlx", "coreml", "remote"])
def embedder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedder]:
    match request.param:
        case "fake":
            yield HashEmbedder()
        case "static":
            yield StaticEmbedder()
        case "minilm":
            yield LocalEmbedder(minilm_folder())
        case "cls":
            yield LocalEmbedder(write_encoder(tmp_path, pooling="cls"))
        case "mlx":
            yield LocalEmbedder(write_encoder(tmp_path, "nomic_bert"), mlx_encoder.backend)
        case "coreml":
            cache = request.getfixturevalue("coreml_cache")
            folder = write_encoder(tmp_path, "nomic_bert")
            yield LocalEmbedder(folder, coreml_embedder.backend(cache, buckets=(64,), load=coreml.load))
        case "remote":
            server = EmbeddingServer(LocalEmbedder(write_encoder(tmp_path)))
            remote = RemoteEmbedder(server.url, "m")
            yield remote
            remote.close()
            server.close()
        case kind:
            yield LocalEmbedder(write_encoder(tmp_path, kind))


def test_rows_are_unit_vectors_of_the_said_size(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_a_text_has_one_vector_whatever_it_stands_beside(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    assert (together * alone).sum(axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    assert (together * embedder.embed(TEXTS[::-1])[::-1]).sum(axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_different_texts_have_different_vectors(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    cosines = vectors @ vectors.T
    assert (cosines[~np.eye(len(TEXTS), dtype=bool)] < 0.9999).all()


def test_a_query_lies_in_the_same_space(embedder: Embedder) -> None:
    vector = embedder.embed_query(TEXTS[1])
    assert vector.shape == (embedder.dimensions,)
    assert float(vector @ embedder.embed([TEXTS[1]])[0]) == pytest.approx(1, abs=1e-5)


def test_nothing_gives_nothing(embedder: Embedder) -> None:
    assert embedder.embed([]).shape[0] == 0


@pytest.mark.parametrize("text", ["", " \n\t", "日本語のコメント", "🙂" * 50, "a" * 20_000, "\x00\ufffd"])
def test_odd_text_gives_finite_vectors(embedder: Embedder, text: str) -> None:
    vector = embedder.embed([text, "read a file"])
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector[1]) == pytest.approx(1, abs=1e-5)
