"""`POST /v1/responses`: answers in the form of OpenAI's Responses, whole or as events. A response itself is not stored;
a conversation that it belongs to is."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from impetus.config import Settings
from impetus.domain.types import Finish, FinishReason, Usage
from impetus.web import sse
from impetus.web.conversations import continued
from impetus.web.measured import Measured
from impetus.web.models import chat_model
from impetus.web.response_items import ItemStream, items, new_id
from impetus.web.responses_request import NAMES, ResponsesRequest
from impetus.web.turn import Told, Turn, answered, whole


async def respond(session: Measured, settings: Settings, body: ResponsesRequest, request: Request) -> Response:
    model = chat_model(session, body.model)
    ask = body.turn(model, settings)
    ask, memory = await continued(session.conversations, request, body.conversation_id, model.id, ask)
    turn = Turn(model.id, ask, NAMES, memory)
    base = _base(body, turn)
    if body.stream:
        return sse.EventStream(partial(_frames, session, turn, base))
    return await sse.answer(request, _whole(session, turn, base))


async def _whole(session: Measured, turn: Turn, base: dict[str, Any]) -> dict[str, Any]:
    return _done(base, items(await whole(session, turn)))


async def _frames(session: Measured, turn: Turn, base: dict[str, Any]) -> AsyncGenerator[str, None]:
    stream, told = ItemStream(), Told()
    begun = False
    async with aclosing(answered(session, turn)) as events:
        async for each in events:
            told.add(each)
            if not begun:
                begun = True
                yield stream.event("response.created", response=base)
                yield stream.event("response.in_progress", response=base)
            for frame in stream.take(each, told):
                yield frame
            if isinstance(each, Finish):
                done = _done(base, (stream.output, each))
                yield stream.event(f"response.{done['status']}", response=done)


def _base(body: ResponsesRequest, turn: Turn) -> dict[str, Any]:
    memory = turn.memory
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "model": body.model,
        "output": [],
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": None,
        "conversation": {"id": memory.conversation.id} if memory is not None else None,
        "reasoning": {"effort": turn.ask.effort, "summary": None},
        "store": False,
        "temperature": turn.ask.sampling.temperature,
        "text": {"format": (body.text.format if body.text else None) or {"type": "text"}},
        "tool_choice": body.tool_choice or "auto",
        "tools": [
            {**tool.model_dump(), "strict": bool(tool.strict), "parameters": tool.parameters or {}}
            for tool in body.tools or ()
        ],
        "top_p": turn.ask.sampling.top_p,
        "truncation": "disabled",
        "usage": None,
        "metadata": body.metadata or {},
    }


def _done(base: dict[str, Any], ended: tuple[list[dict[str, Any]], Finish]) -> dict[str, Any]:
    output, finish = ended
    cut = finish.reason is FinishReason.LENGTH
    return {
        **base,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
        "usage": _usage(finish.usage),
    }


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
