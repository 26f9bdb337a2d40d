"""`TextModel` without a model: scripted answers and actions, and how tests step any model."""

from collections.abc import Callable, Mapping, Sequence
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


class FakeTextModel:
    """A token is a word; prompts are read `chunk` words a step, answers are given a word a step.

    The answer is what stands after the last `|` of a prompt, else `answer`. A word that `actions` has does what is
    there when its turn comes, in the middle of the step; after a leading `!begin`, while the sequence is begun.
    `log` names every word in the order of its step, `drafts` the draft of each sequence.
    """

    def __init__(
        self,
        answer: str = "one two three",
        *,
        actions: Mapping[str, Callable[[], None]] | None = None,
        context_length: int = 512,
        chunk: int = 256,
        nbytes: int = 1000,
    ) -> None:
        self._answer = answer
        self._actions = actions or {}
        self._chunk = chunk
        self.weights = nbytes
        self._kept: list[list[str]] = []
        self._lanes = {priority: _Lane() for priority in Priority}
        self.context_length = context_length
        self.counters = Counters()
        self.log: list[str] = []
        self.drafts: list[TextModel | None] = []
        self.trimmed: list[int] = []
        self.closed = False

    @property
    def nbytes(self) -> int:
        return self.weights + self.cached

    @property
    def cached(self) -> int:
        return sum(len(word) for words in self._kept for word in words)

    def start(
        self, number: int, prompt: Prompt, sampling: Sampling, priority: Priority, draft: TextModel | None = None
    ) -> None:
        words = _words(prompt)
        if words[:1] == ["!begin"]:
            self._turn(words[1])
            words = words[2:]
        if not words:
            raise BadRequest("The prompt is empty; send at least one character", parameter="prompt")
        if len(words) >= self.context_length:
            raise ContextOverflow(self.context_length, len(words) + 1)
        answer = self._answer.split()
        if "|" in words:
            bar = len(words) - 1 - words[::-1].index("|")
            words, answer = words[:bar], words[bar + 1 :]
        sequence = _Sequence(number, words, answer, sampling, StopFilter(sampling.stop))
        self.drafts.append(draft)
        lane = self._lanes[priority]
        (lane.reading if words else lane.decoding).append(sequence)

    def waiting(self) -> Priority | None:
        return min((p for p, lane in self._lanes.items() if lane.reading or lane.decoding), default=None)

    def step(self, priority: Priority) -> Sequence[tuple[int, Step]]:
        lane = self._lanes[priority]
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
        self.trimmed.append(nbytes)
        while self._kept and self.cached > nbytes:
            self._kept.pop(0)

    def close(self) -> None:
        self.closed = True

    def _turn(self, word: str) -> None:
        self.log.append(word)
        if word in self._actions:
            self._actions[word]()

    def _read(self, lane: _Lane, sequence: _Sequence) -> list[tuple[int, Step]]:
        total = len(sequence.prompt)
        if not sequence.begun:
            sequence.begun = True
            sequence.read = sequence.reused = max((_common(kept, sequence.prompt) for kept in self._kept), default=0)
            self.counters.reused_tokens += sequence.reused
        words = sequence.prompt[sequence.read : sequence.read + self._chunk]
        for word in words:
            self._turn(word)
        sequence.read += len(words)
        self.counters.prefill_tokens += len(words)
        if sequence.read == total:
            lane.decoding.append(lane.reading.pop(0))
        return [(sequence.number, Prefill(sequence.read, total))]

    def _next(self, sequence: _Sequence) -> list[Step]:
        if not sequence.answer:
            return [End(FinishReason.STOP, Usage(len(sequence.prompt), 0, sequence.reused))]
        word = sequence.answer[sequence.given]
        self._turn(word)
        sequence.given += 1
        usage = Usage(len(sequence.prompt), sequence.given, sequence.reused)
        piece = Piece(sequence.stops.feed(word + " "), -0.5)
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
