"""One token from a model's logits, by the request's own settings and its own random numbers.

Penalties as OpenAI defines them: presence and frequency look at what was generated; repetition also at the prompt's
end. The global random state is never touched, so that requests cannot disturb each other.
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

import mlx.core as mx
from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p

from impetus.domain.types import Sampling

#: How many tokens of the prompt the repetition penalty looks back at.
REPETITION_WINDOW = 64


class Sampler:
    def __init__(self, sampling: Sampling, prompt: Sequence[int]) -> None:
        self._sampling = sampling
        seed = sampling.seed if sampling.seed is not None else secrets.randbits(63)
        self._key = mx.random.key(seed % (1 << 63))
        self._generated: Counter[int] = Counter()
        self._seen = set(prompt[-REPETITION_WINDOW:])
        self.logprob = 0.0  # of the last pick, as the model saw it: before temperature and cuts

    def pick(self, logits: Any) -> int:
        """The next token; `logits` has one row. Remembers it for the penalties."""
        settings = self._sampling
        logits = self._penalized(logits.astype(mx.float32))
        if settings.temperature <= 0:
            chosen: Any = mx.argmax(logits, axis=-1)
        else:
            scores = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
            if 0 < settings.top_p < 1:
                scores = apply_top_p(scores, settings.top_p)
            if settings.min_p > 0:
                scores = apply_min_p(scores, settings.min_p)
            if 0 < settings.top_k < scores.shape[-1]:
                scores = apply_top_k(scores, settings.top_k)
            self._key, key = mx.random.split(self._key)
            chosen = mx.random.categorical(scores * (1 / settings.temperature), key=key)
        logprob: Any = mx.take_along_axis(logits, chosen[:, None], axis=-1)[:, 0] - mx.logsumexp(logits, axis=-1)
        mx.eval(chosen, logprob)
        token, self.logprob = int(chosen.item()), float(logprob.item())
        self._generated[token] += 1
        self._seen.add(token)
        return token

    def _penalized(self, logits: Any) -> Any:
        settings = self._sampling
        if settings.repetition_penalty not in (0.0, 1.0) and self._seen:
            tokens = mx.array(sorted(self._seen))
            chosen = logits[:, tokens]
            penalty = settings.repetition_penalty
            logits[:, tokens] = mx.where(chosen < 0, chosen * penalty, chosen / penalty)
        if (settings.presence_penalty or settings.frequency_penalty) and self._generated:
            tokens = mx.array(list(self._generated))
            counts = mx.array(list(self._generated.values()), dtype=mx.float32)
            logits[:, tokens] -= settings.presence_penalty + settings.frequency_penalty * counts
        return logits
