"""`impetus status`: where the state lies, what is indexed, which models there are, what is wrong."""

import contextlib
from dataclasses import asdict
from pathlib import Path

from impetus import __version__, config
from impetus.cli import exits
from impetus.cli.opening import UNINDEXED, engine_session
from impetus.cli.output import Output, plural, size
from impetus.cli.runtime import Runtime
from impetus.domain.types import Health

_MARKS = {Health.OK: ("✓", "green"), Health.WARNING: ("!", "yellow"), Health.ERROR: ("✗", "red")}


async def status(runtime: Runtime, out: Output, root: Path) -> int:
    home = config.home()
    async with engine_session(runtime, UNINDEXED, out) as session:
        await session.open_root(root)
        counts = await session.counts(root)
        state = session.status()
    used = _bytes_under(home)
    code = exits.FAILED if state.health is Health.ERROR else exits.OK
    if out.json:
        out.emit(
            {
                "version": __version__,
                "home": str(home),
                "home_bytes": used,
                "health": state.health.value,
                "workspace": {
                    "root": str(root),
                    "files": counts.files,
                    "chunks": counts.chunks,
                    "languages": dict(counts.languages),
                },
                "models": [asdict(model) for model in state.models],
                "problems": [asdict(problem) for problem in state.problems],
            }
        )
        return code
    mark, style = _MARKS[state.health]
    sound = "sound" if state.health is Health.OK else state.message
    out.line(f"{mark} Impetus {__version__}: {sound}", f"bold {style}")
    out.line(f"  home       {home}  ({size(used)})")
    indexed = f"{plural(counts.files, 'file')}, {plural(counts.chunks, 'chunk')}"
    out.line(f"  workspace  {root}  ({indexed if counts.files else 'not indexed yet; run `impetus index`'})")
    for model in state.models:
        detail = f"  {model.detail}" if model.detail else ""
        out.line(f"  {model.role:<10} {model.id or '-'}  {model.state}{detail}")
    for problem in state.problems:
        out.line(f"  ! {problem.subject}: {problem.message}", "yellow")
    return code


def _bytes_under(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # another process may be tidying up
            total += file.lstat().st_size
    return total
