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
from impetus.services.evaluation_completion import CompletionFigures, HoleScore, evaluate_holes, summarize
from impetus.services.evaluation_holes import Hole, cut_holes, labeled_holes, read_holes, sampled

if TYPE_CHECKING:
    from impetus.config import Settings
    from impetus.services.session import Session


async def completion(runtime: Runtime, out: Output, folder: Path, labels: Path | None, *, count: int, seed: int) -> int:
    async with evaluation_session(runtime) as session:
        if not session.engine.settings.completion.model and not session.engine.settings.completion.base_url:
            raise BadRequest("There is no completion model to evaluate; set completion.model", parameter="model")
        by_root = await _holes(session, folder, labels, count, seed)
        with_context = await _ask(session, by_root, out, index=True)
    async with evaluation_session(runtime, _without_context) as session:
        alone = await _ask(session, by_root, out, index=False)
    if out.json:
        out.emit({**with_context.as_json(), "without_context": alone.as_json()})
    else:
        _show(out, with_context, alone)
    return exits.OK


async def _holes(
    session: "Session", folder: Path, labels: Path | None, count: int, seed: int
) -> dict[Path, list[Hole]]:
    """What to ask, by the root that it is asked in."""
    if labels is None:
        scan = await session.dry_run(folder)
        return {folder: await asyncio.to_thread(cut_holes, folder, scan.files, count, seed)}
    rows = await asyncio.to_thread(read_holes, labels)
    found = {folder / name: labeled_holes(folder / name, of_one) for name, of_one in rows.items()}
    holes = [(root, hole) for root, of_one in found.items() for hole in of_one]
    if not holes:
        raise NotFound(f"{folder} holds no checkout that the labels name ({', '.join(sorted(rows))})")
    chosen = set(sampled([hole for _, hole in holes], count, seed))
    return {root: kept for root in found if (kept := [hole for hole in found[root] if hole in chosen])}


async def _ask(session: "Session", by_root: dict[Path, list[Hole]], out: Output, *, index: bool) -> CompletionFigures:
    scores: list[HoleScore] = []
    for root, holes in by_root.items():
        if index:
            await session.open_root(root)
            out.note(f"indexing {root.name}")
            await session.indexed()
        scores += await evaluate_holes(session, root, holes)
        out.note(f"{root.name:24} {_figures(summarize(scores[-len(holes) :]))}" if holes else f"{root.name}: nothing")
        await session.close_root(root)
    return summarize(scores)


def _without_context(settings: "Settings") -> "Settings":
    alone = settings.completion.model_copy(update={"context": False})
    return settings.model_copy(update={"completion": alone})


def _figures(figures: CompletionFigures) -> str:
    exact = f"exact match {figures.exact_match:.1%}  edit similarity {figures.edit_similarity:.3f}"
    return f"{exact}  p50 {figures.seconds_p50 * 1000:.0f} ms"


def _show(out: Output, with_context: CompletionFigures, alone: CompletionFigures) -> None:
    out.line(f"{with_context.count:,} {'line' if with_context.count == 1 else 'lines'}", "bold")
    for title, figures in (("with other files", with_context), ("the file alone", alone)):
        out.line(f"  {title:16} {_figures(figures)}", "bold")
    out.line()
    for name in _names(with_context, alone):
        out.line(f"  {name:16} {with_context.by_language.get(name, 0):6.1%} {alone.by_language.get(name, 0):6.1%}")


def _names(*figures: CompletionFigures) -> Iterable[str]:
    return sorted({name for one in figures for name in one.by_language})
