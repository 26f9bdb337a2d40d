"""`POST /v1/messages`: the same answers in the form of Anthropic's Messages, whole or as events."""

import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from impetus.config import Settings
from impetus.domain.types import CallPart, Delta, Finish, FinishReason, Progress, Thought, Usage
from impetus.web import sse
from impetus.web.measured import Measured
from impetus.web.messages_request import MessagesRequest
from impetus.web.turn import Turn, answered, whole

PATHS = ("/v1/messages", "/v1/v1/messages")  # the base URL of its clients ends before /v1, and people add it

_REASONS = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
}


async def message(session: Measured, settings: Settings, body: MessagesRequest, request: Request) -> Response:
    turn = body.turn(session, settings)
    if body.stream:
        return sse.EventStream(partial(_frames, session, turn))
    return await sse.answer(request, _whole(session, turn))


async def _whole(session: Measured, turn: Turn) -> dict[str, Any]:
    told = await whole(session, turn)
    content: list[dict[str, Any]] = []
    if told.thought:
        content.append({"type": "thinking", "thinking": told.thought, "signature": ""})
    if told.text or not told.calls:
        content.append({"type": "text", "text": told.text})
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
        for call in told.calls
    ]
    return {
        **_head(turn),
        "content": content,
        "stop_reason": _REASONS[told.end.reason],
        "usage": _usage(told.usage),
    }


class _Blocks:
    """The content blocks of a streamed message: one at a time, each begun, filled and ended."""

    def __init__(self) -> None:
        self._index = -1
        self._open: object = None  # what the open block is of

    def part(self, of: object, block: dict[str, Any], delta: dict[str, Any]) -> list[str]:
        frames: list[str] = []
        if self._open != of:
            frames += self.end()
            self._index += 1
            self._open = of
            frames.append(_event("content_block_start", index=self._index, content_block=block))
        frames.append(_event("content_block_delta", index=self._index, delta=delta))
        return frames

    def end(self) -> list[str]:
        if self._open is None:
            return []
        self._open = None
        return [_event("content_block_stop", index=self._index)]


async def _frames(session: Measured, turn: Turn) -> AsyncGenerator[str, None]:
    begun = False
    blocks = _Blocks()
    async with aclosing(answered(session, turn)) as events:
        async for each in events:
            if not begun:
                begun = True
                yield _event("message_start", message={**_head(turn), "content": [], "usage": _usage(Usage())})
            for frame in _told(blocks, each):
                yield frame


def _told(blocks: _Blocks, each: Any) -> list[str]:
    match each:
        case Progress():
            return [_event("ping")]
        case Thought(text):
            opened = {"type": "thinking", "thinking": "", "signature": ""}
            return blocks.part("thinking", opened, {"type": "thinking_delta", "thinking": text})
        case Delta(text) if text:
            return blocks.part("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": text})
        case CallPart(index, arguments, id, name):
            block: dict[str, Any] = {"type": "tool_use", "id": id, "name": name, "input": {}}
            return blocks.part(index, block, {"type": "input_json_delta", "partial_json": arguments})
        case Finish(reason, usage=usage):
            delta = {"stop_reason": _REASONS[reason], "stop_sequence": None}
            return [*blocks.end(), _event("message_delta", delta=delta, usage=_usage(usage)), _event("message_stop")]
    return []


def _event(kind: str, **more: Any) -> str:
    return sse.named(kind, {"type": kind, **more})


def _head(turn: Turn) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": turn.model,
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
