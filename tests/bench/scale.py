"""Many chunks in one index: memory of a process that searches them, and query times, Chroma holding most vectors.

    python -m tests.bench.scale --home DIR --labels DIR FOLDER...

Each FOLDER is a root of one shared index under --home, which is kept: a run that was ended goes on where it was.
Queries are those of the labels and are asked twice by a fresh process; both rounds are reported, wall time and the
processor's.
"""

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.figures import disk_mb, rss_mb, spread
from tests.support.live_index import index_worker, live_index, repository_in

from impetus.adapters.disk import Disk
from impetus.adapters.static_embedder import StaticEmbedder
from impetus.app import COLLECTOR
from impetus.config import IndexSettings
from impetus.domain.types import SearchQuery
from impetus.services.repository import Repository
from impetus.services.retriever import Retriever
from impetus.services.workspace import View


async def fill(home: Path, roots: Sequence[Path]) -> None:
    embedder = StaticEmbedder()
    repository = repository_in(home, embedder, worker=index_worker(home))
    await repository.open()
    started = time.perf_counter()
    async with AsyncExitStack() as opened:
        for root in roots:
            index = await opened.enter_async_context(live_index(home, root, embedder, repository=repository))
            await index.idle()
            print(f"{root.name}: {index.progress.files:,} files, {index.progress.chunks:,} chunks", flush=True)
    print(f"indexed in {time.perf_counter() - started:.0f} s, {_lines(repository, roots):,} lines", flush=True)
    while await asyncio.to_thread(repository.store.vectors.settle):
        pass
    print(f"settled in {time.perf_counter() - started:.0f} s", flush=True)
    await repository.close()


def _lines(repository: Repository, roots: Sequence[Path]) -> int:
    paths = (root / path for root in roots for path in repository.store.reader.paths(root))
    return sum(path.read_bytes().count(b"\n") for path in paths)


async def ask(home: Path, roots: Sequence[Path], queries: Sequence[str]) -> None:
    gc.set_threshold(*COLLECTOR)
    embedder = StaticEmbedder()
    repository: Repository = repository_in(home, embedder)
    started = time.perf_counter()
    await repository.open()
    retriever = Retriever(lambda _: repository, Disk(IndexSettings()), embedder, lambda _: None)
    view = View(tuple(roots), {})
    chunks = sum(repository.store.reader.counts(root).chunks for root in roots)
    if not chunks:
        raise SystemExit(f"Nothing of these folders is indexed in {home}; leave out --ask-only to fill it")
    await retriever.search(SearchQuery(queries[0]), view)
    print(f"open and first query {time.perf_counter() - started:.2f} s")
    for number in ("first", "second"):
        times, worked = [], []
        for query in queries:
            started, before = time.perf_counter(), time.process_time()
            await retriever.search(SearchQuery(query), view)
            times.append(time.perf_counter() - started)
            worked.append(time.process_time() - before)
        print(f"{number} round: query {spread(times)}, processor {spread(worked)}")
    distinct = len(repository.store.vectors)
    print(f"{chunks:,} chunks ({distinct:,} distinct): memory {rss_mb():,.0f} MB, disk {disk_mb(home):,.0f} MB")
    await repository.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="folder of the index")
    parser.add_argument("--labels", type=Path, required=True, help="folder with annotations/*.json")
    parser.add_argument("--ask-only", action="store_true", help="the index is there and settled")
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    roots = [folder.resolve() for folder in arguments.folders]
    if arguments.ask_only:
        labels = [json.loads(file.read_text()) for file in sorted(arguments.labels.glob("annotations/*.json"))]
        asyncio.run(ask(arguments.home, roots, [each["query"] for part in labels for each in part]))
        return
    asyncio.run(fill(arguments.home, roots))
    subprocess.run([sys.executable, "-m", "tests.bench.scale", "--ask-only", *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
