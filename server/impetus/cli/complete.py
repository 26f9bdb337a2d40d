"""`impetus complete`: what the completion model would write at a place of a file or of standard input."""

import sys
from pathlib import Path

from impetus.cli import exits, places
from impetus.cli.opening import UNINDEXED, engine_session
from impetus.cli.output import Output
from impetus.cli.runtime import Runtime
from impetus.domain.types import Completion, Cursor

#: Lines above the cursor shown to a person.
SHOWN_LINES = 4


async def complete(runtime: Runtime, out: Output, root: Path, place: places.Point, name: Path) -> int:
    """`name` is the path of the text when it comes from standard input, which may not exist yet."""
    data = sys.stdin.buffer.read() if place.path == places.STDIN else None
    document = places.read(name, root, data)
    cursor = Cursor(document, places.offset(document, place))
    async with engine_session(runtime, UNINDEXED, out) as session:
        # Other files are offered as context as far as they are indexed; a completion waits for no index.
        await session.open_root(root)
        session.documents.set(document)
        with out.waiting("completing"):
            await session.prepare_completion(cursor)  # who asks once wants the best answer, not the first
            completion = await session.complete(cursor, explicit=True)
    if out.json:
        out.emit(None if completion is None else _json(completion))
    elif completion is None:
        out.note("No completion fits here")
    elif out.interactive:
        _show(out, document.text, completion)
    else:
        out.line(completion.text)
    return exits.NOTHING if completion is None else exits.OK


def _show(out: Output, text: str, completion: Completion) -> None:
    """The completion between what stands around it."""
    from rich.text import Text

    before = "\n".join(text[: completion.start].split("\n")[-SHOWN_LINES:])
    after = text[completion.end :].split("\n")[0]
    out.console.print(Text.assemble((before, "dim"), (completion.text, "green"), (after, "dim")))
    out.line(f"  {completion.model}", "dim")


def _json(completion: Completion) -> dict[str, object]:
    return {
        "text": completion.text,
        "start": completion.start,
        "end": completion.end,
        "model": completion.model,
    }
