"""`impetus related`: what has to do with the code at a place, by kind of relation."""

from itertools import groupby
from pathlib import Path

from impetus.cli import exits, places
from impetus.cli.opening import workspace
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.cli.search import hit_json

_TITLES = {"callee": "Uses", "caller": "Used by", "test": "Tests that mention it", "similar": "Similar code"}


async def related(runtime: Runtime, out: Output, root: Path, place: places.Lines) -> int:
    selection = places.selection(places.read(place.path, root), place)
    async with workspace(runtime, root, out) as session:
        with out.waiting("looking for what bears on it"):
            found = await session.related(selection)
    if out.json:
        out.emit([{"relation": one.relation, **hit_json(one.hit)} for one in found])
    else:
        for relation, group in groupby(found, key=lambda one: one.relation):
            out.line(_TITLES[relation], "bold")
            for one in group:
                hit = one.hit
                said = hit.text.strip() if hit.start_line == hit.end_line else ""
                out.line("  ".join(part for part in (f"  {hit.path}:{hit.start_line}", hit.symbol, said) if part))
        if not found:
            out.note(f"Nothing related to {place.path} is known in {root}")
    return exits.OK if found else exits.NOTHING
