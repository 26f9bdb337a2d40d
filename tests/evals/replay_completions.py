"""Replay a session that asks for completions in many languages, and count what must not be shown.

    python -m tests.evals.replay_completions [--folder DIR] [--count N] [--seed S] [--explicit] [--json] [--kept FILE]

Asks as an editor does while somebody types, through `Session.complete`, until N completions were shown; with
`--explicit` as somebody who wants one everywhere, which also shows what the model is not sure of. With `--kept` what
the model wrote is kept in FILE, and where FILE has it already the model is not asked: after a change of what is shown
of an answer the same session can be replayed in seconds.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing, nullcontext
from pathlib import Path
from typing import Any

from impetus import config
from impetus.app import create_engine
from impetus.config import Settings
from impetus.domain.types import Cursor, Document, End, FinishReason, Piece, Priority, Prompt, Sampling, Step, Usage
from impetus.services.models import ModelRole, Models, SessionModels
from impetus.services.session import Session
from tests.evals.defects import KINDS, defects
from tests.evals.positions import Position, our_own, positions

#: Lines of text kept above and below a cursor.
LINES = 24

#: At random places about every other request is answered with something.
ASKED_PER_SHOWN = 4


class Kept:
    """What the model wrote at each position, [text, log-probability] of each piece, in a file of JSON lines."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._now: Position | None = None  # where is asked
        lines = file.read_text("utf-8").splitlines() if file is not None and file.exists() else []
        self._pieces: dict[str, list[list[Any]]] = {row["at"]: row["pieces"] for row in map(json.loads, lines)}

    def go(self, position: Position) -> None:
        self._now = position

    def get(self) -> list[list[Any]] | None:
        return self._pieces.get(self._now.key) if self._now is not None else None

    def add(self, pieces: list[list[Any]]) -> None:
        if self._now is None:
            return
        self._pieces[self._now.key] = pieces
        if self._file is not None:
            before, after = self._now.around(LINES)
            row = {"at": self._now.key, "language": self._now.language, "before": before, "after": after}
            with self._file.open("a", encoding="utf-8") as out:
                out.write(json.dumps({**row, "pieces": pieces}) + "\n")

    @property
    def text(self) -> str:
        return "".join(piece[0] for piece in self.get() or ())


class KeptModels(SessionModels):
    """A session's models that keep what they write."""

    def __init__(self, models: SessionModels, kept: Kept) -> None:
        self._models, self._kept = models, kept

    def has(self, role: ModelRole) -> bool:
        return self._models.has(role)

    def model_id(self, role: ModelRole) -> str:
        return self._models.model_id(role)

    def is_local(self, role: ModelRole) -> bool:
        return self._models.is_local(role)

    def is_ready(self, role: ModelRole) -> bool:
        return self._models.is_ready(role)

    async def stream(
        self, role: ModelRole, prompt: Prompt, sampling: Sampling, priority: Priority
    ) -> AsyncGenerator[Step, None]:
        known = self._kept.get()
        if known is not None:
            for text, logprob in known:
                yield Piece(text, logprob)
            yield End(FinishReason.STOP, Usage(1, len(known)))
            return
        pieces: list[list[Any]] = []
        try:
            async with aclosing(self._models.stream(role, prompt, sampling, priority)) as steps:
                async for step in steps:
                    if isinstance(step, Piece):
                        pieces.append([step.text, step.logprob])
                    yield step
        finally:
            self._kept.add(pieces)


class KeepingModels(Models):
    """Only `named_by` differs; the engine goes on with its own."""

    def __init__(self, models: Models, kept: Kept) -> None:
        self._all, self._kept = models, kept

    def named_by(self, settings: Settings) -> SessionModels:
        return KeptModels(self._all.named_by(settings), self._kept)

    async def close(self) -> None:
        await self._all.close()


async def replay(
    session: Session, folder: Path, asked: list[Position], wanted: int, kept: Kept, *, explicit: bool
) -> dict[str, Any]:
    """Counts of what was shown, and every defect with its place."""
    shown: Counter[str] = Counter()
    number, bad = 0, list[dict[str, str]]()
    for one in asked:
        number += 1
        document = Document(str(folder / one.path), one.text, 1, one.language, dirty=True)
        session.documents.set(document)
        kept.go(one)
        completion = await session.complete(Cursor(document, one.offset), explicit=explicit)
        session.close_document(document.key)
        if completion is None:
            continue
        shown[one.language] += 1
        bad += [
            {"kind": kind, "at": one.key, "written": kept.text, "shown": completion.text}
            for kind in defects(one.text, one.offset, completion.text, one.language)
        ]
        if shown.total() == wanted:
            break
    kinds = Counter(one["kind"] for one in bad)
    return {
        "asked": number,
        "shown": shown.total(),
        "by_language": dict(sorted(shown.items())),
        **{kind: kinds[kind] for kind in KINDS},
        "defects": bad,
    }


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="code to replay; by default our own and its samples")
    parser.add_argument("--count", type=int, default=2_000, help="completions shown")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="bundled", help="folder of another completion model")
    parser.add_argument("--kept", type=Path, help="file that keeps what the model wrote")
    parser.add_argument("--explicit", action="store_true", help="ask as on a person's wish")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    kept = Kept(options.kept)
    source: AbstractContextManager[tuple[Path, list[str] | None]]
    source = nullcontext((options.folder.absolute(), None)) if options.folder else our_own()
    settings, _ = config.resolve({"index": {"watch": False}, "completion": {"ahead": False, "model": options.model}})
    with source as (folder, paths), tempfile.TemporaryDirectory(prefix="impetus-eval-") as home:
        engine = await create_engine(settings, home=Path(home))
        engine.models = KeepingModels(engine.models, kept)
        session = Session(engine)
        try:
            paths = paths or list((await session.dry_run(folder)).files)
            count = options.count * ASKED_PER_SHOWN
            asked = await asyncio.to_thread(positions, folder, paths, count, options.seed)
            await session.open_root(folder)
            await session.indexed()
            found = await replay(session, folder, asked, options.count, kept, explicit=options.explicit)
        finally:
            await session.close()
            await engine.close()
    bad = found.pop("defects")
    if options.json:
        print(json.dumps({**found, "defects": bad}))
    else:
        for one in bad:
            print(f"{one['kind']} at {one['at']}\n  written {one['written']!r}\n  shown   {one['shown']!r}")
        for name, value in found.items():
            print(f"{name:28} {value}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
