"""A language model for tests: random weights, a byte-level tokenizer made on the spot, in the folder form of mlx-lm.

Small enough to be made in every test run and never downloaded; it writes nonsense, the same nonsense every time.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)
TEXTS = (
    "def function(argument):\n    return argument\n",
    "class Thing:\n    value = 1\n",
    "for item in items:\n    pass\n",
)


def make_tokenizer(folder: Path, *, vocabulary: int = 320, texts: Iterable[str] = TEXTS, **settings: Any) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"eos_token": "<|im_end|>", "chat_template": CHAT_TEMPLATE} | settings
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")


def make_model(
    folder: Path,
    *,
    quantized: bool = False,
    context: int = 512,
    shape: Mapping[str, int] | None = None,
    seed: int = 7,
    ends: bool = True,
    **tokenizer: Any,
) -> Path:
    """A Qwen3; of two layers and about 100,000 parameters unless `shape`, part of its config.json, says otherwise.

    Without `ends` it writes for as long as it may.
    """
    from impetus.adapters.mlx_loader import prepare

    prepare()
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_flatten
    from mlx_lm.models import qwen3

    folder.mkdir(parents=True, exist_ok=True)
    make_tokenizer(folder, **tokenizer)
    config: dict[str, Any] = {
        "model_type": "qwen3",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "intermediate_size": 128,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "rms_norm_eps": 1e-6,
        "vocab_size": 320,
        "rope_theta": 10000.0,
        "max_position_embeddings": context,
        "tie_word_embeddings": True,
        "eos_token_id": 2,
    } | dict(shape or {})
    keys = iter(mx.random.split(mx.random.key(seed), 200))
    model = qwen3.Model(qwen3.ModelArgs.from_dict(config))
    random = [
        (name, mx.random.normal(value.shape, key=next(keys)) * 0.3 if value.ndim > 1 else value)
        for name, value in tree_flatten(model.parameters())
    ]
    model.load_weights(random)
    if not ends:  # control tokens get the logit 0, far below the best of random ones
        model.model.embed_tokens.weight[: len(SPECIAL)] = 0
    if quantized:
        nn.quantize(model, group_size=32, bits=8)
        config["quantization"] = {"group_size": 32, "bits": 8}
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())))
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder
