"""Catalogs of small Python files, and what lies in them."""

import sqlite3
import subprocess
import sys
from collections.abc import Set
from contextlib import closing
from pathlib import Path

from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.domain.digest import digest
from impetus.domain.ports import Digest, FileState

ROOT, OTHER = Path("/one"), Path("/two")
SERVER = Path(__file__).parents[2] / "server"


def python(text: str) -> Digest:
    return digest(text.encode(), "python")


def state(content: Digest, mtime: int = 1) -> FileState:
    return FileState(content.analysis.size, mtime, content.analysis.blob)


def put(writer: SqliteCatalogWriter, files: dict[str, str], root: Path = ROOT, *, gone: Set[str] = frozenset()) -> None:
    contents = {path: python(text) for path, text in files.items()}
    writer.apply(root, list(contents.values()), {path: state(c) for path, c in contents.items()}, gone)


def vocabulary(file: Path) -> dict[str, tuple[int, int]]:
    with closing(sqlite3.connect(file)) as db:
        db.execute("INSERT INTO lexicon (lexicon) VALUES ('integrity-check')")
        return {term: (chunks, uses) for term, chunks, uses in db.execute("SELECT * FROM vocabulary")}


def run_python(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env={"PYTHONPATH": str(SERVER)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
