"""A folder with a BERT or nomic-bert text encoder, as the Hugging Face Hub has them: config.json, tokenizer.json,
model.safetensors and the pooling of sentence-transformers. Reads them into one shape that every backend computes from.

All backends of one folder give one vector space, so its id is made here: of the weights, the pooling, the cut and the
document prefix.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from impetus.domain.prefixes import AUTO, Prefixes, prefixes
from impetus.errors import ModelError, ModelUnavailable

Weights = NDArray[np.float32]

#: Chunks are seldom longer, attention costs in proportion to the square, and the Neural Engine's buckets end here.
MOST_TOKENS = 512
_WEIGHTS = "model.safetensors"
#: Of a large weight file so many blocks are read for its digest: a model trained further differs in each of them.
_BLOCKS, _BLOCK = 16, 65_536


@dataclass(frozen=True, slots=True)
class Linear:
    """y = x · weightᵀ + bias. `weight` is (out, in)."""

    weight: Weights
    bias: Weights | None


@dataclass(frozen=True, slots=True)
class Norm:
    gamma: Weights
    beta: Weights


@dataclass(frozen=True, slots=True)
class Layer:
    """Attention, norm, feed-forward, norm. With a `gate` the feed-forward is silu(gate) · up, else gelu(up)."""

    query: Linear
    key: Linear
    value: Linear
    out: Linear
    norm: Norm
    up: Linear
    gate: Linear | None
    down: Linear
    last_norm: Norm


@dataclass(frozen=True, slots=True)
class Encoder:
    """`words` is (vocabulary, width), token type added in. `rotary_base` is None where positions are learned."""

    heads: int
    epsilon: float
    words: Weights
    positions: Weights | None
    rotary_base: float | None
    norm: Norm
    layers: tuple[Layer, ...]

    @property
    def width(self) -> int:
        return int(self.words.shape[1])

    def rotary(self, length: int) -> tuple[Weights, Weights]:
        """cos and sin, each (length, head width), of which the second half repeats the first."""
        assert self.rotary_base is not None
        size = self.width // self.heads
        steps = 1.0 / self.rotary_base ** (np.arange(0, size, 2) / size)
        angles = np.arange(length)[:, None] * np.concatenate([steps, steps])[None]
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


class EncoderFolder:
    """Reads the small files at once and complains about them; the weights when they are asked for."""

    def __init__(self, folder: Path, query_prefix: str = AUTO, document_prefix: str = AUTO) -> None:
        if not (folder / "config.json").is_file():
            raise ModelUnavailable(f"There is no embedding model in {folder}; set embedding.model to a model's folder")
        self.folder = folder
        self.config = self._json("config.json")
        kind = self.config.get("model_type")
        if kind not in ("bert", "nomic_bert"):
            raise ModelError(
                f"The model in {folder} is of type {kind!r}; embedding.model takes BERT and nomic-bert encoders, "
                "others can be used through a server and embedding.base_url"
            )
        if kind == "bert" and self.config.get("hidden_act", "gelu") != "gelu":
            raise ModelError(f"The model in {folder} uses {self.config['hidden_act']!r}, which is not supported")
        if kind == "nomic_bert" and (self.config.get("prenorm") or self.config.get("rotary_emb_interleaved")):
            raise ModelError(f"The model in {folder} is an unusual nomic-bert, which is not supported")
        # "sentence-transformers/all-MiniLM-L6-v2" and folders of a cache say little; both names know families.
        self.name = str(self.config.get("_name_or_path") or kind).rstrip("/").rpartition("/")[2]
        self.prefixes: Prefixes = prefixes(f"{folder} {self.name}", query_prefix, document_prefix)
        pooling = self._json("1_Pooling/config.json", optional=True)
        self.pooling: Literal["mean", "cls"] = "cls" if pooling.get("pooling_mode_cls_token") else "mean"
        limit = self._json("sentence_bert_config.json", optional=True).get("max_seq_length") or MOST_TOKENS
        places = self.config.get("max_position_embeddings") or MOST_TOKENS
        self.max_tokens = min(int(limit), int(places), MOST_TOKENS)
        try:
            self.dimensions = int(self.config.get("hidden_size") or self.config["n_embd"])
            digest = self._digest()
        except (OSError, KeyError, ValueError) as error:
            raise ModelError(f"The model in {folder} cannot be read ({error}); fetch it again") from error
        self.id = f"{self.name}-{digest}"

    def _json(self, name: str, *, optional: bool = False) -> dict[str, Any]:
        path = self.folder / name
        if optional and not path.exists():
            return {}
        try:
            value = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read ({error}); fetch the model again") from error
        if not isinstance(value, dict):
            raise ModelError(f"{path} is not what it should be; fetch the model again")
        return value

    def _digest(self) -> str:
        digest = blake2b(digest_size=6)
        path = self.folder / _WEIGHTS
        size = path.stat().st_size
        with path.open("rb") as file:
            for number in range(_BLOCKS):
                file.seek(max(0, (size - _BLOCK) * number // (_BLOCKS - 1)))
                digest.update(file.read(_BLOCK))
        digest.update(f"{size} {self.pooling} {self.max_tokens} {self.prefixes.document}".encode())
        return digest.hexdigest()

    def tokenizer(self) -> "Tokens":
        return Tokens(self.folder / "tokenizer.json", self.max_tokens)

    def load(self) -> Encoder:
        """The weights in float32."""
        from safetensors.numpy import load_file

        try:
            raw = {name: value for name, value in load_file(self.folder / _WEIGHTS).items() if value.dtype.kind == "f"}
            weights = {name.removeprefix("bert."): value.astype(np.float32) for name, value in raw.items()}
            build = _bert if self.config["model_type"] == "bert" else _nomic_bert
            return build(self.config, weights)
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise ModelError(
                f"The weights in {self.folder} cannot be read ({error!r}); fetch the model again"
            ) from error
        except Exception as error:  # safetensors raises a class of its own
            raise ModelError(f"The weights in {self.folder} are damaged ({error}); fetch the model again") from error


class Tokens:
    """Texts to token ids, cut to what the model takes. Safe to use from several threads."""

    def __init__(self, path: Path, limit: int) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{path} cannot be read ({error}); fetch the model again") from error
        self._tokenizer.enable_truncation(limit)
        self._tokenizer.no_padding()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(found.ids) for found in self._tokenizer.encode_batch(list(texts))]


def padded(rows: Sequence[Sequence[int]], length: int) -> tuple[NDArray[np.int64], Weights]:
    """Token ids and mask, each (rows, length)."""
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros((len(rows), length), np.float32)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1.0
    return ids, mask


def _linear(weights: dict[str, Weights], name: str) -> Linear:
    return Linear(weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def _norm(weights: dict[str, Weights], name: str) -> Norm:
    return Norm(weights[f"{name}.weight"], weights[f"{name}.bias"])


def _words(weights: dict[str, Weights]) -> Weights:
    words = weights["embeddings.word_embeddings.weight"]
    types = weights.get("embeddings.token_type_embeddings.weight")
    return words if types is None else words + types[0]


def _bert(config: dict[str, Any], weights: dict[str, Weights]) -> Encoder:
    layers = []
    for number in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{number}"
        layers.append(
            Layer(
                query=_linear(weights, f"{name}.attention.self.query"),
                key=_linear(weights, f"{name}.attention.self.key"),
                value=_linear(weights, f"{name}.attention.self.value"),
                out=_linear(weights, f"{name}.attention.output.dense"),
                norm=_norm(weights, f"{name}.attention.output.LayerNorm"),
                up=_linear(weights, f"{name}.intermediate.dense"),
                gate=None,
                down=_linear(weights, f"{name}.output.dense"),
                last_norm=_norm(weights, f"{name}.output.LayerNorm"),
            )
        )
    return Encoder(
        config["num_attention_heads"],
        config["layer_norm_eps"],
        _words(weights),
        weights["embeddings.position_embeddings.weight"],
        None,
        _norm(weights, "embeddings.LayerNorm"),
        tuple(layers),
    )


def _nomic_bert(config: dict[str, Any], weights: dict[str, Weights]) -> Encoder:
    layers = []
    for number in range(config["n_layer"]):
        name = f"encoder.layers.{number}"
        thirds = np.split(weights[f"{name}.attn.Wqkv.weight"], 3)
        bias = weights.get(f"{name}.attn.Wqkv.bias")
        biases = np.split(bias, 3) if bias is not None else [None] * 3
        query, key, value = (Linear(weight, bias) for weight, bias in zip(thirds, biases, strict=True))
        layers.append(
            Layer(
                query=query,
                key=key,
                value=value,
                out=_linear(weights, f"{name}.attn.out_proj"),
                norm=_norm(weights, f"{name}.norm1"),
                up=_linear(weights, f"{name}.mlp.fc11"),
                gate=_linear(weights, f"{name}.mlp.fc12"),
                down=_linear(weights, f"{name}.mlp.fc2"),
                last_norm=_norm(weights, f"{name}.norm2"),
            )
        )
    return Encoder(
        config["n_head"],
        config["layer_norm_epsilon"],
        _words(weights),
        None,
        float(config["rotary_emb_base"]),
        _norm(weights, "emb_ln"),
        tuple(layers),
    )
