"""A language model on MLX, from any folder that mlx-lm can load.

Importing this module imports no MLX: `load_model` does, after what has to come before it.
"""

import sys
from pathlib import Path

from impetus.adapters import mlx_loader
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain.ports import TextModel

#: Bytes that the caches of past prompts may take.
PREFIX_BYTES = 1 << 30


def load_model(folder: Path, *, prefix_bytes: int = PREFIX_BYTES) -> TextModel:
    """The model in memory, on the thread that will use it. Raises ModelError with what to do."""
    config = mlx_loader.read_config(folder)
    tokenizer = ModelTokenizer(folder, config)
    network = mlx_loader.load_network(folder, config)

    from impetus.adapters.mlx_text_model import MlxTextModel

    return MlxTextModel(network, tokenizer, mlx_loader.context_length(config), folder.name, prefix_bytes)


def clear_streams() -> None:
    """The model thread's last statement where it has used MLX: without it the process aborts at exit."""
    if "mlx.core" in sys.modules:
        import mlx.core as mx

        mx.synchronize()
        mx.clear_streams()
