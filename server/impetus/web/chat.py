"""`POST /v1/chat/completions`: answer events as chat completions, whole or in chunks.

The model id decides whether the workspace is searched, so that every client can choose; `grounds.py` has the fields for
those that can send more.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from impetus.config import Settings
from impetus.domain.types import CallPart, Delta, Finish, Progress, Thought, TokenScore, Usage
from impetus.errors import BadRequest
from impetus.web import sse
from impetus.web.chat_request import ChatRequest
from impetus.web.citations import annotations
from impetus.web.conversations import continued
from impetus.web.measured import Measured
from impetus.web.models import chat_model
from impetus.web.tools import call_json, part_json
from impetus.web.turn import Told, Turn, answered, whole


async def chat(session: Measured, settings: Settings, body: ChatRequest, request: Request) -> Response:
    model = chat_model(session, body.model)
    ask = body.turn(model, max_tokens=settings.chat.max_tokens, temperature=settings.chat.temperature)
    count = body.n or 1
    if body.conversation is not None and count > 1:
        raise BadRequest("A conversation goes on with one answer; leave n out", parameter="n")
    ask, memory = await continued(session.conversations, request, body.conversation, model.id, ask)
    seed = ask.sampling.seed
    samplings = [replace(ask.sampling, seed=None if seed is None else seed + number) for number in range(count)]
    turns = [Turn(model.id, replace(ask, sampling=sampling), memory=memory) for sampling in samplings]
    scored = bool(body.logprobs)
    if body.stream:
        return sse.EventStream(partial(_frames, session, turns, scored=scored, include_usage=body.include_usage))
    return await sse.answer(request, _whole(session, turns, scored=scored))


async def _whole(session: Measured, turns: Sequence[Turn], *, scored: bool) -> dict[str, Any]:
    """The choices are made side by side; one that fails ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(whole(session, turn)) for turn in turns]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    told = [task.result() for task in tasks]
    usage = told[0].usage
    completed = sum(each.usage.completion_tokens for each in told)
    return {
        **_head(turns[0], "chat.completion"),
        "choices": [_choice(number, each, scored=scored) for number, each in enumerate(told)],
        "usage": usage_json(replace(usage, completion_tokens=completed)),
    }


def _choice(number: int, told: Told, *, scored: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": told.text, "refusal": None}
    if told.thought:
        message |= _thought(told.thought)
    if told.calls:
        message |= {"content": told.text or None, "tool_calls": [call_json(call) for call in told.calls]}
    if told.cited:
        message["annotations"] = annotations(told.text, told.cited)
    return {
        "index": number,
        "message": message,
        "logprobs": _logprobs([delta.scores for delta in told.deltas]) if scored else None,
        "finish_reason": told.end.reason.value,
    }


async def _frames(
    session: Measured, turns: Sequence[Turn], *, scored: bool, include_usage: bool
) -> AsyncGenerator[str, None]:
    """For each choice a role, then thoughts, text and calls, what is cited, the reason of the end; then usage."""
    head = _head(turns[0], "chat.completion.chunk")
    rest: dict[str, Any] = {"usage": None} if include_usage else {}

    def chunk(number: int, delta: dict[str, Any], reason: str | None = None, scores: Any = None) -> str:
        choice = {"index": number, "delta": delta, "logprobs": scores, "finish_reason": reason}
        return sse.data({**head, "choices": [choice], **rest})

    usage = Usage()
    for number, turn in enumerate(turns):
        told = Told()
        role_sent = False
        async with aclosing(answered(session, turn)) as events:
            async for event in events:
                told.add(event)
                if not role_sent:
                    role_sent = True
                    yield chunk(number, {"role": "assistant", "content": ""})
                if isinstance(event, Progress):
                    yield sse.comment(f"keepalive {event.done}/{event.total}")
                elif isinstance(event, Thought):
                    yield chunk(number, _thought(event.text))
                elif isinstance(event, CallPart):
                    yield chunk(number, {"tool_calls": [part_json(event)]})
                elif isinstance(event, Delta):
                    if event.text or event.scores:
                        scores = _logprobs([event.scores]) if scored else None
                        yield chunk(number, {"content": event.text}, scores=scores)
                elif isinstance(event, Finish):
                    if event.cited:
                        yield chunk(number, {"annotations": annotations(told.text, event.cited)})
                    yield chunk(number, {}, event.reason.value)
                    completed = usage.completion_tokens + event.usage.completion_tokens
                    usage = replace(event.usage, completion_tokens=completed)
    if include_usage:
        yield sse.data({**head, "choices": [], "usage": usage_json(usage)})
    yield sse.DONE


def usage_json(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _thought(text: str) -> dict[str, str]:
    """Half of the clients read the one name, half the other."""
    return {"reasoning_content": text, "reasoning": text}


def _logprobs(steps: Sequence[tuple[TokenScore, ...]]) -> dict[str, Any]:
    content = [
        {**_score(own), "top_logprobs": [_score(each) for each in likely]} for own, *likely in filter(None, steps)
    ]
    return {"content": content, "refusal": None}


def _score(score: TokenScore) -> dict[str, Any]:
    # A token may be a part of a character, so its bytes are told as well.
    return {"token": score.data.decode("utf-8", "replace"), "logprob": score.logprob, "bytes": list(score.data)}


def _head(turn: Turn, kind: str) -> dict[str, Any]:
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": turn.model}
    return head | ({"conversation": {"id": turn.memory.conversation.id}} if turn.memory is not None else {})
