"""`POST /v1/completions`: raw text, and fill in the middle with `suffix`, whole or in chunks.

The completion model renders its family's own format; prompt and suffix are always text, never control tokens.
"""

import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

from impetus.config import Settings
from impetus.domain.types import End, InfillPrompt, Piece, Prefill, Prompt, Step, TextPrompt, Usage
from impetus.errors import BadRequest
from impetus.web import sse
from impetus.web.chat import usage_json
from impetus.web.measured import Measured
from impetus.web.models import COMPLETE, COMPLETION_IDS, require
from impetus.web.schema import CompletionRequest


async def complete(session: Measured, settings: Settings, body: CompletionRequest, request: Request) -> Response:
    model = require(body.model, COMPLETION_IDS)
    text = body.single_prompt()
    prompt: Prompt
    role: Literal["chat", "completion"]
    if model == COMPLETE:
        prompt, role = InfillPrompt(text, body.suffix or ""), "completion"
        sampling = body.sampling(max_tokens=settings.completion.max_tokens, temperature=0.0)
    elif body.suffix:
        raise BadRequest(f"{model} takes no suffix; use {COMPLETE} to fill in the middle", parameter="suffix")
    else:
        prompt, role = TextPrompt(text), "chat"
        sampling = body.sampling(max_tokens=settings.chat.max_tokens, temperature=settings.chat.temperature)
    steps = partial(session.generate, prompt, sampling, role=role)
    if body.stream:
        return sse.EventStream(partial(_frames, steps, model, include_usage=body.include_usage))
    return await sse.answer(request, _whole(steps(), model))


async def _whole(steps: AsyncGenerator[Step, None], model: str) -> dict[str, Any]:
    text: list[str] = []
    reason, usage = "stop", Usage()
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Piece):
                text.append(step.text)
            elif isinstance(step, End):
                reason, usage = step.reason.value, step.usage
    return {**_head(model), "choices": [_choice("".join(text), reason)], "usage": usage_json(usage)}


async def _frames(
    steps: "partial[AsyncGenerator[Step, None]]", model: str, *, include_usage: bool
) -> AsyncGenerator[str, None]:
    head = _head(model)
    rest: dict[str, Any] = {"usage": None} if include_usage else {}
    async with aclosing(steps()) as stream:
        async for step in stream:
            if isinstance(step, Prefill):
                yield sse.comment(f"keepalive {step.done}/{step.total}")
            elif isinstance(step, Piece):
                if step.text:
                    yield sse.data({**head, "choices": [_choice(step.text, None)], **rest})
            elif isinstance(step, End):
                yield sse.data({**head, "choices": [_choice("", step.reason.value)], **rest})
                if include_usage:
                    yield sse.data({**head, "choices": [], "usage": usage_json(step.usage)})
    yield sse.DONE


def _choice(text: str, reason: str | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}


def _head(model: str) -> dict[str, Any]:
    return {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model,
    }
