"""Products of single rows: the same numbers as MLX's own, for few rows and for many."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from impetus.adapters import mlx_products


class Network(nn.Module):
    def __init__(self, *, bias: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.layer = nn.Linear(16, 16, bias=bias)

    def __call__(self, tokens: mx.array) -> mx.array:
        hidden = self.layer(self.words(tokens)) + self.words(tokens)
        return self.words.as_linear(self.layer(hidden))


@pytest.fixture(params=[False, True], ids=["without bias", "with bias"])
def network(request: pytest.FixtureRequest) -> Network:
    mx.random.seed(1)
    made = Network(bias=request.param)
    mx.eval(made.parameters())
    return made


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 3), (4, 5)], ids=str)
def test_the_numbers_are_those_of_mlx(network: Network, shape: tuple[int, int]) -> None:
    tokens = mx.array(np.arange(shape[0] * shape[1]).reshape(shape))
    expected = np.asarray(network(tokens))
    mlx_products.use(network)
    assert mlx_products.used_by(network)
    found = np.asarray(network(tokens))
    assert found.shape == (*shape, 50)
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_row_whose_numbers_lie_apart_in_memory_is_read_right(network: Network) -> None:
    row = mx.arange(32, dtype=mx.float32)[None, ::2]
    expected = np.asarray(network.layer(row))
    mlx_products.use(network)
    assert np.asarray(network.layer(row)) == pytest.approx(expected, abs=1e-3)


def test_layers_that_are_already_of_another_kind_are_left_alone() -> None:
    network = nn.Sequential(nn.QuantizedLinear(64, 64), nn.ReLU())
    mlx_products.use(network)
    assert not mlx_products.used_by(network)
