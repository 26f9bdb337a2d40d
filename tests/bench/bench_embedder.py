"""Speed of the shipped word vectors on this machine; prints one JSON object.

    PYTHONPATH=server python tests/bench/bench_embedder.py [FOLDER]

Chunks are those of FOLDER's source files (this repository by default), cut as the index cuts them. `cold` embeds every
chunk once with a fresh embedder, which is what a first scan pays; `warm` again.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

from impetus.adapters.static_embedder import FOLDER, StaticEmbedder
from impetus.domain.chunking import analyse
from impetus.languages import detect

ENOUGH = 20_000


def chunk_texts(root: Path) -> list[str]:
    texts: list[str] = []
    for file in sorted(root.rglob("*")):
        language = detect(file.name)
        if language == "text" or not file.is_file() or file.stat().st_size > 500_000:
            continue
        data = file.read_bytes()
        for chunk in analyse(data, language).chunks:
            piece = data[chunk.start : chunk.end].decode("utf-8", "replace")
            texts.append(f"{chunk.header}\n{piece}" if chunk.header else piece)
        if len(texts) >= ENOUGH:
            break
    return texts


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "server"
    texts = chunk_texts(root)
    loads = []
    for _ in range(5):
        started = time.perf_counter()
        embedder = StaticEmbedder()
        loads.append(time.perf_counter() - started)
    rates = []
    for _ in range(2):
        started = time.perf_counter()
        for first in range(0, len(texts), 256):
            embedder.embed(texts[first : first + 256])
        rates.append(len(texts) / (time.perf_counter() - started))
    queries = []
    for _ in range(500):
        started = time.perf_counter()
        embedder.embed_query("where are retries with exponential backoff decided")
        queries.append(time.perf_counter() - started)
    report = {
        "id": embedder.id,
        "file_mb": round(sum(file.stat().st_size for file in FOLDER.iterdir()) / 1e6, 2),
        "load_ms": round(median(loads) * 1e3, 1),
        "chunks": len(texts),
        "characters_per_chunk": round(sum(map(len, texts)) / len(texts)),
        "cold_chunks_per_second_per_core": round(rates[0]),
        "warm_chunks_per_second_per_core": round(rates[1]),
        "query_ms_p50": round(median(queries) * 1e3, 4),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
