"""A small model's guesses at what one sequence goes on with, for speculative decoding.

The guesses decide nothing: `mlx_drafted` draws every token from the large network. Here is only what the small one has
read of the sequence, kept as long as the sequence, and for the next turn of a conversation in its model's prefix cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import KVCache, QuantizedKVCache, make_prompt_cache

from impetus.adapters.mlx_prefixes import Layers, PrefixCache, nbytes

#: Tokens read in one step, as of prompts.
CHUNK = 256

#: So few unread tokens are read together with the first guess.
FEW_TOKENS = 4


@dataclass(slots=True)
class SmallModel:
    """`network` is mlx-lm's model, None once it was unloaded; ids from `vocabulary` on are padding."""

    network: Any
    prefixes: PrefixCache
    context_length: int
    vocabulary: int


def trimmable(layers: Layers) -> bool:
    """Whether any number of tokens can be taken back; a sliding window forgets what they pushed out."""
    return all(type(layer) in (KVCache, QuantizedKVCache) for layer in layers)


class Draft:
    """`tokens`, wherever they are asked for, are all of the sequence, the one that the network is fed next included."""

    def __init__(self, model: SmallModel) -> None:
        self._model = model
        self._layers: Layers | None = None  # None: nothing was read yet
        self._held = 0  # tokens in them

    @property
    def nbytes(self) -> int:
        return nbytes(self._layers or [])

    def usable(self, tokens: Sequence[int], count: int) -> bool:
        """Whether it can guess the next `count` tokens, perhaps after it has read more."""
        network = self._model.network
        return (
            network is not None
            and len(tokens) + count <= self._model.context_length
            and trimmable(self._layers if self._layers is not None else make_prompt_cache(network))
        )

    def ready(self, tokens: Sequence[int]) -> bool:
        """Whether enough was read to guess at once."""
        return self._layers is not None and len(tokens) - self._held <= FEW_TOKENS

    def read(self, tokens: Sequence[int]) -> None:
        """A chunk of what is unread; the last token is left for `guess`."""
        if self._layers is None:
            found = self._model.prefixes.take(np.asarray(tokens[:-1], np.int32), move=True)
            self._layers, self._held = found or (make_prompt_cache(self._model.network), 0)
        chunk = tokens[self._held : min(self._held + CHUNK, len(tokens) - 1)]
        if chunk:
            self._model.network(mx.array([chunk]), cache=self._layers)
            mx.eval([layer.state for layer in self._layers])
            self._held += len(chunk)

    def guess(self, tokens: Sequence[int], count: int) -> Any:
        """(count,): what it finds most likely, one after another, perhaps still being computed."""
        fed = mx.array([tokens[self._held :]])
        guesses: list[Any] = []
        for _ in range(count):
            logits = self._model.network(fed, cache=self._layers)[:, -1, : self._model.vocabulary]
            guesses.append(mx.argmax(logits, axis=-1))
            fed = guesses[-1][:, None]
        self._held = len(tokens) + count - 1
        return mx.concatenate(guesses)

    def settle(self, count: int) -> None:
        """Only the first `count` tokens of what was read and guessed have come true."""
        surplus = self._held - count
        if surplus > 0:
            for layer in self._layers or []:
                layer.trim(surplus)
            self._held = count

    def close(self, tokens: Sequence[int]) -> None:
        """The sequence goes, with these tokens."""
        self.settle(len(tokens))
        if self._model.network is not None and self._layers is not None:
            self._model.prefixes.put(tokens[: self._held], self._layers, copied=False)
        self._layers = None
