"""Temporary: a `TextModel` over `MlxGenerator`, one sequence after the other within a priority."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from impetus.adapters.mlx_generator import MlxGenerator
from impetus.adapters.mlx_generator import clear_streams as clear_streams
from impetus.domain.ports import Counters
from impetus.domain.types import End, Piece, Prefill, Priority, Prompt, Sampling, Step


def load_model(folder: Path) -> "MlxModel":
    """The model in `folder`, ready to compute. Raises ModelError with what to do."""
    return MlxModel(folder)


class MlxModel:
    def __init__(self, folder: Path) -> None:
        self._generator = MlxGenerator(folder)
        self._weights = self._generator.load()
        self._sequences: dict[int, tuple[Priority, Iterator[Step]]] = {}
        self.counters = Counters()

    @property
    def context_length(self) -> int:
        return self._generator.context_length

    @property
    def nbytes(self) -> int:
        return self._weights + self._generator.cached_bytes

    def count_tokens(self, text: str) -> int:
        return self._generator.count_tokens(text)

    def start(self, number: int, prompt: Prompt, sampling: Sampling, priority: Priority) -> None:
        self._sequences[number] = (priority, self._generator.steps(prompt, sampling))

    def waiting(self) -> Priority | None:
        return min((priority for priority, _ in self._sequences.values()), default=None)

    def step(self, priority: Priority) -> Sequence[tuple[int, Step]]:
        number, steps = next((n, steps) for n, (p, steps) in self._sequences.items() if p == priority)
        step = next(steps)
        self.counters.steps += 1
        if isinstance(step, End):
            self.cancel(number)
            self.counters.prefill_tokens += step.usage.prompt_tokens - step.usage.cached_tokens
            self.counters.reused_tokens += step.usage.cached_tokens
        assert isinstance(step, Prefill | Piece | End)
        return [(number, step)]

    def cancel(self, number: int) -> None:
        found = self._sequences.pop(number, None)
        close = getattr(found[1], "close", None) if found is not None else None
        if close is not None:
            close()

    def trim(self, nbytes: int) -> None:
        self._generator.trim(nbytes)

    def close(self) -> None:
        for number in list(self._sequences):
            self.cancel(number)
        self._generator.unload()
