"""Index figures on real code: `python -m tests.bench.repositories [FOLDER ...]`.

Without folders three installed packages of different size are taken, so that anybody can run it. Each folder is indexed
in a process of its own, with a fresh home. Queries are first sentences of the folder's own documentation.
"""

import asyncio
import importlib.util
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from impetus.config import load
from impetus.domain.types import SearchQuery
from impetus.services.session import Session

PACKAGES = ("pygls", "chromadb", "transformers")
QUERIES = 200


async def measure(root: Path, home: Path) -> dict[str, object]:
    """One cold index of `root`, then queries on it."""
    from impetus.app import create_engine

    settings, _ = load({"index": {"watch": False}})
    session = Session(await create_engine(settings))
    started = time.perf_counter()
    first: list[float] = []
    searchable = asyncio.Event()

    def note(_status: object) -> None:
        searchable.set()

    session.engine.subscribe(note)
    await session.open_root(root)
    complete = asyncio.create_task(session.indexed())
    while not first and not complete.done():
        waiting = asyncio.create_task(searchable.wait())
        await asyncio.wait({waiting, complete}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        searchable.clear()
        if await session.search(SearchQuery("import", limit=1)):
            first.append(time.perf_counter() - started)
    await complete
    seconds = time.perf_counter() - started
    counts = await session.counts(root)
    latencies = []
    for text in _queries(session, root):
        begun = time.perf_counter()
        await session.search(SearchQuery(text))
        latencies.append((time.perf_counter() - begun) * 1e3)
    cuts = quantiles(latencies, n=20)
    disk = await asyncio.to_thread(lambda: sum(f.stat().st_size for f in home.rglob("*") if f.is_file()))
    await session.close()
    await session.engine.close()
    return {
        "root": root.name,
        "files": counts.files,
        "chunks": counts.chunks,
        "first_searchable_s": round(first[0] if first else seconds, 2),
        "complete_s": round(seconds, 2),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "disk_mb": round(disk / 1e6, 1),
        "query_p50_ms": round(cuts[9], 2),
        "query_p95_ms": round(cuts[18], 2),
    }


def _queries(session: Session, root: Path) -> list[str]:
    """Documentation of definitions, one sentence each: questions that the code answers, in its authors' words."""
    reader = session.engine.index(root).repository.store.reader
    outlines = (reader.outline(root, path) for path in reader.paths(root))
    docs = {
        definition.doc.split(". ")[0][:120]
        for outline in outlines
        if outline is not None
        for definition in outline.definitions
        if len(definition.doc.split()) >= 4
    }
    return random.Random(0).sample(sorted(docs), min(QUERIES, len(docs)))


def main(folders: list[str]) -> None:
    roots = [Path(folder).resolve() for folder in folders] or [_installed(name) for name in PACKAGES]
    for root in roots:
        with tempfile.TemporaryDirectory() as home:
            command = [sys.executable, "-m", "tests.bench.repositories", "--one", str(root), home]
            sys.stdout.write(subprocess.check_output(command, text=True))
            sys.stdout.flush()


def _installed(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None, f"{name} is not installed"
    return Path(spec.origin).parent


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        import os

        os.environ["IMPETUS_HOME"] = sys.argv[3]
        sys.stdout.write(json.dumps(asyncio.run(measure(Path(sys.argv[2]), Path(sys.argv[3])))) + "\n")
    else:
        main(sys.argv[1:])
