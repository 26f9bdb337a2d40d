"""`POST /v1/messages`: the same answers in the form of Anthropic's Messages, whole or as events."""

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
from impetus.web.schema import MAX_TOKENS, ChatMessage, ContentPart, RequestBody, Stop, Text, conversation
from impetus.web.turn import Turn, answered, whole

PATHS = ("/v1/messages", "/v1/v1/messages")  # the base URL of its clients ends before /v1, and people add it

#: Parameter → whether its value asks for nothing that we lack.
_HARMLESS: dict[str, Callable[[Any], bool]] = {
    "tools": lambda value: value == [],
    "tool_choice": lambda value: isinstance(value, dict) and value.get("type") in ("auto", "none"),
    "thinking": lambda value: isinstance(value, dict) and value.get("type") == "disabled",
    "mcp_servers": lambda value: value == [],
    "container": lambda value: False,
    "output_format": lambda value: False,
    "output_config": lambda value: not isinstance(value, dict) or not value.get("format"),
}

_REASONS = {FinishReason.STOP: "end_turn", FinishReason.LENGTH: "max_tokens"}


class PromptMessage(BaseModel):
    role: Literal["user", "assistant"]
    content: Text | list[ContentPart]


class MessagesRequest(RequestBody):
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)]
    messages: Annotated[list[PromptMessage], Field(min_length=1, max_length=10_000)]
    system: Text | list[ContentPart] | None = None
    stop_sequences: Stop | None = None
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None

    def turn(self, session: Measured, settings: Settings) -> Turn:
        model = chat_model(session, self.model)
        for name, value in (self.model_extra or {}).items():
            if name in _HARMLESS and value is not None and not _HARMLESS[name](value):
                raise BadRequest(f"The parameter {name!r} with this value is not supported here", parameter=name)
        messages = [ChatMessage(role="system", content=self.system)] if self.system else []
        messages += [ChatMessage(role=each.role, content=each.content) for each in self.messages]
        given = {name: getattr(self, name) for name in ("temperature", "top_p", "top_k")}
        sampling = Sampling(
            max_tokens=self.max_tokens,
            temperature=settings.chat.temperature,
            stop=tuple(self.stop_sequences or ()),
        )
        sampling = replace(sampling, **{name: value for name, value in given.items() if value is not None})
        return Turn(model, conversation(messages), sampling)


async def message(session: Measured, settings: Settings, body: MessagesRequest, request: Request) -> Response:
    turn = body.turn(session, settings)
    if body.stream:
        return sse.EventStream(partial(_frames, session, turn))
    return await sse.answer(request, _whole(session, turn))


async def _whole(session: Measured, turn: Turn) -> dict[str, Any]:
    told = await whole(session, turn)
    return {
        **_head(turn),
        "content": [{"type": "text", "text": told.text}],
        "stop_reason": _REASONS[told.finish.reason],
        "usage": _usage(told.usage),
    }


async def _frames(session: Measured, turn: Turn) -> AsyncGenerator[str, None]:
    def event(kind: str, **more: Any) -> str:
        return sse.named(kind, {"type": kind, **more})

    begun = False
    async with aclosing(answered(session, turn)) as events:
        async for each in events:
            if not begun:
                begun = True
                yield event("message_start", message={**_head(turn), "content": [], "usage": _usage(Usage())})
                yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            if isinstance(each, Progress):
                yield event("ping")
            elif isinstance(each, Delta) and each.text:
                yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": each.text})
            elif isinstance(each, Finish):
                yield event("content_block_stop", index=0)
                delta = {"stop_reason": _REASONS[each.reason], "stop_sequence": None}
                yield event("message_delta", delta=delta, usage=_usage(each.usage))
                yield event("message_stop")


def _head(turn: Turn) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": turn.model.id,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    """Theirs counts what was found in the cache apart."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }
