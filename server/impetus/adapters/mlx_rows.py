"""Products of a single row on a CPU, by numpy.

MLX multiplies by BLAS's gemm there, which copies all weights into another order before it uses them: for one row that
is most of its time, and one row is what a sequence that decodes alone has. numpy takes gemv, which reads them once.
"""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

#: Rows up to which gemv, once for each, is faster than gemm.
MOST_ROWS = 2


def use(network: Any) -> None:
    """Let the layers of `network`, whose weights are evaluated and float32, compute few rows so.

    Such a product is computed at once, not when its result is asked for.
    """
    for _, module in network.named_modules():
        if type(module) is nn.Linear:
            module.__class__ = _Linear
        elif type(module) is nn.Embedding:
            module.__class__ = _Embedding


def used_by(network: Any) -> bool:
    return isinstance(network, nn.Module) and any(isinstance(module, _Linear) for _, module in network.named_modules())


class _Linear(nn.Linear):  # type: ignore[misc]
    def __call__(self, x: mx.array) -> mx.array:
        if _rows(x) > MOST_ROWS:
            whole: mx.array = super().__call__(x)
            return whole
        y = _product(x, self.weight)
        return y + self.bias if "bias" in self else y


class _Embedding(nn.Embedding):  # type: ignore[misc]
    def as_linear(self, x: mx.array) -> mx.array:
        return _product(x, self.weight) if _rows(x) <= MOST_ROWS else mx.matmul(x, self.weight.T)


def _rows(x: mx.array) -> int:
    return x.size // x.shape[-1]


def _product(x: mx.array, weight: mx.array) -> mx.array:
    """`x` (..., width) times the transpose of `weight` (outputs, width)."""
    matrix: NDArray[np.float32] = np.asarray(weight)  # the same memory
    rows: NDArray[np.float32] = np.asarray(x).reshape(-1, x.shape[-1])
    return mx.array(np.stack([matrix @ row for row in rows])).reshape(*x.shape[:-1], -1)
