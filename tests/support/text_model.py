"""`TextModel` without a model: scripted answers, and a record of what was asked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from impetus.domain.ports import Counters, TextModel
from impetus.domain.stops import StopFilter
from impetus.domain.types import (
    ChatPrompt,
    End,
    FinishReason,
    InfillPrompt,
    Piece,
    Prefill,
    Priority,
    Prompt,
    Sampling,
    Step,
    Usage,
)
from impetus.errors import BadRequest, ContextOverflow, ModelError


@dataclass(slots=True)
class _Sequence:
    number: int
    prompt: list[str]
    answer: list[str]
    sampling: Sampling
    stops: StopFilter
    read: int = 0
    reused: int = 0
    given: int = 0
    begun: bool = False


@dataclass(slots=True)
class _Lane:
    reading: list[_Sequence] = field(default_factory=list)
    decoding: list[_Sequence] = field(default_factory=list)
    failing: bool = False


class FakeTextModel:
    """A token is a word; prompts are read `chunk` words a step; `answer` is given for every prompt, a word a step.

    `fail_next` makes the next step of a priority fail as a device does that is out of memory.
    """

    def __init__(self, answer: str = "one two three", *, context_length: int = 512, chunk: int = 256) -> None:
        self._answer = answer.replace(" ", " \0").split("\0")
        self._chunk = chunk
        self._kept: list[list[str]] = []
        self._lanes = {priority: _Lane() for priority in Priority}
        self.context_length = context_length
        self.counters = Counters()
        self.prompts: list[Prompt] = []
        self.samplings: list[Sampling] = []
        self.closed = False

    @property
    def nbytes(self) -> int:
        return 1000 + sum(len(word) for words in self._kept for word in words)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def start(self, number: int, prompt: Prompt, sampling: Sampling, priority: Priority) -> None:
        words = _words(prompt)
        if not words:
            raise BadRequest("The prompt is empty; send at least one character", parameter="prompt")
        if len(words) >= self.context_length:
            raise ContextOverflow(self.context_length, len(words) + 1)
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        sequence = _Sequence(number, words, list(self._answer), sampling, StopFilter(sampling.stop))
        self._lanes[priority].reading.append(sequence)

    def waiting(self) -> Priority | None:
        return min((p for p, lane in self._lanes.items() if lane.reading or lane.decoding), default=None)

    def fail_next(self, priority: Priority) -> None:
        self._lanes[priority].failing = True

    def step(self, priority: Priority) -> Sequence[tuple[int, Step]]:
        lane = self._lanes[priority]
        if lane.failing:
            lost = [lane.reading.pop(0)] if lane.reading else lane.decoding
            lane.failing, lane.decoding = False, [s for s in lane.decoding if s not in lost]
            raise ModelError("The model failed", numbers=tuple(sequence.number for sequence in lost))
        self.counters.steps += 1
        if lane.reading:
            return self._read(lane, lane.reading[0])
        steps: list[tuple[int, Step]] = []
        for sequence in list(lane.decoding):
            steps += [(sequence.number, step) for step in self._next(sequence)]
            if isinstance(steps[-1][1], End):
                lane.decoding.remove(sequence)
                self._kept.append(sequence.prompt)
        return steps

    def cancel(self, number: int) -> None:
        for lane in self._lanes.values():
            for sequence in [*lane.reading, *lane.decoding]:
                if sequence.number == number:
                    self._kept.append(sequence.prompt[: sequence.read])
            lane.reading = [sequence for sequence in lane.reading if sequence.number != number]
            lane.decoding = [sequence for sequence in lane.decoding if sequence.number != number]

    def trim(self, nbytes: int) -> None:
        while self._kept and self.nbytes - 1000 > nbytes:
            self._kept.pop(0)

    def close(self) -> None:
        self.closed = True

    def _read(self, lane: _Lane, sequence: _Sequence) -> list[tuple[int, Step]]:
        total = len(sequence.prompt)
        if not sequence.begun:
            sequence.begun = True
            sequence.read = sequence.reused = max((_common(kept, sequence.prompt) for kept in self._kept), default=0)
            self.counters.reused_tokens += sequence.reused
        chunk = min(self._chunk, total - sequence.read)
        sequence.read += chunk
        self.counters.prefill_tokens += chunk
        if sequence.read == total:
            lane.decoding.append(lane.reading.pop(0))
        return [(sequence.number, Prefill(sequence.read, total))]

    def _next(self, sequence: _Sequence) -> list[Step]:
        word = sequence.answer[sequence.given]
        sequence.given += 1
        usage = Usage(len(sequence.prompt), sequence.given, sequence.reused)
        piece = Piece(sequence.stops.feed(word), -0.5)
        if sequence.stops.stopped:
            return [piece, End(FinishReason.STOP, usage)]
        done = sequence.given == len(sequence.answer)
        if not done and sequence.given < sequence.sampling.max_tokens:
            return [piece]
        rest = sequence.stops.finish()
        reason = FinishReason.STOP if done else FinishReason.LENGTH
        return [piece, *([Piece(rest)] if rest else []), End(reason, usage)]


def _words(prompt: Prompt) -> list[str]:
    match prompt:
        case ChatPrompt(messages):
            return [word for message in messages for word in message.content.split()] or ["\n"]
        case InfillPrompt():
            return [*prompt.suffix.split(), "\0", *prompt.prefix.split()]
        case _:
            return prompt.text.split()


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """Of the shared beginning, all but the last word of `right`."""
    shared = 0
    for a, b in zip(left, right[:-1], strict=False):
        if a != b:
            break
        shared += 1
    return shared


def run(model: TextModel, *numbers: int) -> dict[int, list[Step]]:
    """Step a model, the most urgent first, until these sequences, or all, have ended; what each gave."""
    given: dict[int, list[Step]] = {}
    left = set(numbers)
    while (priority := model.waiting()) is not None:
        for number, step in model.step(priority):
            given.setdefault(number, []).append(step)
            if isinstance(step, End):
                left.discard(number)
        if numbers and not left:
            break
    return given


def text(steps: Sequence[Step]) -> str:
    return "".join(step.text for step in steps if isinstance(step, Piece))


def end(steps: Sequence[Step]) -> End:
    if not steps or not isinstance(steps[-1], End):
        raise ModelError(f"no end in {steps}")
    return steps[-1]
