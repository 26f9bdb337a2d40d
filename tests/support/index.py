"""An index over a temporary folder, built from the real adapters and a tiny embedder."""

from dataclasses import dataclass
from pathlib import Path

from impetus.adapters.chroma_store import ChromaStore
from impetus.adapters.disk import Disk
from impetus.adapters.parse_pool import ParsePool
from impetus.adapters.sqlite_catalog import SqliteCatalogReader
from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.config import IndexSettings
from impetus.domain.types import IndexProgress
from impetus.services.indexer import Indexer
from tests.support.embedder import HashEmbedder


@dataclass
class TestIndex:
    """`update()` looks at the whole root, `update(path, …)` at some paths of it."""

    __test__ = False

    root: Path
    home: Path
    embedder: HashEmbedder
    files: Disk
    writer: SqliteCatalogWriter
    reader: SqliteCatalogReader
    vectors: ChromaStore

    @classmethod
    def make(
        cls, root: Path, home: Path, embedder: HashEmbedder | None = None, segment_limit: int = 10_000
    ) -> "TestIndex":
        home.mkdir(exist_ok=True)
        embedder = embedder or HashEmbedder()
        writer = SqliteCatalogWriter(home / "catalog.sqlite")
        return cls(
            root,
            home,
            embedder,
            Disk(IndexSettings(), environment={"HOME": str(home)}),
            writer,
            SqliteCatalogReader(home / "catalog.sqlite"),
            ChromaStore(home, embedder.id, embedder.dimensions, segment_limit=segment_limit),
        )

    def indexer(self, root: Path | None = None) -> Indexer:
        return Indexer(root or self.root, self.files, self.writer, self.vectors, self.embedder, ParsePool(1))

    def update(self, *paths: str, root: Path | None = None) -> list[IndexProgress]:
        root = root or self.root
        indexer = self.indexer(root)
        return list(indexer.apply(indexer.changes({root / path for path in paths} or {root})))

    def heal(self) -> list[IndexProgress]:
        indexer = self.indexer()
        return list(indexer.apply(indexer.unembedded()))

    def content(self, root: Path | None = None) -> dict[str, list[str]]:
        """Everything that decides answers: path → chunk ids in order."""
        return self.writer.chunk_ids(root or self.root)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
        self.vectors.close()
