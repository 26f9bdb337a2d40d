"""Kill a real `impetus index` at random moments and compare what heals with an index built from scratch.

The moment of a kill is a share of the time that such a run takes from its first write to its end, so the seed decides
where in the work it falls, on a fast machine as on a slow one. Every healed index is a copy: the interrupted one may go
on to be interrupted again.
"""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil

from impetus.adapters import store
from impetus.config import IndexSettings
from impetus.domain.ports import Embedder
from tests.support.catalog import vocabulary
from tests.support.live_index import live_index

_SERVER = Path(__file__).parents[2] / "server"
_WORDS = ("retry", "policy", "parser", "token", "stream", "buffer", "cursor", "window", "session", "budget", "header")
#: Seconds between looks at a process; what it has written is the clock, this only paces the looking.
_LOOK = 0.002


def module_source(random: Random, functions: int) -> str:
    """Python with definitions, references and a vocabulary that repeats itself, as real code does."""
    lines = [f'"""About the {random.choice(_WORDS)} of a {random.choice(_WORDS)}."""', ""]
    for _ in range(functions):
        name, other = f"{random.choice(_WORDS)}_{random.choice(_WORDS)}", random.choice(_WORDS)
        lines += ["", f"def {name}({other}, limit={random.randrange(99)}):"]
        lines += [f"    {random.choice(_WORDS)} = {name}({other}, {random.randrange(9999)})" for _ in range(12)]
        lines += [f"    return {other}", ""]
    return "\n".join(lines)


def write_project(root: Path, random: Random, files: int) -> None:
    for number in range(files):
        file = root / f"package_{number % 7}" / f"module_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(module_source(random, random.randint(3, 12)))


def edit_project(root: Path, random: Random) -> None:
    """Change, move, copy, add and remove files; about as many stay, or each trial would take longer than the last."""
    files = sorted(root.rglob("*.py"))
    most = len(files)
    for file in random.sample(files, len(files) // 3):
        action = random.choice(("change", "change", "move", "copy", "remove"))
        target = file.with_name(f"{action}_{random.randrange(10**6)}.py")
        if action == "change":
            file.write_text(file.read_text() + module_source(random, 2))
        elif action == "move":
            file.rename(target)
        elif action == "copy":
            target.write_text(file.read_text())
        elif len(files) > 20:
            file.unlink()
    write_project(root / f"added_{random.randrange(10**6)}", random, 6)
    files = sorted(root.rglob("*.py"))
    for file in random.sample(files, max(0, len(files) - most)):
        file.unlink()


@dataclass(slots=True)
class Trials:
    """Runs over one project. `home` is the state directory that is interrupted again and again."""

    root: Path
    home: Path
    scratch: Path  # folder for copies
    random: Random
    embedder: Embedder
    kills: int = 0
    finished: int = 0  # runs that were faster than their kill; not counted
    _spans: dict[str, float] = field(default_factory=dict)  # kind of run → seconds from first write to end
    _expected: dict[str, Any] | None = None  # the index of the project as it is, built from scratch

    def run(self, times: int) -> Iterator[int]:
        """Kill `times` processes; after each, assert that the healed index equals a new one."""
        while self.kills < times:
            if not self.home.exists() or self.random.random() < 0.3:
                shutil.rmtree(self.home, ignore_errors=True)
                kind = "scan"
            else:
                edit_project(self.root, self.random)
                self._expected = None
                kind = "reindex"
            if not self._killed(kind):
                self.finished += 1
                continue
            self.kills += 1
            healed = self.scratch / "healed"
            shutil.rmtree(healed, ignore_errors=True)
            if self.home.exists():
                shutil.copytree(self.home, healed)
            self._compare(healed)
            if self.random.random() < 0.5:
                shutil.rmtree(self.home, ignore_errors=True)
                healed.rename(self.home)
            yield self.kills

    def _killed(self, kind: str) -> bool:
        if kind not in self._spans:
            # A complete run of this kind, on a copy, says how long one takes.
            measured = self.scratch / "measured"
            shutil.rmtree(measured, ignore_errors=True)
            if self.home.exists():
                shutil.copytree(self.home, measured)
            process, began = self._start(measured)
            assert process.wait(timeout=120) == 0
            self._spans[kind] = time.monotonic() - began
        process, began = self._start(self.home)
        try:
            process.wait(timeout=max(0.0, began - time.monotonic() + self.random.random() * self._spans[kind]))
        except subprocess.TimeoutExpired:
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            # They end with it, and until then they may still write.
            _, left = psutil.wait_procs(children, timeout=20)
            assert not left, f"{left} outlived the process that started them"
            return process.wait() != 0
        # Faster than the one that was measured, on a machine with other work: the next guess is between the two.
        self._spans[kind] = (self._spans[kind] + time.monotonic() - began) / 2
        return False

    def _start(self, home: Path) -> tuple["subprocess.Popen[bytes]", float]:
        """A process that has just begun to write, and when it did."""
        before = _signature(home)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("IMPETUS_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "impetus", "index", str(self.root)],
            env={**kept, "IMPETUS_HOME": str(home), "PYTHONPATH": str(_SERVER)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while _signature(home) == before:
            try:
                process.wait(timeout=_LOOK)
            except subprocess.TimeoutExpired:
                continue
            break
        return process, time.monotonic()

    def _compare(self, healed: Path) -> None:
        if self._expected is None:
            new = self.scratch / "new"
            shutil.rmtree(new, ignore_errors=True)
            self._expected = rebuilt(new, self.root, self.embedder)
        found = rebuilt(healed, self.root, self.embedder)
        for part, content in self._expected.items():
            assert found[part] == content, f"{part} after kill {self.kills}: {_difference(found[part], content)}"


def rebuilt(home: Path, root: Path, embedder: Embedder) -> dict[str, Any]:
    """Start on `home` as the engine does, wait until the index is complete, and return all that answers depend on."""

    async def heal() -> None:
        # What no file uses any more is not part of the comparison.
        async with live_index(home, root, embedder, settings=IndexSettings(keep_unused_days=0)) as index:
            await index.idle()
            assert index.progress.phase == "ready", index.progress

    asyncio.run(heal())
    return content(store.folder_for(home, root), root, embedder)


def content(folder: Path, root: Path, embedder: Embedder) -> dict[str, Any]:
    """What an index holds, by part; equal for indexes that answer equally."""
    opened = store.OpenStore(folder, embedder)
    try:
        assert opened.writer is not None
        by_path = opened.writer.chunk_ids(root)
        ids = sorted({chunk for chunks in by_path.values() for chunk in chunks})
        places = {(p.path, p.chunk) for p in opened.reader.placed(ids, [root])}
        outlines = {path: opened.reader.outline(root, path) for path in by_path}
        missing = opened.vectors.missing(ids)
        states = {path: (state.size, state.mtime_ns, state.blob) for path, state in opened.writer.files(root).items()}
    finally:
        opened.close()
    with closing(sqlite3.connect(folder / store.CATALOG)) as catalog:
        assert catalog.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        chunks = {key for (key,) in catalog.execute("SELECT key FROM chunks")}
    with closing(sqlite3.connect(folder / "vectors.sqlite")) as vectors:
        stored = {key for (key,) in vectors.execute("SELECT id FROM vectors")}
    return {
        "files": states,
        "chunk ids": by_path,
        "places": places,
        "outlines": outlines,
        "missing vectors": missing,
        "lexical index": vocabulary(folder / store.CATALOG),
        "chunks": chunks,
        "vectors": stored,
    }


def _signature(home: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes with the first byte that an index process writes."""
    found = []
    for file in sorted(home.glob("index/*/*")):
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        found.append((file.name, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _difference(found: Any, expected: Any) -> str:
    if isinstance(found, dict):
        found, expected = set(map(str, found.items())), set(map(str, expected.items()))
    more, less = (str(sorted(map(str, part)))[:300] for part in (found - expected, expected - found))
    return f"too much {more}, missing {less}"
