"""One turn of a conversation, whatever shape it came in, and the events that answer it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from impetus.domain.types import (
    AnswerEvent,
    CallPart,
    ChatTurn,
    Delta,
    Finish,
    FinishReason,
    Indexing,
    Message,
    Role,
    Source,
    Sources,
    Thought,
    ToolCall,
    Usage,
)
from impetus.errors import BadRequest, ModelUnavailable
from impetus.services.conversations import Memory
from impetus.web.citations import source_list
from impetus.web.measured import Measured


@dataclass(frozen=True, slots=True)
class Turn:
    """`names`: what a parameter is called in the form that the request has, where that is not chat completions."""

    model: str
    ask: ChatTurn
    names: Mapping[str, str] = field(default_factory=dict)
    memory: Memory | None = None


class Told:
    """An answer as it is told so far."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.thoughts: list[str] = []
        self.finish: Finish | None = None
        self._calls: dict[int, tuple[str, str, list[str]]] = {}

    def add(self, event: AnswerEvent) -> None:
        match event:
            case Delta():
                self.deltas.append(event)
            case Thought(text):
                self.thoughts.append(text)
            case CallPart(index, arguments, id, name):
                self._calls.setdefault(index, (id, name, []))[2].append(arguments)
            case Finish():
                self.finish = event

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)

    @property
    def thought(self) -> str:
        return "".join(self.thoughts)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(ToolCall(id, name, "".join(parts) or "{}") for id, name, parts in self._calls.values())

    @property
    def end(self) -> Finish:
        assert self.finish is not None, "every answer ends with Finish"
        return self.finish

    @property
    def usage(self) -> Usage:
        return self.end.usage

    @property
    def cited(self) -> Sequence[Source]:
        return self.end.cited


async def answered(session: Measured, turn: Turn) -> AsyncGenerator[AnswerEvent, None]:
    """The answer; with passages, its sources follow the text as a Markdown list."""
    sources: tuple[Source, ...] = ()
    ask = turn.ask
    if needs_model(ask) and await session.context_length("chat") is None:
        raise ModelUnavailable(
            "No chat model is configured, and quotations can be neither JSON nor scored, call no tools and do not "
            "reason; set chat.model"
        )
    # A list behind JSON would break it.
    lists = ask.grounding is not None and ask.sampling.grammar is None
    told = Told()
    try:
        async with aclosing(session.chat(ask)) as events:
            async for event in events:
                if isinstance(event, Indexing):
                    continue
                if isinstance(event, Sources):
                    sources = event.sources
                    continue  # not yet a part of the answer: what fails now still gets its own status
                told.add(event)
                if isinstance(event, Finish):
                    if turn.memory is not None:
                        await turn.memory.keep(Message(Role.ASSISTANT, told.text, told.calls))
                    closing = source_list(sources, event) if lists and event.reason != FinishReason.TOOL_CALLS else ""
                    if closing:
                        yield Delta(closing)
                yield event
    except BadRequest as error:
        error.parameter = turn.names.get(error.parameter or "", error.parameter)
        raise


async def whole(session: Measured, turn: Turn) -> Told:
    told = Told()
    async with aclosing(answered(session, turn)) as events:
        async for event in events:
            told.add(event)
    return told


def needs_model(ask: ChatTurn) -> bool:
    """Whether an answer made of quotations would not be what was asked for."""
    sampling = ask.sampling
    return (
        sampling.grammar is not None
        or sampling.top_logprobs is not None
        or bool(sampling.logit_bias)
        or ask.tool_use is not None
        or ask.effort not in (None, "none")
    )
