"""`POST /v1/chat/completions`: answer events as chat completions, whole or in chunks.

The model id decides whether the workspace is searched: every OpenAI client can choose one, none needs a new field.
"""

import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from impetus.config import Settings
from impetus.domain.types import AnswerEvent, Delta, Finish, Message, Progress, Sampling, Source, Sources, Usage
from impetus.services.session import Session
from impetus.web import sse
from impetus.web.models import CHAT_IDS, WORKSPACE, require
from impetus.web.schema import ChatRequest


async def chat(session: Session, settings: Settings, body: ChatRequest, request: Request) -> Response:
    model = require(body.model, CHAT_IDS)
    messages, sampling = body.turn(max_tokens=settings.chat.max_tokens, temperature=settings.chat.temperature)
    events = partial(_events, session, model, messages, sampling)
    if body.stream:
        return sse.EventStream(partial(_frames, events, model, include_usage=body.include_usage))
    return await sse.answer(request, _whole(events(), model))


async def _events(
    session: Session, model: str, messages: Sequence[Message], sampling: Sampling
) -> AsyncGenerator[AnswerEvent, None]:
    """The answer; with the workspace, its sources follow the text as a Markdown list."""
    sources: tuple[Source, ...] = ()
    async with aclosing(session.chat(messages, sampling, retrieval=model == WORKSPACE)) as events:
        async for event in events:
            if isinstance(event, Sources):
                sources = event.sources
            elif isinstance(event, Finish) and model == WORKSPACE:
                closing = source_list(sources, event)
                if closing:
                    yield Delta(closing)
                yield event
            else:
                yield event


async def _whole(events: AsyncGenerator[AnswerEvent, None], model: str) -> dict[str, Any]:
    text: list[str] = []
    reason, usage = "stop", Usage()
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Delta):
                text.append(event.text)
            elif isinstance(event, Finish):
                reason, usage = event.reason.value, event.usage
    message = {"role": "assistant", "content": "".join(text), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {**_head(model, "chat.completion"), "choices": [choice], "usage": usage_json(usage)}


async def _frames(
    events: "partial[AsyncGenerator[AnswerEvent, None]]", model: str, *, include_usage: bool
) -> AsyncGenerator[str, None]:
    """First a role, then text, then the reason of the end, then usage when asked for."""
    head = _head(model, "chat.completion.chunk")
    rest: dict[str, Any] = {"usage": None} if include_usage else {}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse.data({**head, "choices": [choice], **rest})

    role_sent = False
    async with aclosing(events()) as stream:
        async for event in stream:
            if not role_sent:
                role_sent = True
                yield chunk({"role": "assistant", "content": ""})
            if isinstance(event, Progress):
                yield sse.comment(f"keepalive {event.done}/{event.total}")
            elif isinstance(event, Delta):
                if event.text:
                    yield chunk({"content": event.text})
            elif isinstance(event, Finish):
                yield chunk({}, event.reason.value)
                if include_usage:
                    yield sse.data({**head, "choices": [], "usage": usage_json(event.usage)})
    yield sse.DONE


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


def usage_json(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}
