"""What MLX is slow at on a CPU, by numpy.

Its exponentials there come one number at a time, and each step of a formula is handed to another thread. That was half
of the time of a token and of a chunk of a prompt (docs/performance.md).
"""

import sys
from functools import lru_cache
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.models import activations, base
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Stands for a place that must not be looked at; as in MLX, a row of nothing else looks at all alike.
NEVER = np.finfo(np.float32).min


def use(network: Any) -> None:
    """Let `network` compute as below: at once, not when a result is asked for.

    mlx-lm's models import its functions by name, so they are exchanged in the modules that the layers come from.
    """
    for layer in network.modules():
        if type(layer) is nn.RMSNorm:
            layer.__class__ = _Norm
        elif type(layer) is nn.RoPE and not layer.traditional:
            layer.__class__ = _Rope
    exchanged = (
        ("swiglu", activations.swiglu, swiglu),
        ("scaled_dot_product_attention", base.scaled_dot_product_attention, attention),
    )
    for module in {sys.modules[type(layer).__module__] for layer in network.modules()}:
        for name, theirs, ours in exchanged:
            if getattr(module, name, None) is theirs:
                setattr(module, name, ours)


class _Norm(nn.RMSNorm):  # type: ignore[misc]
    def __call__(self, x: mx.array) -> mx.array:
        if x.dtype != mx.float32:
            given: mx.array = super().__call__(x)
            return given
        numbers: Floats = np.asarray(x)
        squares = np.einsum("...i,...i->...", numbers, numbers)[..., None]
        out = numbers * (1 / np.sqrt(squares / np.float32(numbers.shape[-1]) + np.float32(self.eps)))
        out *= np.asarray(self.weight)
        return mx.array(out)


class _Rope(nn.RoPE):  # type: ignore[misc]
    def __call__(self, x: mx.array, offset: int | mx.array = 0) -> mx.array:
        """`x` (rows, heads, tokens, width) turned by places; `offset` is the first token's, in all rows or in each."""
        if x.dtype != mx.float32:
            given: mx.array = super().__call__(x, offset)
            return given
        numbers: Floats = np.asarray(x)
        half = self.dims // 2
        sine, cosine = _turns(half, self.base, self.scale, np.asarray(offset, np.int64).tobytes(), x.shape[-2])
        low, high = numbers[..., :half], numbers[..., half : self.dims]
        out = np.empty(numbers.shape, np.float32)
        out[..., :half] = low * cosine - high * sine
        out[..., half : self.dims] = low * sine + high * cosine
        out[..., self.dims :] = numbers[..., self.dims :]
        return mx.array(out)


@lru_cache(maxsize=2)
def _turns(half: int, base: float, scale: float, offsets: bytes, tokens: int) -> tuple[Floats, Floats]:
    """Sines and cosines of the angles that places turn by; every layer of a step asks for the same."""
    places = np.frombuffer(offsets, np.int64).reshape(-1, 1, 1, 1) + np.arange(tokens)[:, None]
    angles = (places * scale * base ** (-np.arange(half) / half)).astype(np.float32)
    return np.sin(angles), np.cos(angles)


def swiglu(gate: mx.array, x: mx.array) -> mx.array:
    if gate.dtype != mx.float32 or x.dtype != mx.float32:
        given: mx.array = activations.swiglu(gate, x)
        return given
    mx.eval(gate, x)
    gates: Floats = np.asarray(gate)
    out = np.negative(gates)
    with np.errstate(over="ignore"):  # x / inf is the 0 that is meant
        np.exp(out, out=out)
    out += 1
    np.divide(gates, out, out=out)
    out *= np.asarray(x)
    return mx.array(out)


def attention(
    queries: mx.array, keys: Any, values: Any, cache: Any, scale: float, mask: Any, sinks: mx.array | None = None
) -> mx.array:
    """Each of `queries` (rows, heads, tokens, width) over `keys` and `values`, which may have fewer heads."""
    if sinks is not None or hasattr(cache, "bits") or {queries.dtype, keys.dtype, values.dtype} != {mx.float32}:
        given: mx.array = base.scaled_dot_product_attention(queries, keys, values, cache, scale, mask, sinks)
        return given
    mx.eval(queries, keys, values)
    rows, heads, tokens, width = queries.shape
    # The heads that share keys are one matrix: fewer and larger products.
    asking = np.asarray(queries).reshape(rows, keys.shape[1], -1, width) * np.float32(scale)
    weights: Floats = asking @ np.asarray(keys).swapaxes(-1, -2)
    _hide(weights.reshape(rows, heads, tokens, -1), mask)
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    return mx.array((weights @ np.asarray(values)).reshape(rows, heads, tokens, -1))


def logsumexp(x: mx.array) -> mx.array:
    """Over the last axis of `x` of float32, which is kept with a single number."""
    if mx.default_device() != mx.Device(mx.cpu):
        return mx.logsumexp(x, axis=-1, keepdims=True)
    numbers: Floats = np.asarray(x)
    most = numbers.max(axis=-1, keepdims=True)
    return mx.array(most + np.log(np.exp(numbers - most).sum(axis=-1, keepdims=True)))


def _hide(weights: Floats, mask: Any) -> None:
    """Apply what mlx-lm gives as a mask to `weights` (rows, heads, tokens, places), where they stand."""
    if mask is None:
        return
    tokens, places = weights.shape[-2:]
    if isinstance(mask, str):  # "causal": the tokens are the last places
        np.copyto(weights[..., places - tokens :], NEVER, where=np.triu(np.ones((tokens, tokens), np.bool_), 1))
    elif mask.dtype == mx.bool_:
        np.copyto(weights, NEVER, where=np.logical_not(mask))
    else:
        weights += np.asarray(mask)
