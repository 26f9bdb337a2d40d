"""Weights in the layout and the 8-bit affine quantization of MLX, to ship and to go on from.

A matrix row is cut into groups of 64; a group is `scale * q + bias` with q of 0 to 255, four to a little-endian word.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

GROUP = 64
BITS = 8

Weights = Mapping[str, NDArray[np.float32]]


def save(weights: Weights, path: Path) -> None:
    """Write float32 parameters of `model.Model`, by their names there; `path` is complete or as it was."""
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, values in weights.items():
        stored = _folder_name(name)
        if values.ndim == 2:
            layer = stored.removesuffix(".weight")
            packed, scales, biases = quantize(values)
            tensors |= {stored: packed, f"{layer}.scales": scales, f"{layer}.biases": biases}
        else:
            tensors[stored] = values.astype(np.float16)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"format": "mlx"})
    partial.replace(path)


def load(path: Path, names: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """Read the parameters `names` of a written file."""
    tensors = load_file(path)
    weights = {}
    for name in names:
        stored = _folder_name(name)
        layer = stored.removesuffix(".weight")
        if f"{layer}.scales" in tensors:
            weights[name] = dequantize(tensors[stored], tensors[f"{layer}.scales"], tensors[f"{layer}.biases"])
        else:
            weights[name] = tensors[stored].astype(np.float32)
    return weights


def quantize(
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.uint32], NDArray[np.float16], NDArray[np.float16]]:
    """(rows, columns) to packed words (rows, columns / 4), scales and biases (rows, columns / 64)."""
    groups = weights.reshape(weights.shape[0], -1, GROUP)
    biases = groups.min(-1).astype(np.float16)
    scales = ((groups.max(-1) - biases.astype(np.float32)) / (2**BITS - 1)).astype(np.float16)
    divisor = np.maximum(scales.astype(np.float32), 1e-7)[..., None]
    levels = np.rint((groups - biases.astype(np.float32)[..., None]) / divisor)
    codes = np.clip(levels, 0, 2**BITS - 1).astype(np.uint8)
    return codes.reshape(weights.shape).view("<u4"), scales, biases


def dequantize(
    packed: NDArray[np.uint32], scales: NDArray[np.float16], biases: NDArray[np.float16]
) -> NDArray[np.float32]:
    codes = packed.view(np.uint8).reshape(packed.shape[0], -1, GROUP).astype(np.float32)
    groups = codes * scales.astype(np.float32)[..., None] + biases.astype(np.float32)[..., None]
    return groups.reshape(packed.shape[0], -1)


def _folder_name(name: str) -> str:
    """The name of a parameter in a model folder: norms and the embedding are modules of their own there."""
    return f"model.{name}" if name.endswith(".weight") else f"model.{name}.weight"
