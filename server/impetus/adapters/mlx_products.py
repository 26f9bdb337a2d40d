"""Products with weights on a CPU, by numpy, whose OpenBLAS is there on every machine.

MLX has reference BLAS there, or the OpenBLAS of the system (`blas.py`); both copy all weights for a single row, which
is what a sequence that decodes alone has, where numpy takes gemv. All products of a network are numpy's, those of many
rows too: the threads of two BLAS wait busily, each for its own work, and take the processor from each other.
"""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

#: More tokens of a sequence than this are a part of its prompt, which nobody needs the logits of.
MOST_WITH_LOGITS = 4


def use(network: Any) -> None:
    """Let the layers of `network`, whose weights are evaluated and float32, compute so.

    Such a product is computed at once, not when its result is asked for; but logits of a prompt still are not.
    """
    for name, module in network.named_modules():
        if type(module) is nn.Linear:
            module.__class__ = _Head if name.endswith("lm_head") else _Linear
            _turn(module)
        elif type(module) is nn.Embedding:
            module.__class__ = _Embedding
    mx.clear_cache()  # the room of the weights as they lay before


def used_by(network: Any) -> bool:
    return isinstance(network, nn.Module) and any(isinstance(module, _Linear) for _, module in network.named_modules())


class _Linear(nn.Linear):  # type: ignore[misc]
    def __call__(self, x: mx.array) -> mx.array:
        y = _product(x, self.weight)
        return y + self.bias if "bias" in self else y


class _Head(_Linear):
    def __call__(self, x: mx.array) -> mx.array:
        if x.shape[-2] <= MOST_WITH_LOGITS:
            return super().__call__(x)
        later: mx.array = nn.Linear.__call__(self, x)
        return later


class _Embedding(nn.Embedding):  # type: ignore[misc]
    def as_linear(self, x: mx.array) -> mx.array:
        return _product(x, self.weight) if x.shape[-2] <= MOST_WITH_LOGITS else mx.matmul(x, self.weight.T)


def _turn(layer: nn.Linear) -> None:
    """Lay the weights out in memory by inputs instead of outputs: BLAS reads them so without copying them first."""
    layer.weight = mx.contiguous(layer.weight.T).T
    mx.eval(layer.weight)


def _product(x: mx.array, weight: mx.array) -> mx.array:
    """`x` (..., width) times the transpose of `weight` (outputs, width)."""
    matrix: NDArray[np.float32] = np.asarray(weight)  # the same memory
    rows: NDArray[np.float32] = np.asarray(x).reshape(-1, x.shape[-1])
    return mx.array(rows @ matrix.T).reshape(*x.shape[:-1], -1)
