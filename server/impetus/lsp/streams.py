"""Answers on their way to the client: partial results, work-done progress, and the final result.

Deltas are collected for a moment so that a fast model does not cost a message per token.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final, cast

from lsprotocol import types as lsp

from impetus.domain.types import AnswerEvent, Delta, Finish, Indexing, Progress, Source, Sources
from impetus.errors import ModelError
from impetus.lsp import protocol
from impetus.lsp.convert import sources
from impetus.lsp.rpc import SessionProtocol

#: How long deltas are collected.
COALESCE_S: Final = 0.04


async def deliver(
    rpc: SessionProtocol,
    events: AsyncIterator[AnswerEvent],
    encoding: str,
    *,
    title: str,
    partial_token: protocol.Token | None,
    work_token: protocol.Token | None,
) -> protocol.AnswerResult:
    """Pass events on as they come; leaving this early, by a cancel too, stops the work behind them."""
    found: tuple[Source, ...] = ()
    text: list[str] = []
    finish: Finish | None = None
    with PartialResults(rpc, partial_token) as partial, WorkDone(rpc, work_token, title) as work:
        async with contextlib.aclosing(cast(AsyncGenerator[AnswerEvent, None], events)) as stream:
            async for event in stream:
                match event:
                    case Indexing(done, total):
                        partial.send(protocol.IndexingPart(kind="indexing", done=done, total=total))
                        work.report(f"indexing: {done:,} of {total:,} files", 100 * done // max(total, 1))
                    case Sources(found):
                        partial.send(protocol.SourcesPart(kind="sources", sources=sources(found, encoding)))
                        work.report("1 passage found" if len(found) == 1 else f"{len(found)} passages found")
                    case Progress(done, total):
                        partial.send(protocol.ProgressPart(kind="progress", done=done, total=total))
                        work.report("reading", 100 * done // max(total, 1))
                    case Delta(piece):
                        text.append(piece)
                        partial.add(piece)
                    case Finish():
                        finish = event
        if finish is None:
            raise ModelError("The answer broke off before its end; ask again")
        partial.flush()
    return _result(found, finish, None if partial_token is not None else "".join(text), encoding)


def _result(found: tuple[Source, ...], finish: Finish, text: str | None, encoding: str) -> protocol.AnswerResult:
    checked = {source.number: source for source in finish.cited}
    return protocol.AnswerResult(
        sources=sources([checked.get(source.number, source) for source in found], encoding),
        cited=tuple(checked),
        unverified=finish.unverified,
        model=finish.model,
        finish_reason=finish.reason.value,
        usage=protocol.Usage(
            prompt_tokens=finish.usage.prompt_tokens,
            completion_tokens=finish.usage.completion_tokens,
            cached_tokens=finish.usage.cached_tokens,
        ),
        text=text,
    )


class PartialResults:
    """Values on a partialResultToken; nothing without one."""

    def __init__(self, rpc: SessionProtocol, token: protocol.Token | None) -> None:
        self._rpc = rpc
        self._token = token
        self._pending: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> "PartialResults":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def send(self, value: Any) -> None:
        self.flush()
        notify_progress(self._rpc, self._token, value)

    def add(self, text: str) -> None:
        self._pending.append(text)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COALESCE_S, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        text = "".join(self._pending)
        self._pending.clear()
        if text:
            notify_progress(self._rpc, self._token, protocol.DeltaPart(kind="delta", text=text))


class WorkDone:
    """Begin, reports and end on a workDoneToken of the client; nothing without one."""

    def __init__(self, rpc: SessionProtocol, token: protocol.Token | None, title: str) -> None:
        self._rpc = rpc
        self._token = token
        self._title = title

    def __enter__(self) -> "WorkDone":
        begin = lsp.WorkDoneProgressBegin(title=self._title, cancellable=False)
        notify_progress(self._rpc, self._token, begin)
        return self

    def __exit__(self, *_error: object) -> None:
        notify_progress(self._rpc, self._token, lsp.WorkDoneProgressEnd())

    def report(self, message: str, percentage: int | None = None) -> None:
        report = lsp.WorkDoneProgressReport(message=message, percentage=percentage)
        notify_progress(self._rpc, self._token, report)


def notify_progress(rpc: SessionProtocol, token: protocol.Token | None, value: Any) -> None:
    if token is not None:
        plain = protocol.converter().unstructure(value)
        rpc.notify(lsp.PROGRESS, lsp.ProgressParams(token=token, value=plain))
