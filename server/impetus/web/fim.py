"""`POST /v1/fim/completions`, the form of Mistral, and `POST /infill`, that of llama.cpp: fill in the middle.

Both go where `/v1/completions` with a suffix goes; the model renders its family's own format.
"""

import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from impetus.config import Settings
from impetus.domain.types import ContextFile, End, FinishReason, InfillPrompt, Piece, Prefill, Sampling, Step, Usage
from impetus.errors import BadRequest
from impetus.web import sse
from impetus.web.chat import usage_json
from impetus.web.measured import Measured
from impetus.web.models import COMPLETE, require
from impetus.web.schema import MAX_TOKENS, Generation, Text

MAX_EXTRA = 64

Steps = Callable[[], AsyncGenerator[Step, None]]


class FimRequest(Generation):
    model: Annotated[str, Field(min_length=1)] = COMPLETE
    prompt: Text
    suffix: Text | None = None
    random_seed: Annotated[int, Field(ge=0)] | None = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None


class ExtraFile(BaseModel):
    filename: Annotated[str, Field(max_length=4096)] = ""
    text: Text


class InfillRequest(BaseModel):
    """What llama.vim and its kin send; their budgets of time and their sampler names carry no meaning here."""

    model_config = ConfigDict(extra="ignore")

    input_prefix: Text = ""
    input_suffix: Text = ""
    input_extra: Annotated[list[ExtraFile], Field(max_length=MAX_EXTRA)] = []
    prompt: Text = ""
    n_predict: Annotated[int, Field(ge=-1, le=MAX_TOKENS)] | None = None
    stream: bool = False
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_k: Annotated[int, Field(ge=0)] = 0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=-1, lt=2**63)] = -1
    stop: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=16)] = []


async def fim(session: Measured, settings: Settings, body: FimRequest, request: Request) -> Response:
    model = require(body.model, (COMPLETE,))
    body.refuse_unsupported()
    if body.min_tokens:
        raise BadRequest("min_tokens is not supported here; leave it out", parameter="min_tokens")
    if body.seed is None and body.random_seed is not None:
        body = body.model_copy(update={"seed": body.random_seed})
    sampling = body.sampling(max_tokens=settings.completion.max_tokens, temperature=0.0)
    steps = partial(session.generate, InfillPrompt(body.prompt, body.suffix or ""), sampling, role="completion")
    head = {"id": f"fim-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
    if body.stream:
        return sse.EventStream(partial(_fim_frames, steps, head))
    return await sse.answer(request, _fim_whole(steps, head))


async def _fim_whole(steps: Steps, head: dict[str, Any]) -> dict[str, Any]:
    text, end = await _read(steps)
    message = {"role": "assistant", "content": text, "tool_calls": None}
    choice = {"index": 0, "message": message, "finish_reason": end.reason.value}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage_json(end.usage)}


async def _fim_frames(steps: Steps, head: dict[str, Any]) -> AsyncGenerator[str, None]:
    head = {**head, "object": "chat.completion.chunk"}
    async with aclosing(steps()) as stream:
        async for step in stream:
            if isinstance(step, Prefill):
                yield sse.comment(f"keepalive {step.done}/{step.total}")
            elif isinstance(step, Piece):
                if step.text:
                    choice = {"index": 0, "delta": {"role": "assistant", "content": step.text}, "finish_reason": None}
                    yield sse.data({**head, "choices": [choice]})
            elif isinstance(step, End):
                choice = {"index": 0, "delta": {"content": ""}, "finish_reason": step.reason.value}
                yield sse.data({**head, "choices": [choice], "usage": usage_json(step.usage)})
    yield sse.DONE


async def infill(session: Measured, settings: Settings, body: InfillRequest, request: Request) -> Response:
    asked = body.n_predict if body.n_predict is not None and body.n_predict >= 0 else settings.completion.max_tokens
    sampling = Sampling(
        max_tokens=max(1, asked),
        temperature=body.temperature,
        top_k=body.top_k,
        top_p=body.top_p,
        seed=body.seed if body.seed >= 0 else None,
        stop=tuple(stop for stop in body.stop if stop),
    )
    context = tuple(ContextFile(extra.filename, extra.text) for extra in body.input_extra)
    prompt = InfillPrompt(body.input_prefix + body.prompt, body.input_suffix, context=context)
    steps = partial(session.generate, prompt, sampling, role="completion")
    # Asking for nothing is how llama.vim has its context read ahead of time.
    silent = asked == 0
    if body.stream:
        return sse.EventStream(partial(_infill_frames, steps, silent))
    return await sse.answer(request, _infill_whole(steps, silent))


async def _infill_whole(steps: Steps, silent: bool) -> dict[str, Any]:
    text, end = await _read(steps)
    return _infill_end("" if silent else text, end)


async def _infill_frames(steps: Steps, silent: bool) -> AsyncGenerator[str, None]:
    async with aclosing(steps()) as stream:
        async for step in stream:
            if isinstance(step, Prefill):
                yield sse.comment(f"keepalive {step.done}/{step.total}")
            elif isinstance(step, Piece):
                if step.text and not silent:
                    yield sse.data({"content": step.text, "stop": False})
            elif isinstance(step, End):
                yield sse.data(_infill_end("", step))


def _infill_end(text: str, end: End) -> dict[str, Any]:
    return {
        "content": text,
        "stop": True,
        "stop_type": "limit" if end.reason is FinishReason.LENGTH else "eos",
        "model": COMPLETE,
        "tokens_predicted": end.usage.completion_tokens,
        "tokens_evaluated": end.usage.prompt_tokens,
        "tokens_cached": end.usage.cached_tokens,
        "truncated": False,
    }


async def _read(steps: Steps) -> tuple[str, End]:
    text: list[str] = []
    end = End(FinishReason.STOP, Usage())
    async with aclosing(steps()) as stream:
        async for step in stream:
            if isinstance(step, Piece):
                text.append(step.text)
            elif isinstance(step, End):
                end = step
    return "".join(text), end
