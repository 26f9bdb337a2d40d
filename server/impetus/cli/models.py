"""`impetus models`: what is here and what suits this machine; fetch, use, delete, load and unload."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from impetus import config
from impetus.cli import exits, shared
from impetus.cli.output import Output, size
from impetus.cli.runtime import Runtime
from impetus.domain.model_catalogue import ROLES, CatalogueModel, Role
from impetus.services.model_pull import PullProgress, Tell

if TYPE_CHECKING:
    from impetus.app_models import ModelTools

#: A large model is read from a slow disk within this time, in seconds.
LOAD_S = 300.0


def show(runtime: Runtime, out: Output) -> int:
    tools = _tools(runtime)
    installed, suited = tools.store.installed(), tools.recommended()
    names = {model.name for model in installed}
    if out.json:
        out.emit(
            {
                "installed": [
                    {
                        "name": model.name,
                        "folder": str(model.folder),
                        "bytes": model.nbytes,
                        "role": model.role,
                        "repo": model.repo or None,
                        "license": model.license or None,
                        "used_for": list(model.used_for),
                    }
                    for model in installed
                ],
                "catalogue": [_entry(model, suited, names) for model in tools.store.catalogue],
            }
        )
        return exits.OK
    for model in installed:
        used = f"  used for {', '.join(model.used_for)}" if model.used_for else ""
        out.line(f"✓ {model.role or 'unknown':<10}  {model.name:<28}  {size(model.nbytes):>8}  {model.license}{used}")
    if not installed:
        out.line("No model was fetched yet; completion works with the one that ships with Impetus")
    out.line()
    out.line("To fetch with `impetus models pull NAME` (→ suits this machine best):", "bold")
    for role in ROLES:
        for entry in (each for each in tools.store.catalogue if each.role == role and each.name not in names):
            mark = "→" if suited.get(role) == entry else " "
            facts = [f"{entry.license}", f"{entry.quantization}", f"Macs from {entry.memory_gb} GB", entry.note]
            line = f"{mark} {role:<10}  {entry.name:<28}  {entry.gigabytes:>5g} GB  {', '.join(filter(None, facts))}"
            out.line(line, "green" if mark == "→" else None)
    if not suited:
        out.line("This machine has no GPU that these can use; a server with chat.base_url is faster than its processor")
    return exits.OK


async def pull(runtime: Runtime, out: Output, name: str, bits: int) -> int:
    tools = _tools(runtime)
    with _progress(out) as tell:
        folder = await tools.puller.pull(name, tell, bits=bits)
    if out.json:
        out.emit({"name": folder.name, "folder": str(folder)})
    else:
        out.line(f"{folder.name} is in {folder}; `impetus models use {folder.name}` puts it to use")
    return exits.OK


def use(runtime: Runtime, out: Output, name: str, role: Role | None) -> int:
    used = _tools(runtime).store.use(name, role)
    if out.json:
        out.emit({"name": name, "role": used})
    else:
        unless = "" if used in config.ENGINE_SECTIONS else f" by every editor that does not set {used}.model itself"
        out.line(f"{name} is used for {used}{unless}")
        out.note("A running engine reads its settings when it starts; `impetus stop` ends it")
    return exits.OK


def remove(runtime: Runtime, out: Output, name: str) -> int:
    model = _tools(runtime).store.remove(name)
    if out.json:
        out.emit({"removed": model.name, "bytes": model.nbytes})
    else:
        out.line(f"Deleted {model.name}, {size(model.nbytes)}")
    return exits.OK


def control_model(_runtime: Runtime, out: Output, action: str, role: str) -> int:
    """`load` or `unload` by the running engine."""
    shared.need()
    from impetus.daemon import address, control

    engines = [each for each in control.running(address.runtime_folder()) if control.state_of(each)]
    if not engines:
        exits.complain("No engine runs; models load by themselves when they are first asked for something")
        return exits.NOTHING
    control.model(engines[0], action, role, LOAD_S)
    if out.json:
        out.emit({"role": role, "action": action})
    else:
        out.line(f"The {role} model is {action}ed")
    return exits.OK


def _tools(runtime: Runtime) -> "ModelTools":
    settings, _problems = config.load()
    return runtime.open_models(settings)


def _entry(model: CatalogueModel, suited: dict[Role, CatalogueModel], installed: set[str]) -> dict[str, Any]:
    return {
        "name": model.name,
        "role": model.role,
        "repo": model.repo,
        "license": model.license,
        "gigabytes": model.gigabytes,
        "context": model.context,
        "memory_gb": model.memory_gb,
        "quantization": model.quantization,
        "fim": model.fim or None,
        "recommended": suited.get(model.role) == model,
        "installed": model.name in installed,
    }


@contextmanager
def _progress(out: Output) -> Iterator[Tell]:
    """A bar on a terminal, a line for each file elsewhere."""
    if not sys.stderr.isatty():
        told: set[str] = set()

        def note(progress: PullProgress) -> None:
            if progress.state == "fetching" and progress.file not in told:
                told.add(progress.file)
                out.note(f"{progress.file}  ({size(progress.bytes)} of {size(progress.total)})")

        yield note
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out.errors, transient=True) as bars:
        task = bars.add_task("listing", total=None)

        def show_bar(progress: PullProgress) -> None:
            bars.update(
                task,
                description=f"{progress.state} {progress.file}".strip(),
                completed=progress.bytes,
                total=progress.total or None,
            )

        yield show_bar
