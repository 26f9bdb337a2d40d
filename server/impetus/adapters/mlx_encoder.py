"""A text encoder computed with MLX: on the GPU of a Mac, on a Linux CPU for tests.

Float32 on purpose: vectors of all backends lie in one space, and an encoder is small.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from impetus.adapters import mlx_loader
from impetus.adapters.encoder_folder import Encoder, EncoderFolder, Weights, padded

#: Tokens computed at once, padding included.
_TOKENS = 4_096


def backend(folder: EncoderFolder) -> Callable[[Sequence[Sequence[int]]], Weights]:
    """For `LocalEmbedder`, on the thread that loaded it."""
    encoder = MlxEncoder(folder.load())
    return lambda rows: encoder.encode(rows, folder.pooling)


class MlxEncoder:
    """Weights on the device. Use it on one thread."""

    def __init__(self, encoder: Encoder) -> None:
        mlx_loader.prepare()
        import mlx.core as mx

        self._mx = mx
        self._encoder: Any = _moved(encoder, mx.array)  # an `Encoder` of MLX arrays

    def encode(self, rows: Sequence[Sequence[int]], pooling: str) -> Weights:
        """Unit vectors, (rows, width), of token ids."""
        out = np.zeros((len(rows), self._encoder.width), np.float32)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        while order:
            length = len(rows[order[-1]])
            count = max(1, _TOKENS // length)
            part, order = order[-count:], order[:-count]
            out[part] = np.array(self._pooled([rows[number] for number in part], length, pooling))
        return out

    def _pooled(self, rows: Sequence[Sequence[int]], length: int, pooling: str) -> Any:
        mx = self._mx
        ids, seen = padded(rows, length)
        x, mask = self._hidden(mx.array(ids), mx.array(seen)), mx.array(seen)
        pooled = x[:, 0] if pooling == "cls" else (x * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return pooled / mx.linalg.norm(pooled, axis=1, keepdims=True)

    def _hidden(self, ids: Any, mask: Any) -> Any:
        mx, encoder = self._mx, self._encoder
        count, length = ids.shape
        size = encoder.width // encoder.heads
        x = encoder.words[ids]
        if encoder.positions is not None:
            x = x + encoder.positions[:length]
        x = self._norm(x, encoder.norm)
        unseen = ((mask - 1) * 1e9)[:, None, None, :]
        for layer in encoder.layers:
            query, key, value = (
                _linear(x, part).reshape(count, length, encoder.heads, size).transpose(0, 2, 1, 3)
                for part in (layer.query, layer.key, layer.value)
            )
            if encoder.rotary_base is not None:
                query, key = self._rotated(query, size), self._rotated(key, size)
            seen = mx.fast.scaled_dot_product_attention(query, key, value, scale=size**-0.5, mask=unseen)
            seen = seen.transpose(0, 2, 1, 3).reshape(count, length, encoder.width)
            x = self._norm(x + _linear(seen, layer.out), layer.norm)
            x = self._norm(x + _linear(self._inner(x, layer), layer.down), layer.last_norm)
        return x

    def _inner(self, x: Any, layer: Any) -> Any:
        mx = self._mx
        up = _linear(x, layer.up)
        if layer.gate is None:
            return up * (1 + mx.erf(up / 2**0.5)) / 2
        gate = _linear(x, layer.gate)
        return up * gate * mx.sigmoid(gate)

    def _rotated(self, x: Any, size: int) -> Any:
        return self._mx.fast.rope(x, size, traditional=False, base=self._encoder.rotary_base, scale=1.0, offset=0)

    def _norm(self, x: Any, norm: Any) -> Any:
        return self._mx.fast.layer_norm(x, norm.gamma, norm.beta, self._encoder.epsilon)


def _linear(x: Any, linear: Any) -> Any:
    y = x @ linear.weight.T
    return y if linear.bias is None else y + linear.bias


def _moved(value: Any, move: Callable[[Weights], Any]) -> Any:
    """The same dataclasses with every array moved."""
    if isinstance(value, np.ndarray):
        return move(value)
    if isinstance(value, tuple):
        return tuple(_moved(item, move) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _moved(getattr(value, field.name), move) for field in fields(value)})
    return value
