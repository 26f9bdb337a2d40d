"""The lexical engines that were compared: the catalog's postings, FTS5, tantivy.

    python -m tests.bench.lexical --repos DIR --labels DIR --chunks 10000 100000

Chunks are those of the checkouts; beyond their number they repeat with every tenth term renamed. Queries are those of
the labels. tantivy is measured when it is installed; it is not a dependency.
"""

import argparse
import json
import math
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.figures import disk_mb, rss_mb, spread

from impetus.adapters.disk import Disk
from impetus.adapters.sqlite_catalog import SqliteCatalogReader
from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.config import IndexSettings
from impetus.domain.digest import digest
from impetus.domain.ports import Digest, FileState
from impetus.domain.query import parse
from impetus.domain.types import Analysis, Chunk, Outline
from impetus.languages import detect

_LIMIT = 150
Search = Callable[[Sequence[str]], list[int]]


def corpus(repositories: Path, count: int) -> list[str]:
    disk = Disk(IndexSettings())
    texts: list[str] = []
    for root in sorted(repositories.iterdir()):
        for path in disk.scan(root).files if root.is_dir() else ():
            data = disk.read(root, path)
            if disk.reject(path, data) is None:
                texts += digest(data, detect(path, data[:512])).terms
    chosen = random.Random(1)
    chosen.shuffle(texts)
    own = len(texts)
    while len(texts) < count:
        renamed = len(texts) // own
        words = texts[len(texts) % own].split(" ")
        texts.append(" ".join(f"{word}{renamed}" if chosen.random() < 0.1 else word for word in words))
    return texts[:count]


def fill_catalog(folder: Path, texts: Sequence[str]) -> SqliteCatalogReader:
    writer = SqliteCatalogWriter(folder / "catalog.sqlite")
    for first in range(0, len(texts), 1000):
        part = texts[first : first + 1000]
        chunks = tuple(Chunk(f"{number:032x}", 0, 1, 1, 1) for number in range(first, first + len(part)))
        made = Digest(Analysis(f"{first:032x}", "text", 1, chunks, Outline()), tuple(part))
        writer.apply(Path("/bench"), [made], {f"{first}": FileState(1, 1, f"{first:032x}")}, set())
    writer.close()
    return SqliteCatalogReader(folder / "catalog.sqlite")


def catalog(reader: SqliteCatalogReader) -> Search:
    return lambda terms: [int(key, 16) for key, _ in reader.lexical(terms, _LIMIT)]


def fts5(folder: Path, texts: Sequence[str]) -> sqlite3.Connection:
    (folder / "fts5").mkdir()
    db = sqlite3.connect(folder / "fts5" / "lexicon.sqlite")
    db.executescript(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;"
        "CREATE VIRTUAL TABLE lexicon USING fts5(terms, content='', tokenize=\"unicode61 tokenchars '_'\");"
    )
    for first in range(0, len(texts), 1000):
        db.executemany(
            "INSERT INTO lexicon (rowid, terms) VALUES (?, ?)", enumerate(texts[first : first + 1000], first)
        )
        db.commit()
    return db


def matching(db: sqlite3.Connection) -> Search:
    statement = "SELECT rowid, -bm25(lexicon) AS score FROM lexicon WHERE lexicon MATCH ? ORDER BY score DESC LIMIT ?"

    def search(terms: Sequence[str]) -> list[int]:
        match = " OR ".join(f'"{term}"' for term in terms)
        return [number for number, _ in db.execute(statement, (match, _LIMIT))]

    return search


def tantivy_index(folder: Path, texts: Sequence[str]) -> Search | None:
    try:
        import tantivy
    except ImportError:
        return None
    (folder / "tantivy").mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("number", stored=True, fast=True)
    builder.add_text_field("terms", stored=False, tokenizer_name="whitespace", index_option="freq")
    schema = builder.build()
    index = tantivy.Index(schema, path=str(folder / "tantivy"))
    writer = index.writer(50_000_000, 1)
    for number, text in enumerate(texts):
        writer.add_document(tantivy.Document(number=number, terms=text))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(terms: Sequence[str]) -> list[int]:
        any_of = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "terms", term)) for term in terms]
        hits = searcher.search(tantivy.Query.boolean_query(any_of), _LIMIT).hits
        return [searcher.doc(address).get_first("number") for _, address in hits]

    return search


def measure(texts: Sequence[str], queries: Sequence[Sequence[str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started, before = time.process_time(), rss_mb()
        reader = fill_catalog(folder, texts)
        _built("catalog (postings and all else)", started, before, disk_mb(folder))
        started, before = time.process_time(), rss_mb()
        other = fts5(folder, texts)
        _built("FTS5", started, before, disk_mb(folder / "fts5"))
        exact = matching(other)
        expected = [exact(query) for query in queries]
        _asked("FTS5", exact, queries, expected)
        other.close()
        _asked("postings", catalog(reader), queries, expected)
        reader.close()
        started, before = time.process_time(), rss_mb()
        foreign = tantivy_index(folder, texts)
        if foreign is not None:
            _built("tantivy", started, before, disk_mb(folder / "tantivy"))
            _asked("tantivy", foreign, queries, expected)


def _built(name: str, started: float, before: float, disk: float) -> None:
    print(f"  {name:32} built in {time.process_time() - started:6.1f} s of CPU, "
          f"{rss_mb() - before:+6.0f} MB of memory, {disk:5.0f} MB on disk", flush=True)  # fmt: skip


def _asked(name: str, search: Search, queries: Sequence[Sequence[str]], expected: Sequence[Sequence[int]]) -> None:
    times, same = [], []
    for query, exact in zip(queries, expected, strict=True):
        started = time.thread_time()
        found = search(query)
        times.append(time.thread_time() - started)
        same.append(len({*found[:50]} & {*exact[:50]}) / max(1, len(exact[:50])))
    print(f"  {name:32} {spread(times)}  of the 50 best {math.fsum(same) / len(same):.3f} the same", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=Path, required=True, help="folder of checkouts")
    parser.add_argument("--labels", type=Path, required=True, help="folder with annotations/*.json")
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    arguments = parser.parse_args()
    labels = [json.loads(file.read_text()) for file in sorted(arguments.labels.glob("annotations/*.json"))]
    queries = [terms for part in labels for each in part if (terms := parse(each["query"]).terms)]
    for count in arguments.chunks:
        print(f"{count:,} chunks, {len(queries)} queries")
        measure(corpus(arguments.repos, count), queries)


if __name__ == "__main__":
    main()
