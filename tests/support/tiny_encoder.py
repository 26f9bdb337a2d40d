"""A text encoder in a folder as the Hub has them: random weights, a real tokenizer, a few kilobytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

WIDTH, HEADS, LAYERS, INNER, PLACES = 32, 4, 2, 64, 64
_LETTERS = [*"abcdefghijklmnopqrstuvwxyz0123456789_(){}[]:.,=+-*/"]
_VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *_LETTERS, *(f"##{letter}" for letter in _LETTERS)]

_BERT = {
    "model_type": "bert",
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "intermediate_size": INNER,
    "max_position_embeddings": PLACES,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}
_NOMIC = {
    "model_type": "nomic_bert",
    "n_embd": WIDTH,
    "n_head": HEADS,
    "n_layer": LAYERS,
    "n_inner": INNER,
    "layer_norm_epsilon": 1e-12,
    "rotary_emb_base": 1000,
    "rotary_emb_interleaved": False,
    "prenorm": False,
}


def write_encoder(folder: Path, kind: str = "bert", *, pooling: str = "mean", seed: int = 0, **config: Any) -> Path:
    """`kind` is bert or nomic_bert; `config` overrides keys of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "1_Pooling").mkdir(exist_ok=True)
    base = _BERT if kind == "bert" else _NOMIC
    (folder / "config.json").write_text(json.dumps({**base, "_name_or_path": f"tests/tiny-{kind}", **config}))
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean"})
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": PLACES}))
    random = np.random.default_rng(seed)
    shapes = _bert_shapes() if kind == "bert" else _nomic_shapes()
    weights = {
        name: (1 + 0.1 * random.standard_normal(shape) if _is_gamma(name) else 0.3 * random.standard_normal(shape))
        for name, shape in shapes.items()
    }
    save_file({name: value.astype(np.float32) for name, value in weights.items()}, folder / "model.safetensors")
    _tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def _is_gamma(name: str) -> bool:
    return name.endswith(".weight") and ("norm" in name.lower() or "_ln" in name)


def _linear(name: str, out: int, into: int, *, bias: bool = True) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into)} | ({f"{name}.bias": (out,)} if bias else {})


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}


def _bert_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(_VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": (PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        **_norm("embeddings.LayerNorm"),
    }
    for number in range(LAYERS):
        name = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{name}.attention.self.{part}", WIDTH, WIDTH)
        shapes |= _linear(f"{name}.attention.output.dense", WIDTH, WIDTH)
        shapes |= _norm(f"{name}.attention.output.LayerNorm")
        shapes |= _linear(f"{name}.intermediate.dense", INNER, WIDTH) | _linear(f"{name}.output.dense", WIDTH, INNER)
        shapes |= _norm(f"{name}.output.LayerNorm")
    return shapes


def _nomic_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(_VOCABULARY), WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        **_norm("emb_ln"),
    }
    for number in range(LAYERS):
        name = f"encoder.layers.{number}"
        shapes |= _linear(f"{name}.attn.Wqkv", 3 * WIDTH, WIDTH, bias=False)
        shapes |= _linear(f"{name}.attn.out_proj", WIDTH, WIDTH, bias=False)
        shapes |= _linear(f"{name}.mlp.fc11", INNER, WIDTH, bias=False)
        shapes |= _linear(f"{name}.mlp.fc12", INNER, WIDTH, bias=False)
        shapes |= _linear(f"{name}.mlp.fc2", WIDTH, INNER, bias=False)
        shapes |= _norm(f"{name}.norm1") | _norm(f"{name}.norm2")
    return shapes


def _tokenizer() -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate(_VOCABULARY)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    return tokenizer
