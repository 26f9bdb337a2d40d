"""Muon for the matrices of the layers: momentum, made orthogonal by a Newton-Schulz iteration.

Method and coefficients: Keller Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024).
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class Muon:
    """Every process of a group takes the same step, so gradients must be averaged before."""

    def __init__(self, parameters: Iterable[Tensor], *, momentum: float = 0.95, decay: float = 0.05) -> None:
        by_shape: dict[tuple[int, ...], list[Tensor]] = defaultdict(list)
        for parameter in parameters:
            by_shape[tuple(parameter.shape)].append(parameter)
        self._groups = list(by_shape.values())
        self._momenta = [torch.zeros_like(torch.stack([p.data for p in group])) for group in self._groups]
        self._momentum = momentum
        self._decay = decay
        on_gpu = self._groups[0][0].is_cuda
        self._orthogonal = torch.compile(orthogonal, dynamic=False) if on_gpu else orthogonal

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, rate: float) -> None:
        for group, momenta in zip(self._groups, self._momenta, strict=True):
            gradients = torch.stack([parameter.grad for parameter in group])
            momenta.lerp_(gradients, 1 - self._momentum)
            update = self._orthogonal(gradients.lerp(momenta, self._momentum))
            rows, columns = update.shape[-2:]
            scale = rate * max(1.0, rows / columns) ** 0.5
            torch._foreach_mul_(group, 1 - rate * self._decay)
            torch._foreach_add_(group, list(update.float().unbind()), alpha=-scale)


def orthogonal(stack: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix of each matrix in a stack (n, rows, columns), roughly."""
    a, b, c = _COEFFICIENTS
    x = stack.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
