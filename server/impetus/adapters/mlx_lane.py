"""The sequences of one priority on one model: whose prompt is read next, and when they decode."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache

from impetus.adapters.mlx_batch import Batch
from impetus.adapters.mlx_drafted import DraftedBatch
from impetus.adapters.mlx_prefixes import Layers, PrefixCache, nbytes
from impetus.adapters.mlx_sampler import Draw, draw
from impetus.adapters.mlx_sequence import Sequence
from impetus.domain.ports import Counters
from impetus.domain.types import Prefill, Step
from impetus.errors import ModelError

log = logging.getLogger(__name__)

#: Tokens of prompts read in one step, and prompts they may belong to: how long any other request waits at most.
PREFILL_CHUNK = 256
MOST_PROMPTS = 4

#: So few tokens are read at once with the logits of the last, instead of all but the last first.
FEW_TOKENS = 4

#: Sequences that decode together, as in mlx-lm; more wait with their prompts unread.
MOST_ROWS = 32

#: The prompt with the fewest tokens left is read first; each so many chunks the oldest, so that none waits for ever.
OLDEST_EVERY = 4

#: Steps after which buffers that the runtime keeps for later are given back, as in mlx-lm.
CLEAR_EVERY = 512

Steps = list[tuple[int, Step]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shared:
    """What the lanes of a model have in common. `network` is mlx-lm's model."""

    network: Any
    prefixes: PrefixCache
    counters: Counters


class Lane:
    """With `moves`, sequences take caches out of the prefix cache instead of copying them (see PrefixCache.take)."""

    def __init__(self, shared: Shared, *, moves: bool, chunk: int = PREFILL_CHUNK) -> None:
        self._network = shared.network
        self._prefixes = shared.prefixes
        self._counters = shared.counters
        self._moves = moves
        self._chunk = chunk  # tokens of prompts in one step
        self._reading: list[Sequence] = []  # oldest first
        self._batches: list[Batch] = []  # one, but for models whose caches cannot be merged
        self._failed: ModelError | None = None
        self._chunks = 0
        self._steps = 0
        self._read_last = False

    @property
    def busy(self) -> bool:
        return bool(self._reading or self._batches or self._failed)

    @property
    def nbytes(self) -> int:
        reading = sum(nbytes(sequence.layers or []) for sequence in self._reading)
        return reading + sum(batch.nbytes for batch in self._batches)

    def add(self, sequence: Sequence) -> None:
        sequence.expected = self._prefixes.shared(sequence.begin)
        self._reading.append(sequence)

    def cancel(self, number: int) -> None:
        for sequence in self._reading:
            if sequence.number == number:
                self._reading.remove(sequence)
                self._keep(sequence, sequence.layers or [])
                return
        for batch in self._batches:
            for sequence in batch.rows:
                if sequence.number == number:
                    try:
                        self._leave(batch, [sequence])
                    except ModelError as error:
                        self._failed = _joined(self._failed, error)
                    return

    def step(self) -> Steps:
        """A chunk of a prompt or some short ones, or a token of each decoding sequence (with a draft some), in turns.

        Raises ModelError.
        """
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed
        if not self.busy:
            return []
        self._steps += 1
        if self._steps % CLEAR_EVERY == 0:
            mx.clear_cache()
        rows = self._rows
        self._read_last = bool(self._reading) and rows < MOST_ROWS and not (rows and self._read_last)
        return self._read_some() if self._read_last else self._decode()

    @property
    def _rows(self) -> int:
        return sum(len(batch.rows) for batch in self._batches)

    # -- prompts -----------------------------------------------------------------------------------------------------

    def _read_some(self) -> Steps:
        self._chunks += 1
        rows = self._rows
        shortest = min(self._reading, key=self._left)
        chosen = self._reading[0] if self._chunks % OLDEST_EVERY == 0 else shortest
        end = self._counters.prefill_tokens + self._chunk
        steps = self._guarded([chosen], partial(self._read, chosen, self._chunk))
        for _ in range(1, MOST_PROMPTS):
            if not self._reading or self._rows >= MOST_ROWS:
                break
            chosen = min(self._reading, key=self._left)
            budget = end - self._counters.prefill_tokens
            if self._left(chosen) > budget:
                break
            try:
                steps += self._guarded([chosen], partial(self._read, chosen, budget))
            except ModelError as error:  # what the others gave goes first
                self._failed = _joined(self._failed, error)
                break
        if self._rows > rows:  # what they were merged from would be kept for later
            mx.clear_cache()
        return steps

    def _left(self, sequence: Sequence) -> int:
        """Tokens of the prompt still to be read."""
        return sequence.prompt_length - (sequence.expected if sequence.layers is None else sequence.held)

    def _read(self, sequence: Sequence, most: int) -> Steps:
        """At most so many tokens of a prompt, and what it gives."""
        layers = self._begin(sequence)
        left = sequence.prompt_length - sequence.held
        if left > FEW_TOKENS:
            self._feed(sequence, layers, min(most, left - 1))
            left = sequence.prompt_length - sequence.held
            if left > 1:
                return [(sequence.number, Prefill(sequence.held, sequence.prompt_length))]
        self._reading.remove(sequence)
        steps: Steps = [(sequence.number, Prefill(sequence.prompt_length, sequence.prompt_length))]
        if left == 1:
            self._counters.prefill_tokens += 1  # read with the first step of the batch
            self._join(sequence, layers, mx.array(sequence.tokens[-1:]))
            return steps
        drawn = draw(self._feed(sequence, layers, left)[:, -1, :], [sequence.sampler])
        steps += self._accept(sequence, drawn.read()[0])
        if sequence.ended:
            self._keep(sequence, layers)
        else:
            self._join(sequence, layers, drawn.tokens)
        return steps

    def _begin(self, sequence: Sequence) -> Layers:
        if sequence.layers is None:
            found = self._prefixes.take(sequence.begin, move=self._moves)
            sequence.layers, sequence.held = found or (make_prompt_cache(self._network), 0)
            sequence.reused = sequence.held
            self._counters.reused_tokens += sequence.held
        return sequence.layers

    def _feed(self, sequence: Sequence, layers: Layers, count: int) -> Any:
        """Read the next `count` tokens; their logits, which are computed only if they are used."""
        tokens = sequence.tokens[sequence.held : sequence.held + count]
        logits = self._network(mx.array([tokens]), cache=layers)
        mx.eval([layer.state for layer in layers])
        sequence.held += count
        self._counters.steps += 1
        self._counters.prefill_tokens += count
        return logits

    def _join(self, sequence: Sequence, layers: Layers, token: Any) -> None:
        if not self._moves:
            self._prefixes.put(sequence.tokens[: sequence.held], layers, copied=True)
        batch = next((batch for batch in self._batches if batch.takes(layers)), None)
        if batch is None:
            batch = DraftedBatch(self._network, self._counters)
            self._batches.append(batch)
        self._guarded([sequence, *batch.rows], partial(batch.join, sequence, token))

    # -- decoding ----------------------------------------------------------------------------------------------------

    def _decode(self) -> Steps:
        batch = self._batches.pop(0)
        self._batches.append(batch)
        before = batch.runs
        try:
            drawn = self._guarded(list(batch.rows), batch.step)
        finally:
            self._counters.steps += batch.runs - before
        steps: Steps = []
        for sequence, token in drawn:
            if not sequence.ended:
                steps += self._accept(sequence, token)
        ended = [sequence for sequence in batch.rows if sequence.ended]
        if ended:
            self._leave(batch, ended)
        return steps

    def _accept(self, sequence: Sequence, token: Draw) -> Steps:
        try:
            return [(sequence.number, step) for step in sequence.accept(token)]
        except ModelError as error:  # of its own grammar: nobody else's affair
            sequence.ended = True
            own = ModelError(str(error), numbers=(sequence.number,))
            self._failed = _joined(self._failed, own)
            return []

    def _leave(self, batch: Batch, leaving: list[Sequence]) -> None:
        left = self._guarded(list(batch.rows), partial(batch.leave, leaving))
        for sequence, layers in zip(leaving, left, strict=True):
            self._keep(sequence, layers)
        if not batch.rows:
            self._batches.remove(batch)

    def _keep(self, sequence: Sequence, layers: Layers) -> None:
        self._prefixes.put(sequence.tokens[: sequence.held], layers, copied=False)

    def _guarded(self, sequences: Iterable[Sequence], compute: Callable[[], T]) -> T:
        """`compute`; where it fails these sequences are lost, and no others.

        MLX raises RuntimeError for lack of memory and for kernels that fail; whatever was raised, caches that are half
        written must not be used again.
        """
        try:
            return compute()
        except ModelError:
            raise
        except Exception as error:
            log.warning("a step failed", exc_info=True)
            lost = list(sequences)
            self._reading = [sequence for sequence in self._reading if sequence not in lost]
            self._batches = [batch for batch in self._batches if not set(batch.rows) & set(lost)]
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            message = f"The model failed while generating: {reason}; try again with a shorter question"
            raise ModelError(message, numbers=tuple(sequence.number for sequence in lost)) from error


def _joined(before: ModelError | None, error: ModelError) -> ModelError:
    return ModelError(str(error), numbers=(*(before.numbers if before is not None else ()), *error.numbers))
