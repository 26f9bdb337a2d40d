"""Tokens from a model's logits, each row by its own request's settings and random numbers.

Nothing here waits for the device: the next step of a batch can be queued before the tokens of this one are known, so
penalties count in arrays. The global random state is never touched; what a request draws depends on its seed alone.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p

from impetus.adapters.mlx_grammar import Grammar
from impetus.adapters.mlx_kernels import logsumexp
from impetus.domain.types import Sampling

#: How many tokens of the prompt the repetition penalty looks back at.
REPETITION_WINDOW = 64


@dataclass(frozen=True, slots=True)
class Draw:
    """`logprob` is the model's own, before any setting; `likely` the most likely tokens with theirs, best first."""

    token: int
    logprob: float
    likely: tuple[tuple[int, float], ...] = ()


@dataclass(slots=True)
class Drawn:
    """One token for each row, perhaps still being computed."""

    tokens: Any  # (rows,)
    logprobs: Any  # (rows,)
    likely: list[tuple[Any, Any] | None]  # for each row that asked: ids (k,), log-probabilities (k,)

    def arrays(self) -> list[Any]:
        return [self.tokens, self.logprobs, *[array for pair in self.likely if pair is not None for array in pair]]

    def keep(self, rows: list[int]) -> "Drawn":
        return Drawn(self.tokens[rows], self.logprobs[rows], [self.likely[row] for row in rows])

    def read(self) -> list[Draw]:
        """Waits until the rows are there."""
        mx.eval(self.arrays())
        draws = []
        pairs = zip(self.tokens.tolist(), self.logprobs.tolist(), self.likely, strict=True)
        for token, logprob, likely in pairs:
            best = sorted(zip(likely[0].tolist(), likely[1].tolist(), strict=True), key=_falling) if likely else []
            draws.append(Draw(token, logprob, tuple(best)))
        return draws


def _falling(pair: tuple[int, float]) -> float:
    return -pair[1]


class Sampler:
    """How one sequence draws."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int], grammar: Grammar | None = None) -> None:
        self._sampling = sampling
        self.grammar = grammar
        seed = sampling.seed if sampling.seed is not None else secrets.randbits(63)
        self._key = mx.random.key(seed % (1 << 63))
        self._penalized = sampling.presence_penalty != 0 or sampling.frequency_penalty != 0
        self._repetition = sampling.repetition_penalty not in (0.0, 1.0)
        self._prompt_end = list(prompt[-REPETITION_WINDOW:])
        self._counts: Any = None  # (1, vocabulary): how often each token was generated
        self._prompted: Any = 0  # (1, vocabulary): whether a token stands at the prompt's end
        #: Whether a row is drawn by its greatest logit as it is.
        self.plain = sampling.temperature <= 0 and not (
            self._penalized or self._repetition or sampling.logit_bias or grammar is not None
        )
        self.alternatives = sampling.top_logprobs or 0

    def draw(self, logits: Any) -> Any:
        """(1,): the next token of this sequence from its row (1, vocabulary) of float32."""
        logits = self._adjusted(logits)
        token = self._choose(logits)
        if self._counts is not None:
            self._counts = self._counts.at[:, token].add(1)
        return token

    def _choose(self, logits: Any) -> Any:
        settings = self._sampling
        if settings.temperature <= 0:
            return mx.argmax(logits, axis=-1)
        scores = logits - logsumexp(logits)
        if 0 < settings.top_p < 1:
            scores = apply_top_p(scores, settings.top_p)
        if settings.min_p > 0:
            scores = apply_min_p(scores, settings.min_p)
        if 0 < settings.top_k < scores.shape[-1]:
            scores = apply_top_k(scores, settings.top_k)
        self._key, key = mx.random.split(self._key)
        return mx.random.categorical(scores * (1 / settings.temperature), key=key)

    def _adjusted(self, logits: Any) -> Any:
        settings = self._sampling
        if self._counts is None and (self._penalized or self._repetition):
            self._counts = mx.zeros_like(logits)
            if self._repetition and self._prompt_end:
                self._prompted = mx.zeros_like(logits).at[:, mx.array(self._prompt_end)].add(1)
        if self._repetition:
            penalty = settings.repetition_penalty
            worse = mx.where(logits < 0, logits * penalty, logits / penalty)
            logits = mx.where(self._counts + self._prompted > 0, worse, logits)
        if self._penalized:
            logits = logits - settings.presence_penalty * (self._counts > 0) - settings.frequency_penalty * self._counts
        if settings.logit_bias:
            tokens, values = zip(*settings.logit_bias, strict=True)
            logits = logits.at[:, mx.array(tokens)].add(mx.array(values))
        if self.grammar is not None:
            allowed = mx.array(self.grammar.allowed(logits.shape[-1]))
            logits = mx.where(allowed, logits, -mx.inf)
        return logits


def draw(logits: Any, samplers: Sequence[Sampler]) -> Drawn:
    """One token a row of `logits` (rows, vocabulary)."""
    logits = logits.astype(mx.float32)
    if all(sampler.plain for sampler in samplers):
        tokens: Any = mx.argmax(logits, axis=-1)
    else:
        tokens = mx.concatenate([sampler.draw(logits[row : row + 1]) for row, sampler in enumerate(samplers)])
    total = logsumexp(logits)[:, 0]
    logprobs = mx.take_along_axis(logits, tokens[:, None], axis=-1)[:, 0] - total
    likely = [
        _likely(logits[row] - total[row], sampler.alternatives) if sampler.alternatives else None
        for row, sampler in enumerate(samplers)
    ]
    return Drawn(tokens, logprobs, likely)


def _likely(logprobs: Any, count: int) -> tuple[Any, Any]:
    count = min(count, logprobs.shape[-1])
    best = mx.argpartition(-logprobs, count - 1)[:count]
    return best, logprobs[best]
