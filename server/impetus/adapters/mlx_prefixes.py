"""Finished key-value caches of recent prompts, so that the part a new prompt shares with one is not read again.

Whoever takes a cache owns it until it is put back; two running generations therefore never share one.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlx_lm.models.cache import can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache


@dataclass(slots=True)
class Prefix:
    """`tokens` are exactly those that `layers` hold."""

    tokens: list[int]
    layers: list[Any]

    @property
    def nbytes(self) -> int:
        return sum(int(layer.nbytes) for layer in self.layers)


class PrefixCache:
    """The most recently used prefixes within `entries` and `budget` bytes; the newest is kept whatever its size."""

    def __init__(self, *, entries: int = 4, budget: int = 1 << 30) -> None:
        self._entries = entries
        self._budget = budget
        self._kept: list[Prefix] = []  # oldest first

    def take(self, model: Any, prompt: Sequence[int]) -> Prefix:
        """The longest kept prefix of `prompt` (its last token always left to read), or an empty one."""
        best, shared = None, 0
        for prefix in self._kept:
            length = _common(prefix.tokens, prompt)
            length = min(length, len(prompt) - 1)
            usable = length == len(prefix.tokens) or can_trim_prompt_cache(prefix.layers)
            if usable and length > shared:
                best, shared = prefix, length
        if best is None:
            return Prefix([], make_prompt_cache(model))
        if shared * 2 < len(best.tokens):
            # Most of it belongs to another conversation, which will come back for it.
            best = Prefix(list(best.tokens), copy.deepcopy(best.layers))
        else:
            self._kept = [prefix for prefix in self._kept if prefix is not best]
        if shared < len(best.tokens):
            trim_prompt_cache(best.layers, len(best.tokens) - shared)
            del best.tokens[shared:]
        return best

    def put(self, prefix: Prefix) -> None:
        if not prefix.tokens:
            return
        self._kept.append(prefix)
        while len(self._kept) > 1 and (len(self._kept) > self._entries or self.nbytes > self._budget):
            self._kept.pop(0)

    @property
    def nbytes(self) -> int:
        return sum(prefix.nbytes for prefix in self._kept)

    def clear(self) -> None:
        self._kept.clear()


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    for i, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return i
    return min(len(left), len(right))
