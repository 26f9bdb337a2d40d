"""Catalogs of small Python files, and what lies in them."""

import sqlite3
import subprocess
import sys
from collections.abc import Set
from contextlib import closing
from pathlib import Path

import numpy as np

from impetus.adapters import sqlite_lexicon
from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.domain.digest import digest
from impetus.domain.lexicon import Lexicon
from impetus.domain.ports import Digest, FileState
from impetus.domain.postings import merge

ROOT, OTHER = Path("/one"), Path("/two")
SERVER = Path(__file__).parents[2] / "server"


def python(text: str) -> Digest:
    return digest(text.encode(), "python")


def state(content: Digest, mtime: int = 1) -> FileState:
    return FileState(content.analysis.size, mtime, content.analysis.blob)


def put(writer: SqliteCatalogWriter, files: dict[str, str], root: Path = ROOT, *, gone: Set[str] = frozenset()) -> None:
    contents = {path: python(text) for path, text in files.items()}
    writer.apply(root, list(contents.values()), {path: state(c) for path, c in contents.items()}, gone)


def vocabulary(file: Path) -> dict[int, tuple[int, int]]:
    """Key of each term → chunks that hold it, and how often they do in all; of chunks in the lexical index alone."""
    with closing(sqlite3.connect(file)) as db:
        parts = list(sqlite_lexicon.read(db, Lexicon({})).parts.values())
        indexed = {number for (number,) in db.execute("SELECT id FROM chunks WHERE indexed")}
    if not parts:
        return {}
    gone = {int(number) for part in parts for number in part.numbers} - indexed
    whole = merge(parts, gone, first=True)
    assert set(whole.numbers[whole.lengths > 0].tolist()) <= indexed
    uses = np.add.reduceat(whole.uses.astype(int), whole.starts[:-1]).tolist() if len(whole.terms) else []
    return dict(zip(whole.terms.tolist(), zip(np.diff(whole.starts).tolist(), uses, strict=True), strict=True))


def run_python(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env={"PYTHONPATH": str(SERVER)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
