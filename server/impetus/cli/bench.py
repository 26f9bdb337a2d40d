"""`impetus bench` and `impetus models bench`: figures of this machine as a table, or as JSON to share."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import impetus
from impetus import __version__, config
from impetus.cli import exits
from impetus.cli.opening import UNINDEXED, engine_session
from impetus.cli.output import Output, size
from impetus.cli.runtime import Runtime
from impetus.daemon.state import resident
from impetus.domain.hardware import Conditions, Hardware
from impetus.domain.model_catalogue import Role
from impetus.services import bench as measure
from impetus.services import bench_draft
from impetus.services.bench import Figure, Report, Target
from impetus.services.dispatcher import BackendState

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "yellow")}


async def bench(runtime: Runtime, out: Output) -> int:
    report = Report()
    with out.waiting("measuring") as waiting:
        async with engine_session(runtime, UNINDEXED, out) as session:
            memory = resident(os.getpid()) / 1e6
            report.figures.append(Figure("engine memory", "engine", memory, "MB", "before any model was loaded"))
            machine = await session.engine.machine()
            for role in ("completion", "chat"):
                await measure.language_model(report, session, role, waiting.say)
            await bench_draft.draft(report, session, waiting.say)
            await measure.embedders(report, session.engine.embedders(), waiting.say)
            await measure.canary(report, session.engine, waiting.say)
        with tempfile.TemporaryDirectory(prefix="impetus-bench-") as home:
            settings, _problems = config.load({"index": {"watch": False}})
            session = await runtime.open_evaluation(settings, Path(home))
            try:
                await measure.index(report, session, Path(impetus.__file__).parent, waiting.say)
            finally:
                await session.close()
                await session.engine.close()
    _show(out, report, machine)
    return exits.OK


async def bench_model(runtime: Runtime, out: Output, name: str, role: Role | None) -> int:
    settings, _problems = config.load()
    model = runtime.open_models(settings).store.named(name)
    report = Report()
    chosen = role or model.role or "chat"
    key: Mapping[str, Any] = {chosen: {"model": str(model.folder), "base_url": ""}}
    with out.waiting("measuring") as waiting:
        async with engine_session(runtime, {**UNINDEXED, **key}, out) as session:
            machine = await session.engine.machine()
            if chosen == "embedding":
                found = session.engine.embedders()
                neural = {where: it for where, it in found.items() if it.id != session.engine.embedding_id}
                await measure.embedders(report, neural, waiting.say)
                await measure.canary(report, session.engine, waiting.say)
            else:
                await measure.language_model(report, session, chosen, waiting.say)
                if chosen == "chat":
                    await bench_draft.draft(report, session, waiting.say)
    _show(out, report, machine)
    return exits.OK if report.figures else exits.FAILED


def _show(out: Output, report: Report, machine: tuple[Hardware, Conditions] | None) -> None:
    hardware, conditions = machine or (Hardware(""), Conditions())
    judged = measure.targets(report.figures, hardware)
    if out.json:
        out.emit(
            {
                "version": __version__,
                "machine": asdict(hardware),
                "conditions": asdict(conditions),
                "figures": [asdict(figure) for figure in report.figures],
                "embedding_backends": [asdict(backend) for backend in report.backends],
                "not_measured": report.missing,
                "targets": [_target(target) for target in judged],
            }
        )
        return
    memory = size(hardware.memory_bytes) if hardware.memory_bytes else "memory unknown"
    out.line(f"Impetus {__version__} on {hardware.chip or 'an unknown chip'}, {memory}, {hardware.version}", "bold")
    if conditions.strain():
        out.line(f"! The machine is {conditions.strain()}; figures are worse than they could be", "yellow")
    for figure in report.figures:
        value = f"{figure.value:,.1f}" if figure.value < 100 else f"{figure.value:,.0f}"
        out.line(f"  {figure.kind:<18} {value:>10} {figure.unit:<8} {figure.subject}  ({figure.conditions})")
    for backend in report.backends:
        out.line(f"  {'canary':<18} {backend.name}: {_canary(backend)}")
    for missing in report.missing:
        out.line(f"  not measured: {missing}", "yellow")
    for target in judged:
        mark, style = _MARKS[target.met]
        bound = "at least" if target.least else "at most"
        found = f"{target.figure.value:,.1f}" if target.figure is not None else "not measured"
        out.line(f"{mark} {target.name}: {found}, {bound} {target.limit:g} {target.unit}", style)


def _canary(backend: BackendState) -> str:
    verdict = backend.verdict
    said = [backend.state + (f", {backend.reason}" if backend.reason else "")]
    if verdict is not None:
        said.append(f"least cosine {verdict.cosine:.6f}")
        if verdict.placed is not None:
            said.append(f"{verdict.placed:.1%} of its operations on it")
        if verdict.passed:
            said.append(f"{1000 * verdict.seconds:.1f} ms a text where {1000 * verdict.other_seconds:.1f} can be had")
    return "; ".join(said)


def _target(target: Target) -> dict[str, Any]:
    return {
        "name": target.name,
        "limit": target.limit,
        "bound": "least" if target.least else "most",
        "unit": target.unit,
        "value": target.figure.value if target.figure is not None else None,
        "met": target.met,
    }
