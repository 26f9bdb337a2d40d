"""`impetus stats`: what became of suggestions, by language and model. Nothing of it leaves the machine."""

from collections.abc import Iterable
from dataclasses import asdict, replace

from impetus.cli import exits
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.domain.feedback import Tally

_COLUMNS = ("offered", "shown", "accepted", "partly", "rejected")


def stats(runtime: Runtime, out: Output) -> int:
    tallies = runtime.open_tallies().all()
    if out.json:
        out.emit([asdict(tally) for tally in tallies])
        return exits.OK
    if not tallies:
        out.note("No suggestion has been offered yet; open a file in an editor that is connected to Impetus")
        return exits.OK
    totals = _by_language(tallies)
    width = max(len(name) for name in (*(f"{t.language}, {t.model}" for t in totals), "language, model"))
    out.line(f"Since {tallies[0].day}", "bold")
    heads = ("language, model".ljust(width), *(name.rjust(8) for name in _COLUMNS), "characters  kept")
    out.line("  ".join(heads), "bold")
    for total in totals:
        counts = (f"{getattr(total, name):>8,}" for name in _COLUMNS)
        kept = f"{total.retained / total.checked:>4.0%}" if total.checked else "   -"
        name = f"{total.language}, {total.model}".ljust(width)
        out.line("  ".join((name, *counts, f"{total.characters:>10,}  {kept}")))
    return exits.OK


def _by_language(tallies: Iterable[Tally]) -> list[Tally]:
    totals: dict[tuple[str, str], Tally] = {}
    for tally in tallies:
        key = tally.language, tally.model
        total = totals.setdefault(key, Tally("", *key))
        counts = {name: value + getattr(tally, name) for name, value in asdict(total).items() if isinstance(value, int)}
        totals[key] = replace(total, **counts)
    return sorted(totals.values(), key=lambda total: -total.offered)
