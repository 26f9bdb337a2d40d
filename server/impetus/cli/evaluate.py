"""`impetus eval`: how well search finds things, on labeled repositories or on a project's own commits.

Indexes lie in a temporary folder; the user's own index is neither read nor changed.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impetus import config
from impetus.cli import exits
from impetus.cli.opening import ONCE
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.services.evaluation import Engine, Evaluation, RepositoryScore, checkouts_in, evaluate, summarize
from impetus.services.evaluation_history import make_queries
from impetus.services.evaluation_labels import labeled_history, read_labels
from impetus.services.evaluation_session import SessionEngine, ablations

if TYPE_CHECKING:
    from impetus.config import Settings
    from impetus.services.session import Session


async def retrieval(runtime: Runtime, out: Output, labels: Path, repos: Path, *, whole: bool, ablated: bool) -> int:
    labeled = await asyncio.to_thread(read_labels, labels)
    checkout = checkouts_in(repos)

    def measure(report: Callable[[RepositoryScore], None]) -> Callable[[Engine], Awaitable[Evaluation]]:
        return lambda engine: evaluate(engine, labeled, checkout, whole_repository=whole, report=report)

    async with evaluation_session(runtime) as session:
        await _measure(out, session, measure, ablated=ablated)
    return exits.OK


async def history(runtime: Runtime, out: Output, directory: Path, *, commits: int, queries: int, ablated: bool) -> int:
    past = await asyncio.to_thread(runtime.open_history, directory)
    out.note(f"reading the history of {directory}")
    made = await asyncio.to_thread(lambda: make_queries(past, directory.name, commits=commits, queries=queries))
    with tempfile.TemporaryDirectory(prefix="impetus-eval-") as folder:
        tree = Path(folder, directory.name)
        await asyncio.to_thread(past.export, made.snapshot, tree)
        labeled = [labeled_history(directory.name, made)]

        def measure(report: Callable[[RepositoryScore], None]) -> Callable[[Engine], Awaitable[Evaluation]]:
            return lambda engine: evaluate(engine, labeled, lambda _: tree, report=report)

        async with evaluation_session(runtime) as session:
            await _measure(out, session, measure, ablated=ablated)
    return exits.OK


@asynccontextmanager
async def evaluation_session(
    runtime: Runtime, changed: "Callable[[Settings], Settings]" = lambda settings: settings
) -> "AsyncIterator[Session]":
    """A session with the user's settings, as far as `changed` keeps them, and an empty home of its own."""
    settings, problems = config.load(ONCE)
    logging.basicConfig(
        level=settings.log.level.upper(), stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    for problem in problems:
        exits.complain(problem)
    with tempfile.TemporaryDirectory(prefix="impetus-eval-") as home:
        session = await runtime.open_evaluation(changed(settings), Path(home))
        try:
            yield session
        finally:
            await session.close()
            await session.engine.close()


Measure = Callable[[Callable[[RepositoryScore], None]], Callable[[Engine], Awaitable[Evaluation]]]


async def _measure(out: Output, session: "Session", measure: Measure, *, ablated: bool) -> None:
    def heard(score: RepositoryScore) -> None:
        out.note(f"{score.name:24} {_figures(summarize([score]))}")

    whole = await measure(heard)(SessionEngine(session, keep=ablated))
    without: dict[str, Evaluation] = {}
    if ablated:
        without = await ablations(session, measure(lambda score: None), lambda name: out.note(f"measuring {name}"))
    if out.json:
        out.emit(_as_json(whole, without))
    else:
        _show(out, whole, without)


def _as_json(whole: Evaluation, without: dict[str, Evaluation]) -> dict[str, Any]:
    """The published keys; `ablations` only when they were asked for."""
    value = whole.as_json()
    if without:
        value["ablations"] = {
            name: {"ndcg10": round(figure.ndcg10, 4), "ndcg10_file": round(figure.ndcg10_file, 4)}
            for name, figure in without.items()
        }
    return value


def _figures(result: Evaluation) -> str:
    scores = f"NDCG@10 {result.ndcg10:.3f}  by file {result.ndcg10_file:.3f}  recall@10 {result.recall10:.3f}"
    times = f"query p50 {result.query_ms_p50:.1f} ms  p95 {result.query_ms_p95:.1f} ms"
    return f"{scores}  index {result.index_seconds:.2f} s  {times}"


def _show(out: Output, whole: Evaluation, without: dict[str, Evaluation]) -> None:
    out.line(f"{whole.queries:,} {'query' if whole.queries == 1 else 'queries'}", "bold")
    out.line(_figures(whole), "bold")
    for title, groups in (("category", whole.by_category), ("language", whole.by_language)):
        if len(groups) > 1:
            out.line()
            for name, value in groups.items():
                out.line(f"  {title} {name:16} {value:.3f}")
    if without:
        out.line()
        out.line(f"  {'rules':28} {'chunks':>7} {'change':>7} {'files':>7} {'change':>7}", "bold")
        for name, figure in {"all": whole, **without}.items():
            chunks, files = figure.ndcg10 - whole.ndcg10, figure.ndcg10_file - whole.ndcg10_file
            out.line(f"  {name:28} {figure.ndcg10:7.3f} {chunks:+7.3f} {figure.ndcg10_file:7.3f} {files:+7.3f}")
