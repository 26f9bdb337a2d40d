"""A training run's weights as a model folder, as `mlx_lm` and Impetus load it.

python -m training.completion_model.export RUN TOKENIZER FOLDER
"""

import argparse
import json
import shutil
from pathlib import Path

from training.completion_model.quantized import BITS, GROUP
from training.completion_model.samples import LENGTH, SPECIALS

_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "eos_token": SPECIALS[0],
    "pad_token": SPECIALS[0],
    "model_max_length": LENGTH - 1,
    "clean_up_tokenization_spaces": False,
}


def configuration(shape: dict[str, float]) -> dict[str, object]:
    """config.json of a network that `train.py` describes so in figures.json. It read nothing longer than a sample."""
    return {
        "model_type": "qwen3",
        "architectures": ["Qwen3ForCausalLM"],
        "hidden_size": shape["width"],
        "num_hidden_layers": shape["layers"],
        "intermediate_size": shape["inner"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kv_heads"],
        "head_dim": shape["head"],
        "rms_norm_eps": shape["epsilon"],
        "vocab_size": shape["vocabulary"],
        "rope_theta": shape["rope"],
        "max_position_embeddings": LENGTH - 1,
        "tie_word_embeddings": True,
        "eos_token_id": 0,
        "torch_dtype": "float16",
        "quantization": {"group_size": GROUP, "bits": BITS},
        "impetus_fim": "impetus",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    shape = json.loads((arguments.run / "figures.json").read_text("utf-8"))["shape"]
    for name, content in (("config", configuration(shape)), ("tokenizer_config", _TOKENIZER)):
        (arguments.folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(arguments.run / "model.safetensors", arguments.folder / "model.safetensors")
    shutil.copyfile(arguments.tokenizer, arguments.folder / "tokenizer.json")


if __name__ == "__main__":
    main()
