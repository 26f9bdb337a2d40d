"""What `impetus doctor` checks and how it says so: checks as data, run in order, formatted without color.

A check never raises: what it meets unexpectedly is a failed check. What needs an adapter is made by `app.py`; what
needs only the system or a session stands in `doctor_checks.py`.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from impetus.errors import ImpetusError


class Level(Enum):
    GOOD = "good"
    WARNING = "warning"  # works, not as well as it could
    BAD = "bad"


MARKS = {Level.GOOD: "✓", Level.WARNING: "!", Level.BAD: "✗"}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`finding` is what is there; `advice` what to do about it, "" when nothing needs doing."""

    level: Level
    finding: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One question about this installation. `run` may be asynchronous."""

    name: str
    run: Callable[[], CheckResult | Awaitable[CheckResult]]


@dataclass(frozen=True, slots=True)
class Checked:
    name: str
    result: CheckResult


def good(finding: str) -> CheckResult:
    return CheckResult(Level.GOOD, finding)


def warning(finding: str, advice: str) -> CheckResult:
    return CheckResult(Level.WARNING, finding, advice)


def bad(finding: str, advice: str) -> CheckResult:
    return CheckResult(Level.BAD, finding, advice)


async def examine(check: Check) -> Checked:
    return Checked(check.name, await _result(check))


async def _result(check: Check) -> CheckResult:
    try:
        result = check.run()
        return await result if inspect.isawaitable(result) else result
    except ImpetusError as error:
        return bad(str(error), "")
    except Exception as error:
        # A broken library may raise anything; the other checks still say what works.
        return bad(f"{type(error).__name__}: {error}", "This is not expected; please report it with this line")


def lines(checked: Checked) -> list[str]:
    """`✓ name: finding`, and what to do on a line of its own."""
    result = checked.result
    out = [f"{MARKS[result.level]} {checked.name}: {result.finding}"]
    if result.advice:
        out.append(f"    → {result.advice}")
    return out


def summary(all_checked: Sequence[Checked]) -> str:
    levels = [checked.result.level for checked in all_checked]
    failed, warned = levels.count(Level.BAD), levels.count(Level.WARNING)
    if not failed and not warned:
        return f"All {len(levels)} checks passed"
    return f"{len(levels) - failed - warned} of {len(levels)} checks passed, {warned} to look at, {failed} failed"


def passed(all_checked: Iterable[Checked]) -> bool:
    return all(checked.result.level is not Level.BAD for checked in all_checked)


def as_json(all_checked: Iterable[Checked]) -> list[dict[str, Any]]:
    return [
        {
            "name": checked.name,
            "level": checked.result.level.value,
            "finding": checked.result.finding,
            "advice": checked.result.advice,
        }
        for checked in all_checked
    ]
