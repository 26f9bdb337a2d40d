"""A text encoder computed in numpy, float32: runs on any machine, and is what every other backend is compared with."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from impetus.adapters import blas
from impetus.adapters.encoder_folder import Encoder, EncoderFolder, Linear, Norm, Weights, padded

#: Tokens computed at once, padding included; more gains nothing on a CPU and makes a step long.
_TOKENS = 2_048
#: Elements of one pass of an activation function: what stays in a core's cache.
_PASS = 65_536


def backend(folder: EncoderFolder) -> Callable[[Sequence[Sequence[int]]], Weights]:
    """For `LocalEmbedder`. Safe to use from several threads."""
    blas.one_thread_for_numpy()
    encoder = folder.load()
    return lambda rows: encode(encoder, rows, folder.pooling)


def encode(encoder: Encoder, rows: Sequence[Sequence[int]], pooling: str) -> Weights:
    """Unit vectors, (rows, width), of token ids. Rows of like length are computed together."""
    out = np.zeros((len(rows), encoder.width), np.float32)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    while order:
        count = max(1, _TOKENS // max(1, len(rows[order[-1]])))
        part, order = order[-count:], order[:-count]
        out[part] = _encode([rows[number] for number in part], encoder, pooling)
    return out


def _encode(rows: Sequence[Sequence[int]], encoder: Encoder, pooling: str) -> Weights:
    length = max(map(len, rows))
    ids, mask = padded(rows, length)
    return pooled(hidden(encoder, ids, mask), mask, pooling)


def hidden(encoder: Encoder, ids: np.ndarray, mask: Weights) -> Weights:
    """(rows, length, width): what the last layer says of each token."""
    count, length = ids.shape
    x = encoder.words[ids]
    if encoder.positions is not None:
        x = x + encoder.positions[:length]
    x = _norm(x, encoder.norm, encoder.epsilon)
    unseen = ((mask - 1) * np.float32(1e9))[:, None, None, :]
    rotary = encoder.rotary(length) if encoder.rotary_base is not None else None
    size = encoder.width // encoder.heads
    scale = np.float32(size**-0.5)

    def heads(values: Weights) -> Weights:
        return values.reshape(count, length, encoder.heads, size).transpose(0, 2, 1, 3)

    for layer in encoder.layers:
        query, key, value = (heads(_linear(x, part)) for part in (layer.query, layer.key, layer.value))
        if rotary is not None:
            query, key = _rotated(query, *rotary), _rotated(key, *rotary)
        seen = _softmax(query @ key.transpose(0, 1, 3, 2) * scale + unseen) @ value
        seen = seen.transpose(0, 2, 1, 3).reshape(count, length, encoder.width)
        x = _norm(x + _linear(seen, layer.out), layer.norm, encoder.epsilon)
        inner = _linear(x, layer.up)
        if layer.gate is None:
            _gelu(inner)
        else:
            gate = _linear(x, layer.gate)
            inner *= gate / (1 + np.exp(-gate))
        x = _norm(x + _linear(inner, layer.down), layer.last_norm, encoder.epsilon)
    return x


def pooled(x: Weights, mask: Weights, pooling: str) -> Weights:
    """(rows, width), of unit length."""
    if pooling == "cls":
        vectors = x[:, 0]
    else:
        weight = mask / mask.sum(axis=1, keepdims=True)
        vectors = np.matmul(weight[:, None, :], x)[:, 0]
    return cast(Weights, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _linear(x: Weights, linear: Linear) -> Weights:
    flat = x.reshape(-1, x.shape[-1]) @ linear.weight.T
    if linear.bias is not None:
        flat += linear.bias
    return flat.reshape(*x.shape[:-1], -1)


def _norm(x: Weights, norm: Norm, epsilon: float) -> Weights:
    x = x - x.mean(axis=-1, keepdims=True)
    x /= np.sqrt(np.einsum("...c,...c->...", x, x)[..., None] / x.shape[-1] + np.float32(epsilon))
    x *= norm.gamma
    x += norm.beta
    return x


def _softmax(x: Weights) -> Weights:
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


def _rotated(x: Weights, cos: Weights, sin: Weights) -> Weights:
    half = x.shape[-1] // 2
    turned = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    return cast(Weights, x * cos + turned * sin)


def _gelu(x: Weights) -> None:
    """x · Φ(x) in place. erf after Abramowitz and Stegun 7.1.26, error below 1.5e-7."""
    flat = x.reshape(-1)
    for start in range(0, len(flat), _PASS):
        part = flat[start : start + _PASS]
        z = np.abs(part) * np.float32(0.70710678)
        t = 1 / (1 + np.float32(0.3275911) * z)
        poly = t * np.float32(1.061405429)
        for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            poly += np.float32(factor)
            poly *= t
        z *= z
        np.negative(z, out=z)
        np.exp(z, out=z)
        poly *= z
        np.subtract(1, poly, out=poly)  # erf(|z|)
        np.copysign(poly, part, out=poly)
        poly += 1
        part *= poly
        part *= np.float32(0.5)
