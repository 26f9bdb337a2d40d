"""What the port asks of a session, each measured and traced: how long it took and how much it gave.

Spans go nowhere unless tracing is switched on (see `tracing.py`).
"""

import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path

from opentelemetry import trace

from impetus.domain.documents import DocumentHit, Metadata
from impetus.domain.hardware import Conditions, Hardware
from impetus.domain.ports import Vectors
from impetus.domain.types import (
    AnswerEvent,
    ChatTurn,
    End,
    EngineStatus,
    Finish,
    Hit,
    Prompt,
    Sampling,
    SearchQuery,
    Sources,
    Step,
)
from impetus.services.conversations import Conversations
from impetus.services.dispatcher import BackendState
from impetus.services.models import ModelPull, ModelRole
from impetus.services.session import Session
from impetus.services.together import search_together
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

    async def machine(self) -> tuple[Hardware, Conditions] | None:
        return await self._session.engine.machine()

    def embedding_backends(self) -> tuple[BackendState, ...]:
        return self._session.engine.embedding_backends()

    async def context_length(self, role: ModelRole) -> int | None:
        return await self._session.context_length(role)

    async def reindex(self, roots: Sequence[Path], *, full: bool) -> None:
        await self._session.reindex(roots, full=full)

    async def load(self, role: ModelRole) -> None:
        await self._session.models.load(role)

    async def unload(self, role: ModelRole) -> None:
        await self._session.models.unload(role)

    async def check_models(self) -> None:
        await self._session.models.check()

    @property
    def conversations(self) -> Conversations:
        return self._session.engine.conversations

    @property
    def pull(self) -> ModelPull:
        return self._session.engine.pull

    async def chat(self, turn: ChatTurn) -> AsyncGenerator[AnswerEvent, None]:
        retrieval = turn.grounding is not None
        started = begun = time.perf_counter()
        span = _tracer.start_span("chat", attributes={"gen_ai.operation.name": "chat", "impetus.retrieval": retrieval})
        try:
            async with aclosing(self._session.chat(turn)) as events:
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
        with self._searching("search", query.limit):
            return await self._session.search(query)

    async def search_documents(
        self, query: str, collection: str | None, top_k: int, filters: Metadata
    ) -> list[DocumentHit]:
        with self._searching("search documents", top_k):
            return await self._session.engine.documents.search(query, collection, top_k, filters)

    async def search_together(self, query: SearchQuery, collection: str | None) -> list[Hit | DocumentHit]:
        with self._searching("search together", query.limit):
            return await search_together(self._session, query, collection)

    @contextmanager
    def _searching(self, name: str, limit: int) -> Iterator[None]:
        with (
            self._metrics.search_seconds.time(),
            _tracer.start_as_current_span(name, attributes={"impetus.limit": limit}, record_exception=False),
        ):
            yield

    def _count(self, role: str, completion: int, prompt: int, span: trace.Span) -> None:
        self._metrics.tokens.labels(role).inc(completion)
        span.set_attribute("gen_ai.usage.input_tokens", prompt)
        span.set_attribute("gen_ai.usage.output_tokens", completion)
