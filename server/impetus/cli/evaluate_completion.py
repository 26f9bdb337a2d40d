"""`impetus eval completion`: how often completion writes exactly what stood there, with and without other files."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from impetus.cli import exits
from impetus.cli.evaluate import evaluation_session
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.errors import BadRequest, NotFound
from impetus.services import evaluation_context, evaluation_humaneval
from impetus.services.evaluation_completion import CompletionFigures, HoleScore, evaluate_holes, summarize
from impetus.services.evaluation_context import ContextFigures, PositionScore, evaluate_context, identifiers
from impetus.services.evaluation_holes import Hole, cut_holes, labeled_holes, read_holes, sampled
from impetus.services.evaluation_humaneval import evaluate_problems, read_problems

if TYPE_CHECKING:
    from impetus.config import Settings
    from impetus.services.session import Session


async def completion(runtime: Runtime, out: Output, folder: Path, labels: Path | None, *, count: int, seed: int) -> int:
    async with evaluation_session(runtime) as session:
        _need_model(session)
        by_root = await _holes(session, folder, labels, count, seed)
        chosen = _chosen(by_root, count, seed)
        context = await _look_up(session, by_root, out)
        with_context = await _ask(session, chosen, out, index=True)
    async with evaluation_session(runtime, _without_context) as session:
        alone = await _ask(session, chosen, out, index=False)
    if out.json:
        out.emit({**with_context.as_json(), "without_context": alone.as_json(), "retrieval": context.as_json()})
    else:
        _show(out, with_context, alone, context)
    return exits.OK


async def humaneval(runtime: Runtime, out: Output, file: Path, *, count: int, seed: int) -> int:
    problems = await asyncio.to_thread(read_problems, file, count, seed)
    async with evaluation_session(runtime) as session:
        _need_model(session)
        scores = await evaluate_problems(
            session,
            problems,
            report=lambda problem, line, passed: out.note(f"{problem.name} {'pass' if passed else 'fail'} {line}"),
        )
    figures = evaluation_humaneval.summarize(scores)
    if out.json:
        out.emit(figures.as_json())
    else:
        out.line(f"{figures.count:,} problems", "bold")
        out.line(f"  pass rate {figures.pass_rate:.1%}  p50 {figures.seconds_p50 * 1000:.0f} ms", "bold")
    return exits.OK


def _need_model(session: "Session") -> None:
    if not session.models.has("completion"):
        raise BadRequest("There is no completion model to evaluate; set completion.model", parameter="model")


async def _holes(
    session: "Session", folder: Path, labels: Path | None, count: int, seed: int
) -> dict[Path, list[Hole]]:
    """The positions by the root that they are asked in; all of the labels'."""
    if labels is None:
        scan = await session.dry_run(folder)
        return {folder: await asyncio.to_thread(cut_holes, folder, scan.files, count, seed)}
    rows = await asyncio.to_thread(read_holes, labels)
    found = {folder / name: labeled_holes(folder / name, of_one) for name, of_one in rows.items()}
    if not any(found.values()):
        raise NotFound(f"{folder} holds no checkout that the labels name ({', '.join(sorted(rows))})")
    return found


def _chosen(by_root: dict[Path, list[Hole]], count: int, seed: int) -> dict[Path, list[Hole]]:
    """`count` of all, by root."""
    chosen = set(sampled([hole for holes in by_root.values() for hole in holes], count, seed))
    return {root: kept for root, holes in by_root.items() if (kept := [hole for hole in holes if hole in chosen])}


async def _look_up(session: "Session", by_root: dict[Path, list[Hole]], out: Output) -> ContextFigures:
    scores: list[PositionScore] = []
    for root, holes in by_root.items():
        if not holes:
            continue
        await _open(session, root, out)
        files = (await session.dry_run(root)).files
        known = await asyncio.to_thread(identifiers, root, files)
        scores += await evaluate_context(session, root, holes, known)
        await session.close_root(root)
    return evaluation_context.summarize(scores)


async def _ask(session: "Session", by_root: dict[Path, list[Hole]], out: Output, *, index: bool) -> CompletionFigures:
    scores: list[HoleScore] = []
    for root, holes in by_root.items():
        if index:
            await _open(session, root, out)
        scores += await evaluate_holes(session, root, holes)
        out.note(f"{root.name:24} {_figures(summarize(scores[-len(holes) :]))}" if holes else f"{root.name}: nothing")
        await session.close_root(root)
    return summarize(scores)


async def _open(session: "Session", root: Path, out: Output) -> None:
    await session.open_root(root)
    out.note(f"indexing {root.name}")
    await session.indexed()


def _without_context(settings: "Settings") -> "Settings":
    alone = settings.completion.model_copy(update={"context": False})
    return settings.model_copy(update={"completion": alone})


def _figures(figures: CompletionFigures) -> str:
    exact = f"exact match {figures.exact_match:.1%}  edit similarity {figures.edit_similarity:.3f}"
    return f"{exact}  p50 {figures.seconds_p50 * 1000:.0f} ms"


def _show(out: Output, with_context: CompletionFigures, alone: CompletionFigures, context: ContextFigures) -> None:
    out.line(f"{with_context.count:,} {'line' if with_context.count == 1 else 'lines'}", "bold")
    for title, figures in (("with other files", with_context), ("the file alone", alone)):
        out.line(f"  {title:16} {_figures(figures)}", "bold")
    if context.count:
        share = f"{context.found:.1%} of what {context.count:,} positions lack is in five passages"
        out.line(f"  {'retrieval':16} {share}  p50 {context.seconds_p50 * 1000:.1f} ms", "bold")
    out.line()
    for name in _names(with_context, alone):
        out.line(f"  {name:16} {with_context.by_language.get(name, 0):6.1%} {alone.by_language.get(name, 0):6.1%}")


def _names(*figures: CompletionFigures) -> Iterable[str]:
    return sorted({name for one in figures for name in one.by_language})
