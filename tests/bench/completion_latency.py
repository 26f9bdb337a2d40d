"""Times of inline completion through the language server, with the model that the settings name.

    python -m tests.bench.completion_latency [--folder DIR] [--count N] [--seed S] [--keys K] [--json]

A server of its own over pipes, its folder indexed and the model loaded. At each of N random places of the folder's
code the rest of a line is typed as it stood there, key by key, and every key asks. Requests are told apart by what they
need:

cold      the first of a document, nothing of its prompt read
warm      a key after it that what is shown does not begin with
cached    the same place once more, or a key that was suggested
rested    the first of a place of a document where the cursor has rested

`line` are the answers that show a single line, `lines` those of several, `any` all with those that show nothing. Each
row has p50 and p95.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.figures import spread
from tests.evals.positions import our_own
from tests.support.lsp_process import ServerProcess, running

from impetus.services.evaluation_holes import Hole, cut_holes

#: The engine reads ahead this long after the last request at the latest, on a slow machine too.
RESTS_S = 4.0


class Editor:
    """One document at a time."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._opened = 0
        self.uri, self.text, self.version = "", "", 0

    def open(self, hole: Hole) -> None:
        self._opened += 1
        # Names differ, so that every document is new; what lies on disk under a name is of no account here.
        file = self._folder / hole.path
        self.uri = file.with_name(f"{file.stem}_{self._opened}{file.suffix}").as_uri()
        self.text, self.version = hole.text, 1
        self._server.open(self.uri, self.text, hole.language)

    def close(self) -> None:
        self._server.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})

    def position(self, offset: int) -> dict[str, int]:
        line = self.text.count("\n", 0, offset)
        start = self.text.rfind("\n", 0, offset) + 1
        return {"line": line, "character": len(self.text[start:offset].encode("utf-16-le")) // 2}

    def type(self, offset: int, key: str) -> None:
        where = self.position(offset)
        self.text = self.text[:offset] + key + self.text[offset:]
        self.version += 1
        change = {"range": {"start": where, "end": where}, "text": key}
        document = {"uri": self.uri, "version": self.version}
        self._server.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    async def ask(self, offset: int) -> tuple[str, float]:
        """What is shown, "" for nothing, and the seconds that it took."""
        params = {
            "textDocument": {"uri": self.uri},
            "position": self.position(offset),
            "context": {"triggerKind": 2},
        }
        began = time.perf_counter()
        answer = await self._server.request("textDocument/inlineCompletion", params)
        seconds = time.perf_counter() - began
        items: list[dict[str, Any]] = (answer or {}).get("items", [])
        return (items[0]["insertText"] if items else ""), seconds

    async def rest(self, offset: int) -> None:
        here = self.position(offset)
        params = {
            "textDocument": {"uri": self.uri},
            "range": {"start": here, "end": here},
            "context": {"diagnostics": [], "triggerKind": 2},
        }
        await self._server.request("textDocument/codeAction", params)
        await asyncio.sleep(RESTS_S)


class Times:
    """Seconds by kind of request and what came of it."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, kind: str, text: str, seconds: float) -> None:
        self.seconds[kind, "any"].append(seconds)
        if text:
            self.seconds[kind, "lines" if "\n" in text.strip("\n") else "line"].append(seconds)


def _indexed(status: dict[str, Any]) -> bool:
    return bool(status["indexes"]) and all(index["phase"] == "ready" for index in status["indexes"])


async def measure(editor: Editor, holes: Sequence[Hole], keys: int) -> Times:
    times = Times()
    for number, hole in enumerate(holes):
        editor.open(hole)
        if number % 2:
            await editor.rest(hole.offset)
        text, seconds = await editor.ask(hole.offset)
        times.add("rested" if number % 2 else "cold", text, seconds)
        times.add("cached", *await editor.ask(hole.offset))
        for i, key in enumerate(hole.expected[:keys]):
            suggested = text.startswith(key)
            editor.type(hole.offset + i, key)
            text, seconds = await editor.ask(hole.offset + i + 1)
            times.add("cached" if suggested else "warm", text, seconds)
        editor.close()
    return times


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="code to type; by default our own and its samples")
    parser.add_argument("--count", type=int, default=40, help="places")
    parser.add_argument("--keys", type=int, default=8, help="keys typed at each place at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="bundled", help="folder of another completion model")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with our_own() as (own, paths), tempfile.TemporaryDirectory(prefix="impetus-bench-") as home:
        folder = options.folder.absolute() if options.folder else own
        if options.folder:
            paths = [str(file.relative_to(folder)) for file in sorted(folder.rglob("*")) if file.is_file()]
        holes = cut_holes(folder, paths, options.count + 1, options.seed)
        async with running(Path(home)) as server:
            root = {"uri": folder.as_uri(), "name": folder.name}
            await server.initialize(
                {"textDocument": {"inlineCompletion": {}}},
                workspaceFolders=[root],
                initializationOptions={"completion": {"model": options.model}},
            )
            while not _indexed(await server.request("impetus/status")):  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(0.2)
            editor = Editor(server, folder)
            editor.open(holes[0])
            await editor.ask(holes[0].offset)  # the model is loaded with the first
            editor.close()
            times = await measure(editor, holes[1:], options.keys)
            await server.leave()
    if options.json:
        rows = {f"{kind} {what}": [len(found), median(found)] for (kind, what), found in times.seconds.items()}
        print(json.dumps(rows))
        return 0
    print(f"{len(holes) - 1} places, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for kind in ("cold", "rested", "warm", "cached"):
        for what in ("line", "lines", "any"):
            if found := times.seconds[kind, what]:
                print(f"{kind:7} {what:6} {len(found):4}  {spread(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
