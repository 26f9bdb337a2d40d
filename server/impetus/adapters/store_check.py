"""Looks into index folders for `impetus doctor`: is the catalog sound, and does each chunk have its vector?"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from impetus.adapters.chroma_index import ChromaServer
from impetus.adapters.store import CATALOG, OpenStore
from impetus.domain.ports import Embedder


@dataclass(frozen=True, slots=True)
class StoreReport:
    """`damage` is SQLite's complaint, "" without one; `owned` is False while another process has the index."""

    folder: Path
    damage: str
    owned: bool = True
    chunks: int = 0
    without_vector: int = 0


def folders(home: Path) -> list[Path]:
    return sorted(file.parent for file in (home / "index").glob(f"*/{CATALOG}"))


def examine(folder: Path, embedder: Embedder, server: ChromaServer | None = None) -> StoreReport:
    damage = _damage(folder / CATALOG)
    if damage:
        return StoreReport(folder, damage)
    store = OpenStore(folder, embedder, server=server)
    try:
        if store.writer is None:
            return StoreReport(folder, "", owned=False)
        by_root = (store.writer.chunk_ids(root) for root in store.writer.roots())
        ids = {chunk for files in by_root for chunks in files.values() for chunk in chunks}
        return StoreReport(folder, "", True, len(ids), len(store.vectors.missing(sorted(ids))))
    finally:
        store.close()


def _damage(catalog: Path) -> str:
    try:
        with closing(sqlite3.connect(f"{catalog.as_uri()}?mode=ro", uri=True, timeout=5.0)) as database:
            first = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if first == ("ok",) else str(first[0])
