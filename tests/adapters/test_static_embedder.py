"""The shipped table and its reader: the port's promises, damage, and words that the table does not hold."""

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from impetus.adapters.static_embedder import FOLDER, Lookup, StaticEmbedder, content_digest
from impetus.errors import ModelError

WORDS = ["parse", "url", "server", "http", "serve"]


def write_table(folder: Path, table: NDArray[np.int8], *, damping: float = 0.5) -> None:
    folder.mkdir(exist_ok=True)
    scales = np.ones(len(table), np.float32)
    np.save(folder / "vectors.npy", table)
    np.save(folder / "scales.npy", scales)
    (folder / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    digest = content_digest("\n".join(WORDS), table, scales)
    (folder / "model.json").write_text(json.dumps({"name": "tiny", "damping": damping, "digest": digest}))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    write_table(tmp_path / "tiny", np.eye(5, 8, dtype=np.int8) * 100)
    return tmp_path / "tiny"


@cache
def shared() -> StaticEmbedder:
    return StaticEmbedder()


@pytest.fixture
def shipped() -> StaticEmbedder:
    return shared()


def test_rows_are_unit_vectors_of_the_stated_size(shipped: StaticEmbedder) -> None:
    vectors = shipped.embed(["def parse_url(text): return text.split('/')", "open a socket and listen"])
    assert vectors.shape == (2, shipped.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_a_text_without_known_words_gives_zeros(shipped: StaticEmbedder) -> None:
    assert not shipped.embed(["", "{}();", "  \n"]).any()
    assert not shipped.embed_query("???").any()


def test_no_texts_give_no_rows(shipped: StaticEmbedder) -> None:
    assert shipped.embed([]).shape == (0, shipped.dimensions)


def test_a_query_is_embedded_like_a_text(shipped: StaticEmbedder) -> None:
    np.testing.assert_array_equal(shipped.embed_query("retry with backoff"), shipped.embed(["retry with backoff"])[0])


def test_the_order_of_words_does_not_matter_to_the_last_bit(shipped: StaticEmbedder) -> None:
    there, back = (
        shipped.embed_query("retry the connection pool retry"),
        shipped.embed_query("retry pool connection the retry"),
    )
    assert there.tobytes() == back.tobytes()


def test_a_text_has_the_same_vector_whatever_stands_beside_it(shipped: StaticEmbedder) -> None:
    alone = shipped.embed(["close the connection pool"])[0]
    among = shipped.embed(["x = 1", "close the connection pool", "unrelated words about fonts"])[1]
    np.testing.assert_array_equal(alone, among)


def test_meaning_counts_and_not_the_same_words(shipped: StaticEmbedder) -> None:
    code = [
        "def fetch(url):\n    response = http.get(url)\n    return response.body",
        "def mean(values):\n    return sum(values) / len(values)",
        "def remove(path):\n    os.unlink(path)",
    ]
    vectors = shipped.embed(code)
    for query, expected in (("download a web page", 0), ("compute the average of numbers", 1), ("delete a file", 2)):
        assert int(np.argmax(vectors @ shipped.embed_query(query))) == expected


def test_the_shipped_files_stay_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 16 * 1024 * 1024


def test_repeated_words_count_less_each_time(tiny: Path) -> None:
    vector = StaticEmbedder(tiny).embed_query("url url url url parse")
    np.testing.assert_allclose(vector[1] / vector[0], 2, rtol=1e-5)


def test_case_and_underscores_do_not_matter(tiny: Path) -> None:
    embedder = StaticEmbedder(tiny)
    np.testing.assert_array_equal(embedder.embed_query("parseURL"), embedder.embed_query("parse_url"))


def test_an_unknown_word_is_split_into_its_longest_known_pieces() -> None:
    lookup = Lookup(WORDS)
    assert [WORDS[row] for row in lookup.rows("urlparse")] == ["url", "parse"]
    assert [WORDS[row] for row in lookup.rows("httpserver")] == ["http", "server"]
    assert [WORDS[row] for row in lookup.rows("reparsed")] == ["parse"]
    assert lookup.rows("zzz") == []


def test_words_too_long_to_be_names_are_skipped() -> None:
    assert Lookup(WORDS).rows("parse" * 20) == []


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_text_gives_a_finite_vector_of_length_one_or_zero(text: str) -> None:
    vector = shared().embed_query(text)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5) or not vector.any()


def test_the_id_names_the_content(tiny: Path, tmp_path: Path) -> None:
    same = tmp_path / "same"
    shutil.copytree(tiny, same)
    other = tmp_path / "other"
    write_table(other, np.eye(5, 8, dtype=np.int8) * 99)
    assert StaticEmbedder(same).id == StaticEmbedder(tiny).id
    assert StaticEmbedder(other).id != StaticEmbedder(tiny).id
    assert StaticEmbedder(tiny).id.startswith("tiny-")


@pytest.mark.parametrize("name", ["model.json", "words.txt", "vectors.npy", "scales.npy"])
def test_a_missing_file_is_a_model_error(tiny: Path, name: str) -> None:
    (tiny / name).unlink()
    with pytest.raises(ModelError, match="reinstall impetus"):
        StaticEmbedder(tiny)


@pytest.mark.parametrize("name", ["model.json", "words.txt", "vectors.npy", "scales.npy"])
@pytest.mark.parametrize("keep", [0, 20, -1])
def test_a_file_cut_short_is_a_model_error(tiny: Path, name: str, keep: int) -> None:
    whole = (tiny / name).read_bytes()
    (tiny / name).write_bytes(whole[:keep])
    with pytest.raises(ModelError, match="reinstall impetus"):
        StaticEmbedder(tiny)


def test_a_flipped_byte_is_a_model_error(tiny: Path) -> None:
    data = bytearray((tiny / "vectors.npy").read_bytes())
    data[-1] ^= 1
    (tiny / "vectors.npy").write_bytes(data)
    with pytest.raises(ModelError, match="damaged"):
        StaticEmbedder(tiny)
