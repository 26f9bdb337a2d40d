"""A language model on MLX, from any folder that mlx-lm can load.

Importing this module imports no MLX: `load_model` does, after what has to come before it.
"""

import sys
from pathlib import Path

from impetus.adapters import lora, mlx_loader
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain.ports import TextModel

#: Bytes that the caches of past prompts may take.
PREFIX_BYTES = 1 << 30


def load_model(folder: Path, *, prefix_bytes: int = PREFIX_BYTES, cache_bits: int = 0) -> TextModel:
    """The model in memory, on the thread that will use it. With `cache_bits`, 4 or 8, keys and values of what was read
    are kept with so many bits. Raises ModelError with what to do.
    """
    base = lora.base_of(folder)
    config = mlx_loader.read_config(base)
    tokenizer = ModelTokenizer(base, config)
    network = mlx_loader.load_network(base, config, adapter=folder if base != folder else None)
    if cache_bits:
        mlx_loader.quantize_caches(network, cache_bits)

    from impetus.adapters.mlx_text_model import MlxTextModel

    return MlxTextModel(network, tokenizer, mlx_loader.context_length(config), folder.name, prefix_bytes)


def clear_cache() -> None:
    """Give back the buffers that MLX keeps for later."""
    if "mlx.core" in sys.modules:
        import mlx.core as mx

        mx.clear_cache()


def clear_streams() -> None:
    """The model thread's last statement where it has used MLX: without it the process aborts at exit."""
    if "mlx.core" in sys.modules:
        import mlx.core as mx

        mx.synchronize()
        mx.clear_streams()
