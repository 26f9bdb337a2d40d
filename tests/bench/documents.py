"""Documents: adding them, adding them again, one edit, and searches, with and without a filter.

    python -m tests.bench.documents --documents 200

Each document is Markdown of 50 sections of words of this project's own documentation, drawn by their frequency. It is
read in the process for documents, kept in SQLite under a temporary folder, and embedded by the static embedder.
"""

import argparse
import asyncio
import random
import re
import tempfile
import time
from pathlib import Path

from tests.bench.figures import disk_mb, rss_mb, spread

from impetus.adapters.document_process import DocumentProcess
from impetus.adapters.document_store import SqliteDocumentStore
from impetus.adapters.static_embedder import StaticEmbedder
from impetus.services.documents import Documents

_DOCS = Path(__file__).parents[2] / "docs"
_SECTIONS, _WORDS = 50, 150


class Writer:
    """Documents and questions of the same words, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        text = " ".join(path.read_text("utf-8") for path in sorted(_DOCS.glob("*.md")))
        self._words = re.findall(r"[A-Za-z]{2,}", text)
        self._random = random.Random(seed)

    def text(self, count: int) -> str:
        return " ".join(self._random.choices(self._words, k=count))

    def document(self) -> bytes:
        sections = (f"## {self.text(3)}\n\n{self.text(_WORDS)}.\n" for _ in range(_SECTIONS))
        return f"# {self.text(4)}\n\n{''.join(sections)}".encode()


async def measure(count: int, queries: int, home: Path) -> None:
    embedder, writer = StaticEmbedder(), Writer(1)
    documents = Documents(SqliteDocumentStore(home / "documents.sqlite", embedder), DocumentProcess(), embedder)
    texts = [writer.document() for _ in range(count)]
    size = sum(map(len, texts)) / 1e6

    async def add(what: str) -> None:
        begun = time.perf_counter()
        for number, text in enumerate(texts):
            await documents.ingest(f"{number}.md", text, collection=f"c{number % 4}", metadata={"tenth": number % 10})
        seconds = time.perf_counter() - begun
        print(f"{what:24} {seconds:6.2f} s  {size / seconds:5.2f} MB/s  {seconds / count * 1000:6.1f} ms each")

    try:
        await add(f"{count} added ({size:.1f} MB)")
        await add("the same again")
        texts = [text + b"\n## New\n\nOne more line.\n" for text in texts]
        await add("each with a new section")
        passages = sum(each.passages for each in await documents.collections())
        print(f"{passages:,} passages  {disk_mb(home):.0f} MB on disk  {rss_mb():.0f} MB resident")
        for what, collection, filters in (
            ("everything", None, {}),
            ("one of four collections", "c1", {}),
            ("a tenth by a filter", None, {"tenth": 3}),
        ):
            seconds = []
            for query in [writer.text(5) for _ in range(queries)]:
                begun = time.perf_counter()
                await documents.search(query, collection, filters=filters)
                seconds.append(time.perf_counter() - begun)
            print(f"search {what:24} {spread(seconds)}")
    finally:
        await documents.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200, help="of 50 passages each")
    parser.add_argument("--queries", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(chosen.documents, chosen.queries, Path(folder)))
