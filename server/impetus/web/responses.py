"""`POST /v1/responses`: the stateless part of OpenAI's Responses, whole or as events. Nothing is stored."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from impetus.config import Settings
from impetus.domain.types import Delta, Finish, FinishReason, Progress, Sampling, Usage
from impetus.errors import BadRequest
from impetus.web import sse
from impetus.web.measured import Measured
from impetus.web.models import chat_model
from impetus.web.schema import MAX_TOKENS, ChatMessage, ContentPart, RequestBody, Text, conversation, grammar_of
from impetus.web.turn import Turn, answered, whole

#: Parameter → whether its value asks for nothing that we lack.
_HARMLESS: dict[str, Callable[[Any], bool]] = {
    "tools": lambda value: value == [],
    "tool_choice": lambda value: value in ("none", "auto"),
    "previous_response_id": lambda value: False,
    "conversation": lambda value: False,
    "prompt": lambda value: False,
    "background": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "max_tool_calls": lambda value: True,
}

_PARTS = ("input_text", "output_text", "text")


class Item(BaseModel):
    type: Annotated[str, Field(max_length=100)] = "message"
    role: Annotated[str, Field(max_length=100)] = ""
    content: Text | list[ContentPart] | None = None


class TextFormat(BaseModel):
    format: dict[str, Any] | None = None


class ResponsesRequest(RequestBody):
    input: Text | list[Item]
    instructions: Text | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    text: TextFormat | None = None
    stream: bool | None = None
    metadata: dict[str, str] | None = None
    truncation: Literal["disabled", "auto"] | None = None

    def turn(self, session: Measured, settings: Settings) -> Turn:
        model = chat_model(session, self.model)
        for name, value in (self.model_extra or {}).items():
            if name in _HARMLESS and value is not None and not _HARMLESS[name](value):
                raise BadRequest(f"The parameter {name!r} with this value is not supported here", parameter=name)
        items = [Item(role="user", content=self.input)] if isinstance(self.input, str) else self.input
        messages = [ChatMessage(role="system", content=self.instructions)] if self.instructions else []
        messages += [_message(item, position) for position, item in enumerate(items)]
        sampling = Sampling(
            max_tokens=self.max_output_tokens or settings.chat.max_tokens,
            temperature=self.temperature if self.temperature is not None else settings.chat.temperature,
            grammar=grammar_of(self.text.format if self.text else None, "text"),
        )
        if self.top_p is not None:
            sampling = replace(sampling, top_p=self.top_p)
        return Turn(model, conversation(messages), sampling)


def _message(item: Item, position: int) -> ChatMessage:
    where = f"input[{position}]"
    if item.type != "message":
        raise BadRequest(f"{where} is of type {item.type!r}; only messages are supported here", parameter=where)
    if isinstance(item.content, list):
        for part in item.content:
            if part.type not in _PARTS or part.text is None:
                raise BadRequest(
                    f"{where} has content of type {part.type[:40]!r}; only text is supported here", parameter=where
                )
        return ChatMessage(role=item.role, content="".join(part.text or "" for part in item.content))
    return ChatMessage(role=item.role, content=item.content)


async def respond(session: Measured, settings: Settings, body: ResponsesRequest, request: Request) -> Response:
    turn = body.turn(session, settings)
    base = _base(body, turn)
    if body.stream:
        return sse.EventStream(partial(_frames, session, turn, base))
    return await sse.answer(request, _whole(session, turn, base))


async def _whole(session: Measured, turn: Turn, base: dict[str, Any]) -> dict[str, Any]:
    told = await whole(session, turn)
    return _done(base, _item(_id("msg"), told.text, "completed"), told.finish)


async def _frames(session: Measured, turn: Turn, base: dict[str, Any]) -> AsyncGenerator[str, None]:
    """created, the item and its part begin, deltas, each ends, completed or incomplete."""
    sequence = -1
    number = _id("msg")
    place = {"item_id": number, "output_index": 0, "content_index": 0}
    text: list[str] = []

    def event(kind: str, **more: Any) -> str:
        nonlocal sequence
        sequence += 1
        return sse.named(kind, {"type": kind, "sequence_number": sequence, **more})

    begun = False
    async with aclosing(answered(session, turn)) as events:
        async for each in events:
            if not begun:
                begun = True
                yield event("response.created", response=base)
                yield event("response.in_progress", response=base)
                yield event("response.output_item.added", output_index=0, item=_item(number, None, "in_progress"))
                yield event("response.content_part.added", **place, part=_part(""))
            if isinstance(each, Progress):
                yield sse.comment(f"keepalive {each.done}/{each.total}")
            elif isinstance(each, Delta) and each.text:
                text.append(each.text)
                yield event("response.output_text.delta", **place, delta=each.text, logprobs=[])
            elif isinstance(each, Finish):
                said = "".join(text)
                item = _item(number, said, "completed")
                yield event("response.output_text.done", **place, text=said, logprobs=[])
                yield event("response.content_part.done", **place, part=_part(said))
                yield event("response.output_item.done", output_index=0, item=item)
                done = _done(base, item, each)
                yield event(f"response.{done['status']}", response=done)


def _base(body: ResponsesRequest, turn: Turn) -> dict[str, Any]:
    return {
        "id": _id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "model": body.model,
        "output": [],
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": turn.sampling.temperature,
        "text": {"format": (body.text.format if body.text else None) or {"type": "text"}},
        "tool_choice": "none",
        "tools": [],
        "top_p": turn.sampling.top_p,
        "truncation": "disabled",
        "usage": None,
        "metadata": body.metadata or {},
    }


def _done(base: dict[str, Any], item: dict[str, Any], finish: Finish) -> dict[str, Any]:
    cut = finish.reason is FinishReason.LENGTH
    return {
        **base,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": [item],
        "usage": _usage(finish.usage),
    }


def _item(number: str, text: str | None, status: str) -> dict[str, Any]:
    content = [] if text is None else [_part(text)]
    return {"id": number, "type": "message", "role": "assistant", "status": status, "content": content}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"
