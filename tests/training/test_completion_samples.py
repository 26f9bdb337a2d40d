"""What the completion model is shown: cuts that an editor could ask for, control tokens that text cannot forge."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
from tokenizers import Tokenizer

from training.completion_model.corpus import Source
from training.completion_model.outlines import Neighbors, outline
from training.completion_model.quantized import dequantize, quantize
from training.completion_model.samples import (
    BODY,
    CONTEXT,
    END,
    FILE,
    LENGTH,
    MIDDLE,
    PREFIX,
    SUFFIX,
    Sampler,
    cut,
)
from training.completion_model.tokenizer import train

STORE = '''class Store:
    """Keeps values by their keys, <|endoftext|> and other texts too."""

    def put_value(self, keyName, value):
        self.values[keyName] = value

    def get_value(self, keyName):
        return self.values.get(keyName)
'''
USER = """from store import Store


def copy(store: Store, source, target):
    store.put_value(target, store.get_value(source))
    return store
"""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train(iter([STORE, USER] * 4), size=400)


@pytest.fixture
def files() -> Neighbors:
    return Neighbors([outline(Source("src/store.py", "python", STORE)), outline(Source("src/user.py", "python", USER))])


def test_tokens_end_where_a_cursor_may_stand(tokenizer: Tokenizer) -> None:
    def pieces(text: str) -> list[str]:
        return [tokenizer.decode([token]) for token in tokenizer.encode(text).ids]

    for text in ("x):\n", "\n\n", "\n        return", "{\n\t}", "getValue", "get_value", "a  # b"):
        assert "".join(pieces(text)) == text
    assert all(piece == "\n" or "\n" not in piece for piece in pieces(STORE + "\n\n"))
    assert all(not piece.strip() or not piece.startswith("  ") for piece in pieces(STORE))
    assert all(not (piece.strip("_ ").isalpha() and "(" in piece) for piece in pieces(USER))
    assert "Value" not in "".join(pieces("getValue")[:1])


def test_a_cut_is_never_empty_and_stays_inside() -> None:
    chooser = random.Random(1)
    for _ in range(2_000):
        hole = cut(STORE, chooser)
        assert hole is not None
        assert 0 <= hole.start < hole.end <= len(STORE)
        middle = STORE[hole.start : hole.end]
        assert middle.strip() or "\n" not in middle, "blank lines alone are nothing to write"


def test_there_is_nothing_to_cut_from_blank_text() -> None:
    assert cut("\n \n", random.Random(1)) is None


def drawn(tokenizer: Tokenizer, files: Neighbors, count: int) -> Iterator[tuple[list[int], list[int]]]:
    return Sampler(tokenizer, random.Random(2)).samples(files, count)


def test_a_sample_is_the_file_around_its_cut(tokenizer: Tokenizer, files: Neighbors) -> None:
    texts = {file.source.path: file.source.text for file in files.files}
    seen = 0
    for tokens, weights in drawn(tokenizer, files, 300):
        assert len(tokens) == len(weights) <= LENGTH and tokens[0] == END and weights[0] == 0
        file = max(place for place, token in enumerate(tokens) if token == FILE)
        suffix_at, prefix_at = tokens.index(SUFFIX), tokens.index(PREFIX)
        path = tokenizer.decode(tokens[file + 1 : suffix_at]).rstrip("\n")
        suffix = tokenizer.decode(tokens[suffix_at + 1 : prefix_at])
        if MIDDLE in weights and tokens[-1] == END:
            before_and_middle = tokenizer.decode(tokens[prefix_at + 1 : -1])
            assert before_and_middle + suffix in texts[path] or texts[path].endswith(before_and_middle)
            seen += 1
        assert weights[1:file].count(CONTEXT) == max(0, file - 1)
        assert set(weights[file:]) <= {BODY, MIDDLE}
    assert seen > 200


def test_text_of_a_file_is_never_a_control_token(tokenizer: Tokenizer, files: Neighbors) -> None:
    for tokens, _ in drawn(tokenizer, files, 300):
        assert END not in tokens[1:-1]


def test_context_is_what_the_cursor_names_in_other_files(files: Neighbors) -> None:
    prefix = USER[: USER.index("(target")]
    assert files.definitions(1, prefix) == [
        ("src/store.py", "def put_value(self, keyName, value):  # Store.put_value\nclass Store:")
    ]
    assert files.definitions(1, "copy(") == [], "nothing of the file itself"
    ((path, text),) = files.similar(1, prefix, "", 1)
    assert path == "src/store.py" and "put_value" in text


def test_quantized_weights_are_those_of_mlx() -> None:
    mx = pytest.importorskip("mlx.core")
    weights = np.random.default_rng(1).normal(0, 0.05, (16, 128)).astype(np.float32)
    weights[3] = 0
    packed, scales, biases = quantize(weights)
    ours = dequantize(packed, scales, biases)
    step = scales.astype(np.float32).max()
    assert np.abs(ours - weights).max() <= step
    theirs = mx.dequantize(
        mx.array(packed),
        mx.array(scales.astype(np.float32)),
        mx.array(biases.astype(np.float32)),
        group_size=64,
        bits=8,
    )
    assert np.allclose(np.array(theirs), ours, atol=1e-6)
