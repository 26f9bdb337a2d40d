"""What the port asks of a session, each measured and traced: how long it took and how much it gave.

Spans go nowhere unless tracing is switched on (see `tracing.py`).
"""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from opentelemetry import trace

from impetus.domain.ports import Vectors
from impetus.domain.types import (
    AnswerEvent,
    End,
    EngineStatus,
    Finish,
    Hit,
    Message,
    Prompt,
    Sampling,
    SearchQuery,
    Sources,
    Step,
)
from impetus.services.models import ModelRole
from impetus.services.session import Session
from impetus.web.metrics import Metrics

_tracer = trace.get_tracer("impetus")


class Measured:
    def __init__(self, session: Session, metrics: Metrics) -> None:
        self._session = session
        self._metrics = metrics

    @property
    def roots(self) -> tuple[Path, ...]:
        return self._session.roots

    def status(self) -> EngineStatus:
        return self._session.status()

    async def context_length(self, role: ModelRole) -> int | None:
        return await self._session.context_length(role)

    async def reindex(self, roots: Sequence[Path], *, full: bool) -> None:
        await self._session.reindex(roots, full=full)

    async def load(self, role: ModelRole) -> None:
        await self._session.models.load(role)

    async def unload(self, role: ModelRole) -> None:
        await self._session.models.unload(role)

    async def chat(
        self, messages: Sequence[Message], sampling: Sampling, *, retrieval: bool, roots: Sequence[Path] = ()
    ) -> AsyncGenerator[AnswerEvent, None]:
        started = begun = time.perf_counter()
        span = _tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", "impetus.retrieval": retrieval})
        try:
            async with aclosing(self._session.chat(messages, sampling, retrieval=retrieval, roots=roots)) as events:
                async for event in events:
                    if isinstance(event, Sources) and retrieval:
                        begun = time.perf_counter()
                        self._metrics.search_seconds.observe(begun - started)
                        span.add_event("sources", {"impetus.sources": len(event.sources)})
                    elif isinstance(event, Finish):
                        self._count("chat", event.usage.completion_tokens, event.usage.prompt_tokens, span)
                    yield event
        except Exception as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            self._metrics.inference_seconds.labels("chat").observe(time.perf_counter() - begun)
            span.end()

    async def generate(self, prompt: Prompt, sampling: Sampling, *, role: ModelRole) -> AsyncGenerator[Step, None]:
        started = time.perf_counter()
        span = _tracer.start_span("generate", attributes={"gen_ai.operation.name": "text_completion"})
        try:
            async with aclosing(self._session.generate(prompt, sampling, role=role)) as steps:
                async for step in steps:
                    if isinstance(step, End):
                        self._count(role, step.usage.completion_tokens, step.usage.prompt_tokens, span)
                    yield step
        except Exception as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            self._metrics.inference_seconds.labels(role).observe(time.perf_counter() - started)
            span.end()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        with (
            self._metrics.embedding_seconds.time(),
            _tracer.start_as_current_span("embed", attributes={"impetus.texts": len(texts)}, record_exception=False),
        ):
            return await self._session.embed(texts)

    async def search(self, query: SearchQuery) -> list[Hit]:
        with (
            self._metrics.search_seconds.time(),
            _tracer.start_as_current_span("search", attributes={"impetus.limit": query.limit}, record_exception=False),
        ):
            return await self._session.search(query)

    def _count(self, role: str, completion: int, prompt: int, span: trace.Span) -> None:
        self._metrics.tokens.labels(role).inc(completion)
        span.set_attribute("gen_ai.usage.input_tokens", prompt)
        span.set_attribute("gen_ai.usage.output_tokens", completion)
