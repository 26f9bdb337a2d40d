"""Vectors alone: fill a store with synthetic ones, move them into Chroma, and measure what it costs and what it finds.

    python -m tests.bench.vectors --count 100000
    python -m tests.bench.vectors --count 1000000 --folder DIR     # goes on where an earlier run was ended
    python -m tests.bench.vectors --count 1000000 --server         # on a `chroma run` process
    python -m tests.bench.vectors --count 100000 --neighbors 32 --ef-search 100 200 400

Beside the time it says the processor's time, of the server too, which other work on the machine does not change much.
Recall is the share of the ten nearest by exact search that are among the first ten found; queries ask for 150, as the
retriever does. Vectors are clustered as those of code are; uniform ones would be the worst case of any index.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from tests.bench.figures import disk_mb, rss_mb, spread
from tests.support.chroma_server import ChromaProcess

from impetus.adapters import chroma_index
from impetus.adapters.chroma_index import ChromaServer
from impetus.adapters.chroma_store import ChromaStore
from impetus.domain.ports import Vectors

_PART = 10_000
_QUERIES = 200
_NEAREST = 10
_ASKED = 150


class Synthetic:
    """The same vectors in each run, made part by part; remembers what exact search finds for its queries."""

    def __init__(self, dimensions: int) -> None:
        self._random = np.random.default_rng(1)
        self._centers = self._random.standard_normal((500, dimensions)).astype(np.float32)
        self.queries = self.make(_QUERIES)
        self._best = np.full((_QUERIES, 0), 0.0, np.float32)
        self._ids = np.zeros((_QUERIES, 0), np.int64)

    def make(self, count: int) -> Vectors:
        made = self._centers[self._random.integers(0, len(self._centers), count)]
        made = made + self._random.standard_normal(made.shape).astype(np.float32)
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    def part(self, first: int, count: int) -> tuple[list[str], Vectors]:
        made = self.make(count)
        scores = np.concatenate([self._best, self.queries @ made.T], axis=1)
        numbers = np.broadcast_to(np.arange(first, first + count), (_QUERIES, count))
        ids = np.concatenate([self._ids, numbers], axis=1)
        best = np.argpartition(-scores, _NEAREST, axis=1)[:, :_NEAREST]
        self._best, self._ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
        return [name(number) for number in range(first, first + count)], made

    def recall(self, found: Sequence[Sequence[str]]) -> float:
        hits = [len({name(i) for i in exact} & set(ids)) for exact, ids in zip(self._ids, found, strict=True)]
        return sum(hits) / (_NEAREST * _QUERIES)


def name(number: int) -> str:
    return f"{number:032x}"


def measure(folder: Path, arguments: argparse.Namespace, process: ChromaProcess | None) -> None:
    server = ChromaServer(process.url, timeout_s=120) if process else None
    data = Synthetic(arguments.dimensions)
    store = ChromaStore(folder, "bench", arguments.dimensions, server=server)
    busy = worked = 0.0
    added = 0
    for first in range(0, arguments.count, _PART):
        ids, part = data.part(first, min(_PART, arguments.count - first))
        count = first + len(part)
        if not store.missing(ids) and count < arguments.count:
            continue  # of an earlier run
        started, before = time.perf_counter(), _processor(process)
        store.add(ids, part)
        while store.settle():
            pass
        busy += time.perf_counter() - started
        worked += _processor(process) - before
        added += len(part)
        if count % 100_000 == 0 or count == arguments.count:
            memory = f"rss {rss_mb():,.0f} MB" + (f", server {_rss_of(process.pid):,.0f} MB" if process else "")
            rate = f"settled {added / busy:6,.0f}/s ({1e6 * worked / added:,.0f} µs of processor each)"
            print(f"{count:9,} vectors  {rate}  {_ask(store, data, process)}  {memory}", flush=True)
    store.close()
    for ef_search in arguments.ef_search:
        chroma_index.HNSW["ef_search"] = ef_search
        _modify(folder, process, ef_search)
        again = ChromaStore(folder, "bench", arguments.dimensions, server=server)
        started = time.perf_counter()
        again.search(data.queries[0], _ASKED)
        opened = time.perf_counter() - started
        print(f"ef_search {ef_search}: first query {opened:.1f} s  {_ask(again, data, process)}", flush=True)
        again.close()
    print(f"disk {disk_mb(folder):,.0f} MB")


def _ask(store: ChromaStore, data: Synthetic, process: ChromaProcess | None) -> str:
    times, found = [], []
    before = _processor(process)
    for query in data.queries:
        started = time.perf_counter()
        hits = store.search(query, _ASKED)
        times.append(time.perf_counter() - started)
        found.append([key for key, _ in hits[:_NEAREST]])
    worked = 1e3 * (_processor(process) - before) / len(times)
    return f"query {spread(times)}  processor {worked:.1f} ms  recall@10 {data.recall(found):.3f}"


def _processor(process: ChromaProcess | None) -> float:
    """Seconds of processor that this process and the server have used; of the server only where /proc tells."""
    seconds = time.process_time()
    if process and Path("/proc").is_dir():
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _modify(folder: Path, process: ChromaProcess | None, ef_search: int) -> None:
    import chromadb

    if process:
        client = chromadb.HttpClient(port=int(process.url.rpartition(":")[2]))
    else:
        client = chromadb.PersistentClient(str(folder / "chroma"))
    for collection in client.list_collections():
        collection.modify(configuration={"hnsw": {"ef_search": ef_search}})
    client.close()


def _rss_of(pid: int) -> float:
    return float(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)])) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=256, help="256: the bundled embedder's")
    parser.add_argument("--folder", type=Path, help="keep the store here")
    parser.add_argument("--server", action="store_true", help="on a `chroma run` process that is started for this")
    parser.add_argument("--neighbors", type=int, default=chroma_index.HNSW["max_neighbors"], help="M of the graph")
    parser.add_argument("--ef-search", type=int, nargs="*", default=[], help="also ask with these")
    arguments = parser.parse_args()
    chroma_index.HNSW["max_neighbors"] = arguments.neighbors
    with ExitStack() as stack:
        folder = arguments.folder or stack.enter_context(tempfile.TemporaryDirectory())
        process = ChromaProcess(Path(folder, "server")) if arguments.server else None
        if process:
            stack.callback(process.stop)
        measure(Path(folder), arguments, process)


if __name__ == "__main__":
    main()
