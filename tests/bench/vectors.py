"""Vectors alone: fill a store with synthetic ones, move them into Chroma, and measure queries, memory, disk, restart.

python -m tests.bench.vectors --count 100000
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from tests.bench.figures import disk_mb, rss_mb, spread

from impetus.adapters.chroma_store import ChromaStore
from impetus.domain.ports import Vectors

_DIMENSIONS = 256
_PART = 10_000


def clustered(random: np.random.Generator, centers: Vectors, count: int) -> Vectors:
    """Unit vectors around some centers, as those of code are; uniform ones would be the worst case of any index."""
    made = centers[random.integers(0, len(centers), count)]
    made = made + random.standard_normal((count, _DIMENSIONS)).astype(np.float32)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def measure(folder: Path, count: int) -> None:
    random = np.random.default_rng(1)
    centers = random.standard_normal((500, _DIMENSIONS)).astype(np.float32)
    queries = clustered(random, centers, 200)
    store = ChromaStore(folder, "bench", _DIMENSIONS)
    started = time.perf_counter()
    for first in range(0, count, _PART):
        part = clustered(random, centers, min(_PART, count - first))
        store.add([f"{number:032x}" for number in range(first, first + len(part))], part)
        while store.settle():
            pass
        if (first + len(part)) % 100_000 == 0:
            _report(store, queries, first + len(part), time.perf_counter() - started)
    if count % 100_000:
        _report(store, queries, count, time.perf_counter() - started)
    store.close()
    started = time.perf_counter()
    again = ChromaStore(folder, "bench", _DIMENSIONS)
    again.search(queries[0], 150)
    print(f"opened and first query {time.perf_counter() - started:.1f} s, disk {disk_mb(folder):,.0f} MB")
    again.close()


def _report(store: ChromaStore, queries: Vectors, count: int, seconds: float) -> None:
    times = []
    for query in queries:
        started = time.perf_counter()
        store.search(query, 150)
        times.append(time.perf_counter() - started)
    rate = count / seconds
    print(f"{count:9,} vectors  settled {rate:6,.0f}/s  query {spread(times)}  rss {rss_mb():,.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.count)


if __name__ == "__main__":
    main()
