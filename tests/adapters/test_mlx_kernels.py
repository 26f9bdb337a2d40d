"""What numpy computes for MLX on a CPU: the same numbers as MLX's own."""

from collections.abc import Iterator

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx_lm.models import activations, base
from mlx_lm.models.base import create_causal_mask
from mlx_lm.models.cache import QuantizedKVCache

from impetus.adapters import mlx_kernels


@pytest.fixture(autouse=True)
def numbers() -> Iterator[None]:
    mx.random.seed(3)
    yield


def same(found: mx.array, expected: mx.array, *, within: float = 1e-5) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=within, atol=within)


@pytest.mark.parametrize("tokens", [1, 5])
def test_a_gate_opens_as_in_mlx_however_far_it_is_shut(tokens: int) -> None:
    gate, x = mx.random.normal((2, tokens, 16)) * 100, mx.random.normal((2, tokens, 16))
    same(mlx_kernels.swiglu(gate, x), activations.swiglu(gate, x))


@pytest.mark.parametrize("mask", ["none", "causal", "padded", "added"])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_that_of_mlx_with_every_mask(mask: str, heads: int) -> None:
    room = mx.random.normal((2, 2, heads, 20, 8))  # keys and values lie in rooms larger than what is in use
    queries, keys, values = mx.random.normal((2, 4, 5, 8)), room[0, :, :, :12], room[1, :, :, :12]
    given = {
        "none": None,
        "causal": "causal",
        "padded": create_causal_mask(5, offset=7, left_padding=mx.array([0, 3])),
        "added": mx.random.normal((5, 12)),
    }[mask]
    found = mlx_kernels.attention(queries, keys, values, None, 0.3, given)
    same(found, base.scaled_dot_product_attention(queries, keys, values, None, 0.3, given))


def test_attention_with_sinks_or_over_quantized_keys_is_left_to_mlx() -> None:
    queries, keys = mx.random.normal((1, 2, 1, 64)), mx.random.normal((1, 2, 4, 64))
    sinks = mx.random.normal((2,))
    expected = base.scaled_dot_product_attention(queries, keys, keys, None, 0.3, None, sinks=sinks)
    same(mlx_kernels.attention(queries, keys, keys, None, 0.3, None, sinks=sinks), expected)
    cache = QuantizedKVCache(group_size=64, bits=8)
    fewer = cache.update_and_fetch(keys, keys)
    expected = base.scaled_dot_product_attention(mx.array(queries), *fewer, cache, 0.3, None)
    same(mlx_kernels.attention(mx.array(queries), *fewer, cache, 0.3, None), expected)


@pytest.mark.parametrize("offset", [0, 300, "rows"])
@pytest.mark.parametrize("width", [8, 16], ids=["a part", "all"])
def test_places_turn_what_they_turn_in_mlx(offset: int | str, width: int) -> None:
    first = mx.array([2, 90]) if isinstance(offset, str) else offset
    x = mx.random.normal((2, 5, 3, 16)).transpose(0, 2, 1, 3)
    network = nn.Sequential(nn.RoPE(width, base=1000.0, scale=0.5))
    rope = network.layers[0]
    expected = rope(x, offset=first)
    mlx_kernels.use(network)
    assert type(rope) is not nn.RoPE
    same(rope(x, offset=first), expected, within=1e-4)


def test_norms_are_those_of_mlx() -> None:
    network = nn.Sequential(nn.RMSNorm(16, eps=1e-3))
    norm = network.layers[0]
    norm.weight = mx.random.normal((16,))
    x = mx.random.normal((2, 3, 5, 16)).transpose(0, 2, 1, 3)
    expected = norm(x)
    mlx_kernels.use(network)
    assert type(norm) is not nn.RMSNorm
    same(norm(x), expected)


def test_the_sum_of_exponentials_is_that_of_mlx_without_overflow() -> None:
    x = mx.random.normal((3, 50)) * 1000
    same(mlx_kernels.logsumexp(x), mx.logsumexp(x, axis=-1, keepdims=True))


def test_numbers_of_another_precision_are_left_to_mlx() -> None:
    x = mx.random.normal((1, 2, 4, 16)).astype(mx.float16)
    network = nn.Sequential(nn.RoPE(16), nn.RMSNorm(16))
    network.layers[1].set_dtype(mx.float16)
    expected = network(x)
    mlx_kernels.use(network)
    same(network(x), expected)
    same(mlx_kernels.swiglu(x, x), activations.swiglu(x, x))
    same(mlx_kernels.attention(x, x, x, None, 0.3, None), base.scaled_dot_product_attention(x, x, x, None, 0.3, None))
