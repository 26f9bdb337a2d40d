"""`impetus doctor`: every check as it finishes, what to do about each, and a verdict as the exit code."""

from impetus import config
from impetus.cli import exits
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.services import doctor as checks
from impetus.services.doctor import Checked, Level

_STYLES = {Level.GOOD: "green", Level.WARNING: "yellow", Level.BAD: "red"}


async def doctor(runtime: Runtime, out: Output) -> int:
    settings, problems = config.load()
    done: list[Checked] = [Checked("Settings", _settings(problems))]
    _show(out, done[0])
    for check in runtime.doctor_checks(settings):
        with out.waiting(check.name):
            done.append(await checks.examine(check))
        _show(out, done[-1])
    if out.json:
        out.emit({"passed": checks.passed(done), "checks": checks.as_json(done)})
    else:
        out.line()
        out.line(checks.summary(done), "bold")
    return exits.OK if checks.passed(done) else exits.NOTHING


def _settings(problems: list[str]) -> checks.CheckResult:
    if problems:
        return checks.warning("; ".join(problems), "docs/settings.md lists the settings and their values")
    return checks.good("read without complaints")


def _show(out: Output, checked: Checked) -> None:
    if out.json:
        return
    first, *rest = checks.lines(checked)
    out.line(first, _STYLES[checked.result.level])
    for row in rest:
        out.line(row)
    out.flush()
