"""`impetus search`: the passages that answer a query, as they stand in the files now."""

from pathlib import Path
from typing import Any

from impetus.cli import exits
from impetus.cli.opening import workspace
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.domain.types import Hit, SearchQuery
from impetus.errors import BadRequest

#: Lines of a passage shown to a person; `--json` has the whole text.
SHOWN_LINES = 12


async def search(
    runtime: Runtime,
    out: Output,
    root: Path,
    text: str,
    top: int | None,
    paths: tuple[str, ...],
    languages: tuple[str, ...],
) -> int:
    if not text.strip():
        raise BadRequest("The query is empty; say what to look for", parameter="QUERY")
    async with workspace(runtime, root, out) as session:
        defaults = session.settings.search
        query = SearchQuery(text, top or defaults.limit, paths, languages, (root,), defaults.per_file)
        with out.waiting("searching"):
            hits = await session.search(query)
    if out.json:
        out.emit([hit_json(hit) for hit in hits])
    else:
        for number, hit in enumerate(hits):
            if number:
                out.line()
            show(out, hit)
        if not hits:
            out.note(f"Nothing found for {text!r} in {root}")
    return exits.OK if hits else exits.NOTHING


def hit_json(hit: Hit) -> dict[str, Any]:
    """The form that scripts rely on; keys may be added, never changed."""
    return {
        "path": hit.path,
        "start_line": hit.start_line,
        "end_line": hit.end_line,
        "score": round(hit.score, 6),
        "symbol": hit.symbol,
        "kind": hit.kind,
        "language": hit.language,
        "text": hit.text,
    }


def show(out: Output, hit: Hit) -> None:
    """`path:line-line  symbol  score`, then the first lines of the passage, numbered."""
    place = f"{hit.path}:{hit.start_line}-{hit.end_line}"
    rows = hit.text.splitlines()
    more = len(rows) - SHOWN_LINES
    if not out.interactive:
        out.line("  ".join(part for part in (place, hit.symbol, f"{hit.score:.3f}") if part))
        for number, row in enumerate(rows[:SHOWN_LINES], hit.start_line):
            out.line(f"{number:>6}  {row}")
    else:
        from rich.syntax import Syntax
        from rich.text import Text

        out.console.print(
            Text.assemble((place, "bold cyan"), "  ", (hit.symbol, "magenta"), "  ", (f"{hit.score:.3f}", "dim"))
        )
        code = "\n".join(rows[:SHOWN_LINES])
        out.console.print(
            Syntax(
                code,
                hit.language,
                theme="ansi_dark",
                background_color="default",
                line_numbers=True,
                start_line=hit.start_line,
            )
        )
    if more > 0:
        out.line(f"        … {more} more lines", "dim")
