"""One turn of a conversation, whatever shape it came in, and the events that answer it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from impetus.domain.types import AnswerEvent, Delta, Finish, Message, Sampling, Source, Sources, Usage
from impetus.errors import ModelUnavailable
from impetus.web.measured import Measured
from impetus.web.models import ChatModel


@dataclass(frozen=True, slots=True)
class Turn:
    model: ChatModel
    messages: tuple[Message, ...]
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Told:
    """A whole answer."""

    deltas: tuple[Delta, ...]
    finish: Finish

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)

    @property
    def usage(self) -> Usage:
        return self.finish.usage


async def answered(session: Measured, turn: Turn) -> AsyncGenerator[AnswerEvent, None]:
    """The answer; with the workspace, its sources follow the text as a Markdown list."""
    sources: tuple[Source, ...] = ()
    model = turn.model
    if needs_model(turn.sampling) and await session.context_length("chat") is None:
        raise ModelUnavailable(
            "No chat model is configured, and quotations can be neither JSON nor scored; set chat.model"
        )
    # A list behind JSON would break it.
    lists = model.retrieval and turn.sampling.grammar is None
    chat = session.chat(turn.messages, turn.sampling, retrieval=model.retrieval, roots=model.roots)
    async with aclosing(chat) as events:
        async for event in events:
            if isinstance(event, Sources):
                sources = event.sources
                continue  # not yet a part of the answer: what fails now still gets its own status
            if isinstance(event, Finish) and lists:
                closing = source_list(sources, event)
                if closing:
                    yield Delta(closing)
            yield event


async def whole(session: Measured, turn: Turn) -> Told:
    deltas: list[Delta] = []
    finish: Finish | None = None
    async with aclosing(answered(session, turn)) as events:
        async for event in events:
            if isinstance(event, Delta):
                deltas.append(event)
            elif isinstance(event, Finish):
                finish = event
    assert finish is not None, "every answer ends with Finish"
    return Told(tuple(deltas), finish)


def needs_model(sampling: Sampling) -> bool:
    """Whether an answer made of quotations would not be what was asked for."""
    return sampling.grammar is not None or sampling.top_logprobs is not None or bool(sampling.logit_bias)


def source_list(sources: Sequence[Source], finish: Finish) -> str:
    """What the answer cites; else what it was given to read, said so."""
    listed, title = (finish.cited, "Sources") if finish.cited else (tuple(sources), "Passages found (none is cited)")
    if not listed:
        return ""
    lines = [f"\n\n**{title}**\n"]
    for source in listed:
        hit = source.hit
        symbol = f" ({hit.symbol})" if hit.symbol else ""
        lines.append(f"- [{source.number}] `{hit.path}:{hit.start_line}-{hit.end_line}`{symbol}")
    if finish.unverified:
        lines.append(f"\nNot verified: {', '.join(f'[{number}]' for number in finish.unverified)}")
    return "\n".join(lines) + "\n"
