"""Speculative decoding of a sequence that decodes alone: a small model guesses some tokens, the network reads them all
in one run, and the guesses that it agrees with cost no run of their own.

Each token is drawn from the network's own logits with the request's own settings and random numbers, in order, and no
further than the first guess that was wrong. So the text is the one that would be written without a draft, as far as a
run over several tokens rounds like one over a single token.
"""

from collections.abc import Collection, Sequence
from typing import Any

import mlx.core as mx

from impetus.adapters.mlx_batch import Batch
from impetus.adapters.mlx_draft import Draft, trimmable
from impetus.adapters.mlx_prefixes import Layers
from impetus.adapters.mlx_sampler import Draw, Sampler, draw
from impetus.adapters.mlx_sequence import Sequence as Decoded
from impetus.domain.ports import Counters

#: Tokens guessed at once, as mlx-lm's command does.
GUESSES = 3


class DraftedBatch(Batch):
    """A batch that uses the draft of its sequence while that one is alone, and decodes as ever in all other cases:
    several sequences, a grammar, caches from which nothing can be taken back, a draft that has to read first.
    """

    def __init__(self, network: Any, counters: Counters) -> None:
        super().__init__(network)
        self._counters = counters

    @property
    def nbytes(self) -> int:
        return super().nbytes + sum(sequence.draft.nbytes for sequence in self.rows if sequence.draft is not None)

    def step(self) -> list[tuple[Decoded, Draw]]:
        """As in `Batch`, but a sequence may be given several tokens; those after its end are to be ignored."""
        draft = self._draft()
        if draft is not None:
            if not draft.ready(self.rows[0].tokens):
                draft.read(self.rows[0].tokens)
            elif self._drawn is None:
                return self._run_drafted(self.rows[0], draft)
        return super().step()

    def leave(self, leaving: Collection[Decoded]) -> list[Layers]:
        for sequence in leaving:
            surplus = sequence.held - len(sequence.tokens)
            if surplus > 0:  # it ended before the last guess that was right
                for layer in self._layers:
                    layer.trim(surplus)
                sequence.held -= surplus
            if sequence.draft is not None:
                sequence.draft.close(sequence.tokens)
        return super().leave(leaving)

    def _draft(self) -> Draft | None:
        """The one to use now."""
        if len(self.rows) != 1:
            return None
        sequence = self.rows[0]
        draft = sequence.draft
        if draft is None or sequence.last or sequence.sampler.grammar is not None or not trimmable(self._layers):
            return None
        return draft if draft.usable(sequence.tokens, GUESSES) else None

    def _may_run_ahead(self) -> bool:
        draft = self._draft()
        if draft is not None and draft.ready(self.rows[0].tokens):
            return False  # the next step is a drafted one
        return super()._may_run_ahead()

    def _run_drafted(self, sequence: Decoded, draft: Draft) -> list[tuple[Decoded, Draw]]:
        length = len(sequence.tokens)
        guesses = draft.guess(sequence.tokens, min(GUESSES, sequence.left - 1))
        logits = self._network(mx.concatenate([self._next, guesses])[None], cache=self._layers)[0]
        self.runs += 1
        mx.async_eval(guesses, logits)  # type: ignore[no-untyped-call]
        draws = _draw_until_wrong(logits, guesses.tolist(), sequence.sampler)
        right = len(draws) - 1
        wrong = guesses.size - right
        for layer in self._layers:
            layer.trim(wrong)
        draft.settle(length + right)
        sequence.held += len(draws)
        self._next = mx.array([draws[-1].token])
        self._counters.drafted_tokens += guesses.size
        self._counters.accepted_tokens += right
        return [(sequence, drawn) for drawn in draws]


def _draw_until_wrong(logits: Any, guesses: Sequence[int], sampler: Sampler) -> list[Draw]:
    """From `logits` (guesses + 1, vocabulary): the tokens whose guesses were right, and the one after them."""
    at_once = draw(logits, [sampler] * len(logits)).read() if sampler.plain else []
    draws: list[Draw] = []
    for place, guess in enumerate([*guesses, None]):
        draws.append(at_once[place] if at_once else draw(logits[place : place + 1], [sampler]).read()[0])
        if draws[-1].token != guess:
            break
    return draws
