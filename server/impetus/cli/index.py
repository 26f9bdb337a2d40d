"""`impetus index`: build or refresh the index of a folder, or say what would be in it."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from impetus.cli import exits
from impetus.cli.opening import ONCE, UNINDEXED, bring_up_to_date, engine_session, state
from impetus.cli.output import Output, plural, size
from impetus.cli.runtime import Runtime
from impetus.domain.types import IndexProgress, ScanReport
from impetus.languages import detect

#: 9.4 MB of Python in 2,089 files took 8.3 s on two busy server cores; good enough to tell a minute from an hour.
BYTES_PER_SECOND = 1_200_000

#: Examples shown of each reason on a terminal; `--json` has every file.
EXAMPLES = 3


async def index(runtime: Runtime, out: Output, root: Path, *, full: bool) -> int:
    async with engine_session(runtime, ONCE, out) as session:
        started = time.perf_counter()
        await bring_up_to_date(session, root, out, full=full)
        seconds = time.perf_counter() - started
        counts = await session.counts(root)
        found = state(session.status(), root) or IndexProgress(root, "ready")
    failed, problems, skipped = found.failed, found.problems, found.skipped
    if out.json:
        out.emit(
            {
                "root": str(root),
                "files": counts.files,
                "chunks": counts.chunks,
                "languages": dict(counts.languages),
                "skipped": skipped,
                "failed": failed,
                "problems": [{"subject": problem.subject, "message": problem.message} for problem in problems],
                "seconds": round(seconds, 3),
            }
        )
        return exits.OK
    out.line(f"{plural(counts.files, 'file')} in {plural(counts.chunks, 'chunk')}, {seconds:.1f} s", "bold")
    out.line(_languages(counts.languages))
    out.line(f"{plural(skipped, 'file')} left out; `impetus index --dry-run` says which and why", "dim")
    for problem in problems:
        out.line(f"! {problem.subject}: {problem.message}", "yellow")
    if failed > len(problems):
        out.line(f"! and {failed - len(problems)} more failed", "yellow")
    return exits.OK


async def dry_run(runtime: Runtime, out: Output, root: Path) -> int:
    """Reads everything and writes nothing."""
    async with engine_session(runtime, UNINDEXED, out) as session:
        with out.waiting(f"reading {root}"):
            report = await session.dry_run(root)
    sizes = {path: entry[0] for path, entry in report.files.items()}
    languages = Counter(detect(path) for path in sizes)
    seconds = sum(sizes.values()) / BYTES_PER_SECOND
    if out.json:
        out.emit(
            {
                "root": str(root),
                "files": len(sizes),
                "bytes": sum(sizes.values()),
                "languages": dict(languages.most_common()),
                "estimated_seconds": round(seconds, 1),
                "included": [{"path": path, "bytes": count} for path, count in sorted(sizes.items())],
                "skipped": [{"path": each.path, "reason": each.reason} for each in report.skipped],
                "problems": [{"subject": each.subject, "message": each.message} for each in report.problems],
            }
        )
        return exits.OK
    out.line(
        f"{plural(len(sizes), 'file')} would be indexed: {size(sum(sizes.values()))}, about {max(1, round(seconds))} s",
        "bold",
    )
    out.line(_languages(languages))
    _show_skipped(out, report)
    for problem in report.problems:
        out.line(f"! {problem.subject}: {problem.message}", "yellow")
    return exits.OK


def _show_skipped(out: Output, report: ScanReport) -> None:
    """Every reason, most frequent first; on a terminal with a few examples, in a pipe with all."""
    reasons: dict[str, list[str]] = {}
    for skipped in report.skipped:
        reasons.setdefault(skipped.reason, []).append(skipped.path)
    out.line(f"{len(report.skipped):,} left out:" if reasons else "nothing is left out")
    for reason, paths in sorted(reasons.items(), key=lambda entry: -len(entry[1])):
        out.line(f"  {len(paths):>6,}  {reason}", "yellow")
        shown = paths[:EXAMPLES] if out.interactive else paths
        for path in shown:
            out.line(f"          {path}", "dim")
        if len(paths) > len(shown):
            out.line(f"          and {len(paths) - len(shown):,} more (--json lists all)", "dim")


def _languages(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{language} {count:,}" for language, count in ordered)
