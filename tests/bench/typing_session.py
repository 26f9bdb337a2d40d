"""How much of what a completion model is given it has read before, over a session of typing.

    python -m tests.bench.typing_session [--folder DIR] [--keys N] [--seed S] [--lines L]

Stretches of L lines are taken out of files of the folder, by default our own, and typed again key by key. Every key
asks and waits for the answer, nothing is accepted. Brackets close by themselves and are typed over, as in editors; at
the end of a line the cursor rests. Counted by the model process, with what it reads while the cursor rests.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

from tests.evals.positions import LANGUAGES, our_own

from impetus import config
from impetus.app import create_engine
from impetus.domain.ports import Counters
from impetus.domain.types import Cursor, Document, Priority, Sampling, TextPrompt
from impetus.languages import detect
from impetus.services.session import Session

_CLOSERS = {"(": ")", "[": "]", "{": "}"}


def typed(before: str, stretch: str, after: str) -> Iterator[tuple[str, int]]:
    """The text and the cursor after each key; `stretch` stands between the others in the end."""
    closing = ""  # brackets that closed by themselves, right of the cursor
    for key in stretch:
        before += key
        if closing.startswith(key):
            closing = closing[1:]
        elif key in _CLOSERS:
            closing = _CLOSERS[key] + closing
        elif key == "\n":
            closing = ""
        indented = key == " " and not before[before.rfind("\n") + 1 :].strip()
        if not indented:  # an editor writes the indentation
            yield before + closing + after, len(before)


def stretches(folder: Path, paths: Sequence[str], lines: int, seed: int) -> Iterator[tuple[str, str, str, str]]:
    """(path, text before, the lines, text after) of random files, without end."""
    chooser = random.Random(seed)
    code = sorted(path for path in paths if detect(path) in LANGUAGES)
    while True:
        path = chooser.choice(code)
        text = (folder / path).read_text("utf-8", "replace")
        rows = text.splitlines(keepends=True)
        if len(rows) < 2 * lines:
            continue
        first = chooser.randrange(len(rows) - lines)
        before, stretch, after = rows[:first], rows[first : first + lines], rows[first + lines :]
        yield path, "".join(before), "".join(stretch).rstrip("\n"), "\n" + "".join(after)


async def session_of(session: Session, folder: Path, paths: Sequence[str], lines: int, seed: int, keys: int) -> int:
    """Type so many keys; how many of them were answered with something."""
    shown = 0
    for path, before, stretch, after in stretches(folder, paths, lines, seed):
        key = str(folder / path)
        for text, offset in typed(before, stretch, after):
            document = Document(key, text, keys, detect(path), dirty=True)
            session.documents.set(document)
            cursor = Cursor(document, offset)
            shown += await session.complete(cursor) is not None
            if text[:offset].endswith("\n"):
                await session.prepare_completion(cursor)
            keys -= 1
            if not keys:
                return shown
        session.close_document(key)
    raise AssertionError("there is always another stretch")


async def counted(session: Session) -> Counters:
    """What the model has computed by now: told when a request runs to its end."""
    last = session.models.stream("completion", TextPrompt("x"), Sampling(max_tokens=1), Priority.TYPING)
    async with aclosing(last) as steps:
        async for _ in steps:
            pass
    return session.engine.models.counters()[session.models.model_id("completion")]


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keys", type=int, default=400)
    parser.add_argument("--lines", type=int, default=12, help="of each stretch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="bundled", help="folder of another completion model")
    options = parser.parse_args()
    settings, _ = config.resolve({"index": {"watch": False}, "completion": {"model": options.model}})
    with our_own() as (own, paths), tempfile.TemporaryDirectory(prefix="impetus-bench-") as home:
        folder = options.folder.absolute() if options.folder else own
        engine = await create_engine(settings, home=Path(home))
        session = Session(engine)
        try:
            if options.folder:
                paths = list((await session.dry_run(folder)).files)
            await session.open_root(folder)
            await session.indexed()
            shown = await session_of(session, folder, paths, options.lines, options.seed, options.keys)
            counters = await counted(session)
        finally:
            await session.close()
            await engine.close()
    given = counters.prefill_tokens + counters.reused_tokens
    share = counters.reused_tokens / given
    print(f"{options.keys} keys, {shown} answered; {given} tokens given, {share:.1%} of them read before")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
