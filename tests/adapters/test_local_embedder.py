"""Encoders computed on this machine: what names their vector space, and what is said of unusable folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.support.minilm import minilm_folder
from tests.support.tiny_encoder import PLACES, write_encoder

from impetus.adapters.encoder_folder import EncoderFolder
from impetus.adapters.local_embedder import LocalEmbedder
from impetus.errors import ModelError, ModelUnavailable


def test_the_id_is_that_of_the_vector_space_and_not_of_the_folder(tmp_path: Path) -> None:
    first = LocalEmbedder(write_encoder(tmp_path / "first"))
    again = LocalEmbedder(Path(shutil.copytree(tmp_path / "first", tmp_path / "elsewhere")))
    assert first.id == again.id
    others = [
        LocalEmbedder(write_encoder(tmp_path / "weights", seed=1)),
        LocalEmbedder(write_encoder(tmp_path / "pooling", pooling="cls")),
        LocalEmbedder(tmp_path / "first", document_prefix="passage: "),
    ]
    assert len({first.id, *(other.id for other in others)}) == 4


def test_a_query_prefix_changes_queries_and_not_the_space(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    plain, prefixed = LocalEmbedder(folder), LocalEmbedder(folder, query_prefix="find: ")
    assert plain.id == prefixed.id
    assert np.array_equal(plain.embed(["sort"]), prefixed.embed(["sort"]))
    assert np.allclose(prefixed.embed_query("sort"), plain.embed(["find: sort"])[0])
    assert not np.allclose(prefixed.embed_query("sort"), plain.embed_query("sort"))


def test_a_known_family_gets_its_prefixes_by_itself(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path, "nomic_bert", _name_or_path="nomic-ai/nomic-embed-text-v1.5")
    known, plain = LocalEmbedder(folder), LocalEmbedder(folder, query_prefix="", document_prefix="")
    assert np.allclose(known.embed(["x"]), plain.embed(["search_document: x"]))
    assert np.allclose(known.embed_query("x"), plain.embed(["search_query: x"])[0])


def test_text_past_the_model_s_length_is_cut(tmp_path: Path) -> None:
    embedder = LocalEmbedder(write_encoder(tmp_path))
    one, longer = embedder.embed(["ab " * PLACES, "ab " * 10 * PLACES])
    assert np.allclose(one, longer, atol=1e-5)


def test_real_weights_know_what_is_alike() -> None:
    embedder = LocalEmbedder(minilm_folder())
    code = ["def sort(xs):\n    xs.sort()", "SELECT name FROM users", "The quick brown fox jumps over the lazy dog"]
    for text, nearest in (("sort a list in place", 0), ("query the database for people", 1), ("animals", 2)):
        assert int(np.argmax(embedder.embed(code) @ embedder.embed_query(text))) == nearest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "llama"}, "of type 'llama'"),
        ({"hidden_act": "relu"}, "uses 'relu'"),
        ({"model_type": "nomic_bert", "prenorm": True}, "unusual nomic-bert"),
    ],
)
def test_an_unsupported_model_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    folder = write_encoder(tmp_path, **change)
    with pytest.raises(ModelError, match=said):
        EncoderFolder(folder)


def test_a_missing_folder_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"set embedding\.model"):
        LocalEmbedder(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b"[]"),
        ("model.safetensors", b"not tensors at all"),
        ("tokenizer.json", b"{}"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (write_encoder(tmp_path) / name).write_bytes(content)
    with pytest.raises(ModelError, match="fetch"):
        LocalEmbedder(tmp_path).embed(["x"])


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(ModelError, match=r"encoder\.layer\.2"):
        LocalEmbedder(folder).embed(["x"])
