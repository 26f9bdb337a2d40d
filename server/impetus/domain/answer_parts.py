"""What a model writes, taken apart as it comes: what it thinks, what it answers, which tools it calls. Pure.

Families mark thoughts and calls in their text (`<think>…</think>`, `<tool_call>…</tool_call>`). What is between the
marks of a call is read by the family's own parser once it is complete; what no parser understands is text after all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from impetus.domain.stops import begun
from impetus.domain.types import CallPart, Thought, ToolCall

#: Raises ValueError for what is no call.
ParseCalls = Callable[[str], Sequence[ToolCall]]

Part = str | Thought | CallPart


@dataclass(frozen=True, slots=True)
class Marks:
    """Around a thought or a call. Without `end` it goes on to the end of the answer."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How an answer is written. `begins` says what it is in the middle of, because the prompt has written the start."""

    thought: Marks | None = None
    call: Marks | None = None
    parse: ParseCalls | None = None
    begins: Literal["text", "thought", "call"] = "text"
    parallel: bool = True


class AnswerReader:
    """One answer. `called` counts its calls; `done` says that no more of it is wanted."""

    def __init__(self, form: AnswerForm) -> None:
        self._form = form
        self._state = form.begins
        self._held = ""
        self._fresh = form.begins == "thought"  # white space beside a mark is layout, not said
        self.called = 0
        self.done = False

    def feed(self, text: str) -> list[Part]:
        """The parts that are certain now; in the middle of text at least one, perhaps empty."""
        parts: list[Part] = [""] if self._state == "text" and not text else []
        self._held += text
        while self._held and not self.done:
            mark, at = self._next_mark()
            if at < 0:
                if self._state != "call":
                    parts += self._said(self._cut(len(self._held) - self._kept()))
                break
            inside = self._cut(at)
            self._held = self._held[len(mark.end if self._state != "text" else mark.start) :]
            parts += self._closed(inside, mark)
        return parts

    def finish(self) -> list[Part]:
        """What was held back, at the end of the answer."""
        held, self._held = self._held, ""
        if self.done:
            return []
        return self._calls(held, complete=False) if self._state == "call" else self._said(held)

    def _closed(self, inside: str, mark: Marks) -> list[Part]:
        """A mark ends what was `inside` before it."""
        if self._state == "call":
            parts = self._calls(inside, complete=True)
            self._state = "text"
        else:
            parts = self._said(inside.rstrip() if self._state == "thought" else inside)
            if self._state == "thought":
                self._state = "text"
            else:
                self._state = "thought" if mark is self._form.thought else "call"
        self._fresh = True
        return parts

    def _said(self, text: str) -> list[Part]:
        if self._fresh:
            text = text.lstrip()
            self._fresh = not text
        if self._state == "thought":
            return [Thought(text)] if text else []
        return [text]

    def _calls(self, text: str, *, complete: bool) -> list[Part]:
        marks, parse = self._form.call, self._form.parse
        assert marks is not None and parse is not None
        try:
            calls = list(parse(text))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):  # the families' parsers raise what comes
            calls = []
        if not calls:
            return [marks.start + text + (marks.end if complete else "")]
        if not self._form.parallel:
            calls = calls[:1]
            self.done = True
        parts: list[Part] = []
        for call in calls:
            parts.append(CallPart(self.called, call.arguments, call.id, call.name))
            self.called += 1
        return parts

    def _next_mark(self) -> tuple[Marks, int]:
        """The mark that changes the state, and where it stands in the held text; -1 when it is not there."""
        form = self._form
        if self._state == "text":
            found = [(mark, self._held.find(mark.start)) for mark in (form.thought, form.call) if mark is not None]
            found = [(mark, at) for mark, at in found if at >= 0]
            return min(found, key=lambda pair: pair[1], default=(Marks("", ""), -1))
        mark = form.thought if self._state == "thought" else form.call
        assert mark is not None
        return mark, self._held.find(mark.end) if mark.end else -1

    def _kept(self) -> int:
        """How many characters at the end of the held text may begin a mark, or be white space before the end of one."""
        form = self._form
        if self._state == "thought":
            assert form.thought is not None
            kept = begun(self._held, (form.thought.end,))
            return len(self._held) - len(self._held[: len(self._held) - kept].rstrip())
        return begun(self._held, [mark.start for mark in (form.thought, form.call) if mark is not None])

    def _cut(self, size: int) -> str:
        cut, self._held = self._held[:size], self._held[size:]
        return cut
