"""`impetus status`: the engines that run, where the state lies, what is indexed, which models there are, what is wrong.

What a running engine says of models and problems stands; without one a look at the files has to do.
"""

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impetus import __version__, config
from impetus.cli import exits, shared
from impetus.cli.opening import UNINDEXED, engine_session
from impetus.cli.output import Output, plural, size
from impetus.cli.runtime import Runtime
from impetus.domain.types import Health

if TYPE_CHECKING:
    from impetus.daemon.control import Running

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


async def status(runtime: Runtime, out: Output, root: Path) -> int:
    home = config.home()
    engines = _engines()
    async with engine_session(runtime, UNINDEXED, out) as session:
        await session.open_root(root)
        counts = await session.counts(root)
        offline = session.status()
    found: dict[str, Any] = {
        "health": offline.health.value,
        "message": offline.message,
        "models": [asdict(model) for model in offline.models],
        "problems": [asdict(problem) for problem in offline.problems],
    }
    answering = next((engine for engine in engines if "health" in engine), None)
    if answering is not None and answering["models"]:
        found = {key: answering[key] for key in found}
    used = _bytes_under(home)
    code = exits.FAILED if found["health"] == Health.ERROR.value else exits.OK
    if out.json:
        workspace = {
            "root": str(root),
            "files": counts.files,
            "chunks": counts.chunks,
            "languages": dict(counts.languages),
        }
        message = found.pop("message")
        head = {"version": __version__, "home": str(home), "home_bytes": used, "message": message}
        out.emit({**head, **found, "workspace": workspace, "engines": engines})
        return code
    mark, style = _MARKS[found["health"]]
    sound = "sound" if found["health"] == Health.OK.value else found["message"]
    out.line(f"{mark} Impetus {__version__}: {sound}", f"bold {style}")
    out.line(f"  home       {home}  ({size(used)})")
    indexed = f"{plural(counts.files, 'file')}, {plural(counts.chunks, 'chunk')}"
    out.line(f"  workspace  {root}  ({indexed if counts.files else 'not indexed yet; run `impetus index`'})")
    for model in found["models"]:
        detail = f"  {model['detail']}" if model["detail"] else ""
        out.line(f"  {model['role']:<10} {model['id'] or '-'}  {model['state']}{detail}")
    for engine in engines:
        _show(out, engine)
    if not engines:
        out.line("  engine     none runs; an editor or `impetus serve` starts it")
    for problem in found["problems"]:
        out.line(f"  ! {problem['subject']}: {problem['message']}", "yellow")
    return code


def _engines() -> list[dict[str, Any]]:
    """What each says of itself; of one that does not speak with us only version and process, and why."""
    if not shared.here():
        return []
    from impetus.daemon import address, control

    return [
        control.state_of(engine) or {"version": engine.version, "pid": engine.pid, "message": _silence(engine)}
        for engine in control.running(address.runtime_folder())
    ]


def _show(out: Output, engine: dict[str, Any]) -> None:
    if "uptime_s" not in engine:
        out.line(f"  engine     process {engine['pid']} {engine['message']}", "yellow")
        return
    facts = [f"process {engine['pid']}", f"up {_span(engine['uptime_s'])}", size(engine["memory_bytes"])]
    facts += [f"{engine['url']}/v1"] if engine["url"] else []
    out.line(f"  engine     {', '.join(facts)}")
    for session in engine["sessions"]:
        out.line(f"    {session['editor']}  {', '.join(session['roots']) or 'no folder'}  {_span(session['since_s'])}")
    for index in engine["indexes"]:
        held = f"{plural(index['files'], 'file')}, {plural(index['chunks'], 'chunk')}"
        out.line(f"    index      {index['root']}  {index['phase']}, {held}")


def _silence(engine: "Running") -> str:
    if not Path(engine.path).exists():
        return "cannot be reached: its socket was deleted; `impetus stop` ends it"
    why = "is busy" if engine.version == __version__ else f"is of Impetus {engine.version}"
    return f"{why} and does not answer"


def _span(seconds: float) -> str:
    """`2 h 5 min`"""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{rest} s"


def _bytes_under(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # another process may be tidying up
            total += file.lstat().st_size
    return total
