"""An MLX model folder into memory, without importing transformers where it can be helped (1 s and 70 MB).

Plain folders as `mlx_lm.convert` writes them are loaded here with mlx-lm's model classes; anything unusual (foreign
quantization formats, remapped types) goes through mlx-lm's own loader. On a CPU weights become float32: quantized and
half-precision arithmetic is many times slower there. Pinned to mlx-lm 0.32.2, whose internals it uses.
"""

import importlib
import importlib.util
import json
import logging
import sys
import types
from pathlib import Path
from typing import Any

from impetus.adapters import blas, lora
from impetus.errors import ModelError, ModelUnavailable

log = logging.getLogger(__name__)

#: Values that share a scale in a quantized cache; what MLX has, the coarsest first.
_GROUPS = (64, 32)


def read_config(folder: Path) -> dict[str, Any]:
    """config.json, with the end tokens of generation_config.json where there is one. Raises ModelError."""
    if not folder.is_dir():
        raise ModelUnavailable(f"There is no model folder at {folder}; set the right path or fetch the model again")
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        generation = folder / "generation_config.json"
        extra = json.loads(generation.read_text("utf-8")) if generation.exists() else {}
        if not isinstance(config, dict) or not isinstance(extra, dict) or "model_type" not in config:
            raise ValueError("it has no model_type")
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder} is not a usable model folder: config.json cannot be read ({error}); fetch the model again"
        ) from error
    if extra.get("eos_token_id") is not None:
        config["eos_token_id"] = extra["eos_token_id"]
    return config


def context_length(config: dict[str, Any]) -> int:
    """Tokens that the model was made for; 4096 where the folder does not say."""
    text = config.get("text_config")
    for section in (config, text if isinstance(text, dict) else {}):
        for key in ("max_position_embeddings", "model_max_length", "seq_length", "n_positions"):
            value = section.get(key)
            if isinstance(value, int) and value > 0:
                return value
    return 4096


def load_network(folder: Path, config: dict[str, Any], *, adapter: Path | None = None) -> Any:
    """The model, ready to call, with the layers of a LoRA adapter. Raises ModelError with what to do."""
    prepare()
    try:
        import mlx.core as mx
    except ImportError as error:
        raise ModelUnavailable(
            f"MLX cannot be used on this machine ({error}); set chat.base_url or completion.base_url to a server"
        ) from error
    _wire()
    on_cpu = not mx.metal.is_available() and mx.default_device() == mx.Device(mx.cpu)
    if on_cpu:
        mx.disable_compile()  # it would call a C++ compiler at run time, seconds per kernel
    try:
        model = _load_plain(folder, config, on_cpu) if _is_plain(folder, config) else _load_any(folder, on_cpu)
        if adapter is not None:
            lora.apply(model, adapter)
        _evaluate(model, one_by_one=on_cpu)
        if on_cpu:
            from impetus.adapters import mlx_kernels, mlx_products

            mlx_kernels.use(model)
            mlx_products.use(model)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise ModelError(
            f"The model in {adapter or folder} cannot be loaded: {_first_line(error)}; fetch it again or choose another"
        ) from error
    return model


def _evaluate(network: Any, *, one_by_one: bool) -> None:
    """Read the weights from their files and compute what is kept of them.

    MLX reads an array when it is evaluated, into memory of its own. Evaluated together, arrays that become float32
    would wait for each other with what they are made from; `one_by_one` each lets go of that first.
    """
    import mlx.core as mx
    from mlx.utils import tree_flatten

    if not one_by_one:
        mx.eval(network.parameters())
        return
    for _, array in tree_flatten(network.parameters()):
        mx.eval(array)
    mx.clear_cache()


def quantize_caches(network: Any, bits: int) -> None:
    """Let mlx-lm's `network` keep keys and values with so many bits: less memory for long prompts, and sequences are
    decoded one by one, because such caches cannot be merged. Models with caches of other kinds keep theirs.
    """
    import mlx.core as mx
    from mlx_lm.models.cache import KVCache, QuantizedKVCache, make_prompt_cache

    caches = make_prompt_cache(network)
    if any(type(cache) is not KVCache for cache in caches):
        log.warning("models.cache_bits has no effect: this model keeps more than keys and values")
        return
    network(mx.array([[0]]), cache=caches)
    widths = [array.shape[-1] for cache in caches for array in (cache.keys, cache.values)]
    group = next((size for size in _GROUPS if all(width % size == 0 for width in widths)), None)
    if group is None:
        log.warning("models.cache_bits has no effect: the heads of this model are too narrow")
        return
    network.make_cache = lambda: [QuantizedKVCache(group, bits) for _ in caches]


def _wire() -> None:
    """Let the GPU keep as much memory resident as it recommends; without it macOS pages large models out."""
    import mlx.core as mx

    limit = mx.device_info().get("max_recommended_working_set_size")
    if limit is not None:
        mx.set_wired_limit(int(limit))


def prepare() -> None:
    """Make `mlx_lm.models` importable without `mlx_lm/__init__.py`, which imports transformers."""
    blas.preload()
    if "mlx_lm" in sys.modules:
        return
    spec = importlib.util.find_spec("mlx_lm")
    if spec is None or spec.submodule_search_locations is None:
        raise ModelUnavailable("mlx-lm is not installed; install impetus again, or set a base_url to use a server")
    package = types.ModuleType("mlx_lm")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["mlx_lm"] = package


def _is_plain(folder: Path, config: dict[str, Any]) -> bool:
    quantization = config.get("quantization")
    return (
        importlib.util.find_spec(f"mlx_lm.models.{config['model_type']}") is not None
        and not (quantization is None and ("quantization_config" in config or "text_config" in config))
        and not (isinstance(quantization, dict) and quantization.get("mode", "affine") != "affine")
        and not any(key in config for key in ("model_file", "quantize_activations"))
        and not (folder / "hf_quant_config.json").exists()
    )


def _load_plain(folder: Path, config: dict[str, Any], on_cpu: bool) -> Any:
    import mlx.core as mx
    import mlx.nn as nn

    module = importlib.import_module(f"mlx_lm.models.{config['model_type']}")
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise OSError("no model*.safetensors in the folder")
    weights: dict[str, Any] = {}
    for file in files:
        loaded: Any = mx.load(str(file))
        weights.update(loaded)
    model = module.Model(module.ModelArgs.from_dict(config))
    if hasattr(model, "sanitize"):
        weights = model.sanitize(weights)
    quantization: dict[str, Any] | None = config.get("quantization")
    if quantization is not None and on_cpu:
        weights = _dequantized(weights, quantization)
    elif quantization is not None:
        per_layer = quantization

        def is_quantized(path: str, layer: Any) -> bool | dict[str, Any]:
            if isinstance(per_layer.get(path), dict):
                return dict(per_layer[path])
            return hasattr(layer, "to_quantized") and f"{path}.scales" in weights

        nn.quantize(
            model, group_size=quantization["group_size"], bits=quantization["bits"], class_predicate=is_quantized
        )
    if on_cpu:
        weights = {name: _float32(value) for name, value in weights.items()}
    model.eval()
    model.load_weights(list(weights.items()), strict=True)
    return model


def _dequantized(weights: dict[str, Any], quantization: dict[str, Any]) -> dict[str, Any]:
    import mlx.core as mx

    out: dict[str, Any] = {}
    for name, value in weights.items():
        layer, _, last = name.rpartition(".")
        if last in ("scales", "biases") and f"{layer}.scales" in weights:
            continue
        if last == "weight" and f"{layer}.scales" in weights:
            own = quantization.get(layer)
            settings = own if isinstance(own, dict) else quantization
            # The settings of one layer may be left out of the table; the shapes tell the bits.
            group_size = settings.get("group_size", quantization["group_size"])
            columns = weights[f"{layer}.scales"].shape[-1] * group_size
            bits = value.shape[-1] * 32 // columns
            scales, biases = _float32(weights[f"{layer}.scales"]), _float32(weights[f"{layer}.biases"])
            value = mx.dequantize(value, scales, biases, group_size=group_size, bits=bits)
        out[name] = value
    return out


def _float32(value: Any) -> Any:
    import mlx.core as mx

    return value.astype(mx.float32) if mx.issubdtype(value.dtype, mx.floating) else value


def _load_any(folder: Path, on_cpu: bool) -> Any:
    import mlx.core as mx
    from mlx_lm.utils import dequantize_model
    from mlx_lm.utils import load_model as load_with_mlx_lm

    model, _ = load_with_mlx_lm(folder, lazy=True)
    if on_cpu:
        model = dequantize_model(model)
        model.set_dtype(mx.float32)
    return model


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
