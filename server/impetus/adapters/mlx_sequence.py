"""One sequence on its way: tokens in, steps out. Knows nothing of batches or caches beyond holding its own."""

from typing import Any

import numpy as np

from impetus.adapters.mlx_draft import Draft
from impetus.adapters.mlx_sampler import Draw, Sampler
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain.answer_parts import AnswerForm, AnswerReader
from impetus.domain.stops import StopFilter
from impetus.domain.types import End, FinishReason, Piece, Sampling, Step, TokenScore, Usage


class Sequence:
    """`tokens` are the prompt and what was generated since; the first `held` of them are in the caches.

    `room` is how many tokens may be generated; `ends` are the tokens that end the answer; `draft` guesses them.
    """

    def __init__(
        self,
        number: int,
        prompt: list[int],
        sampling: Sampling,
        sampler: Sampler,
        tokenizer: ModelTokenizer,
        ends: frozenset[int],
        room: int,
        form: AnswerForm,
        draft: Draft | None = None,
    ) -> None:
        self.number = number
        self.sampler = sampler
        self.draft = draft
        self.tokens = list(prompt)
        self.prompt_length = len(prompt)
        self.begin = np.asarray(prompt[:-1], np.int32)  # what can be reused: something has to be read to draw from
        self.layers: list[Any] | None = None  # its caches, from its first step until it joins a batch
        self.held = 0
        self.expected = 0  # tokens of the prompt that were in the prefix cache when it came
        self.reused = 0  # those that were there when it had its turn
        self.ended = False
        self._room = room
        self._ends = ends
        self._scored = sampling.top_logprobs is not None
        self._tokenizer = tokenizer
        self._decoder = tokenizer.decoder()
        self._stops = StopFilter(sampling.stop)
        self._reader = AnswerReader(form)

    @property
    def generated(self) -> int:
        return len(self.tokens) - self.prompt_length

    @property
    def left(self) -> int:
        """Tokens that may still be generated."""
        return self._room - self.generated

    @property
    def last(self) -> bool:
        """The next token is the last one whatever it is."""
        return self.left <= 1

    def accept(self, draw: Draw) -> list[Step]:
        """What the next token gives. Raises ModelError where it cannot be brought in line with a grammar."""
        self.tokens.append(draw.token)
        grammar = self.sampler.grammar
        if grammar is not None:
            grammar.accept(draw.token)
        if draw.token in self._ends:
            return self._end(FinishReason.STOP)
        given: list[Step] = []
        for part in self._reader.feed(self._decoder.add(draw.token)):
            if not isinstance(part, str):
                given.append(part)
                continue
            text = self._stops.feed(part)
            if text or not self._stops.stopped:
                given.append(Piece(text, draw.logprob, self._scores(draw)))
        if self._stops.stopped or self._reader.done or (grammar is not None and grammar.complete):
            return given + self._end(FinishReason.STOP)
        if self.generated >= self._room:
            return given + self._end(FinishReason.LENGTH)
        return given

    def _end(self, reason: FinishReason) -> list[Step]:
        self.ended = True
        given: list[Step] = [
            Piece(self._stops.feed(part)) if isinstance(part, str) else part for part in self._reader.finish()
        ]
        given.append(Piece(self._stops.finish()))
        if reason is FinishReason.STOP and self._reader.called:
            reason = FinishReason.TOOL_CALLS
        return [
            *(step for step in given if step != Piece("")),
            End(reason, Usage(self.prompt_length, self.generated, self.reused)),
        ]

    def _scores(self, draw: Draw) -> tuple[TokenScore, ...]:
        if not self._scored:
            return ()
        pairs = [(draw.token, draw.logprob), *draw.likely]
        return tuple(TokenScore(self._tokenizer.data(token), logprob) for token, logprob in pairs)
