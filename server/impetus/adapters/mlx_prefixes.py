"""Key-value caches of past prompts and answers, so that what a new prompt shares with one is not read again.

Caches are handed out and taken in as copies that share their arrays until one of them is written to, so several
sequences can begin with the same conversation at once.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache, can_trim_prompt_cache
from numpy.typing import NDArray

#: Each prompt is compared with every prefix.
MOST_PREFIXES = 64

Layers = list[Any]
Tokens = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Prefix:
    """`tokens` are exactly those that `layers` hold."""

    tokens: Tokens
    layers: Layers

    @property
    def nbytes(self) -> int:
        return nbytes(self.layers)


def nbytes(layers: Layers) -> int:
    return sum(int(layer.nbytes) for layer in layers)


class PrefixCache:
    """The most recently used prefixes, at most MOST_PREFIXES and within `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._kept: list[Prefix] = []  # least recently used first

    def shared(self, tokens: Tokens) -> int:
        """How many of the first `tokens` need not be read."""
        return self._find(tokens)[1]

    def take(self, tokens: Tokens, *, move: bool) -> tuple[Layers, int] | None:
        """Caches of the longest kept beginning of `tokens`, and how many tokens they hold.

        With `move` they are not kept here as well, unless most of what they hold belongs to something else. That
        spares a copy of the arrays, and is for those who will bring them back before anybody asks again.
        """
        best, shared = self._find(tokens)
        if best is None:
            return None
        self._kept = [prefix for prefix in self._kept if prefix is not best]
        if move and shared * 2 >= len(best.tokens):
            layers = best.layers
        else:
            layers = copy.deepcopy(best.layers)
            self._kept.append(best)
        surplus = len(best.tokens) - shared
        if surplus and [layer.trim(surplus) for layer in layers] != [surplus] * len(layers):
            return None  # the cache of a window that has moved on
        if surplus > shared:
            _drop_unused(layers)
        return layers, shared

    def put(self, tokens: Sequence[int], layers: Layers, *, copied: bool) -> None:
        """Keep `layers`, which hold exactly `tokens`. With `copied` the caller goes on to use its own.

        What is larger than the budget would drive all others out and then not fit itself.
        """
        if not tokens or not layers or nbytes(layers) > self._budget:
            return
        prefix = Prefix(np.asarray(tokens, np.int32), copy.deepcopy(layers) if copied else layers)
        for i, kept in enumerate(self._kept):
            if _covers(kept, prefix):
                self._kept.append(self._kept.pop(i))
                return
        self._kept = [kept for kept in self._kept if not _covers(prefix, kept)]
        self._kept.append(prefix)
        del self._kept[:-MOST_PREFIXES]
        self.shrink(self._budget)

    def shrink(self, budget: int) -> None:
        while self._kept and self.nbytes > budget:
            self._kept.pop(0)

    @property
    def nbytes(self) -> int:
        return sum(prefix.nbytes for prefix in self._kept)

    def _find(self, tokens: Tokens) -> tuple[Prefix | None, int]:
        best, longest = None, 0
        for prefix in reversed(self._kept):
            shared = _common(prefix.tokens, tokens)
            if shared > longest and (shared == len(prefix.tokens) or can_trim_prompt_cache(prefix.layers)):
                best, longest = prefix, shared
        return best, longest


def _covers(longer: Prefix, shorter: Prefix) -> bool:
    """Whether one can be trimmed to the other, which then need not be kept as well."""
    same = len(shorter.tokens) <= len(longer.tokens) and _common(longer.tokens, shorter.tokens) == len(shorter.tokens)
    return same and (len(shorter.tokens) == len(longer.tokens) or can_trim_prompt_cache(longer.layers))


def _common(left: Tokens, right: Tokens) -> int:
    length = min(len(left), len(right))
    differing = np.flatnonzero(left[:length] != right[:length])
    return int(differing[0]) if len(differing) else length


def _drop_unused(layers: Layers) -> None:
    """Give up the room behind what was trimmed: the next write would copy it along."""
    for layer in layers:
        if type(layer) is KVCache and layer.keys is not None:
            layer.keys = mx.contiguous(layer.keys[..., : layer.offset, :])
            layer.values = mx.contiguous(layer.values[..., : layer.offset, :])
