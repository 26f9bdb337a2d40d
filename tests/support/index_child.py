"""An index worker with a tiny embedder: `python -m tests.support.index_child --fd N`.

Each line of a file `script` in the index folder is for one update: what happens to the worker after a transaction, or
before the first one with a `!` in front. A content that begins with `CRASHES` ends the process that parses it.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from impetus.app_indexer import apply
from impetus.domain.digest import digest
from impetus.domain.ports import Digest, VectorStore
from impetus.domain.types import IndexProgress
from impetus.worker.index_child import run
from impetus.worker.index_messages import Update
from tests.support.embedder import HashEmbedder

CRASHES = b"# crashes the parser\n"


def crashing(data: bytes, language: str) -> Digest:
    if data.startswith(CRASHES):
        os.abort()
    return digest(data, language)


def act(word: str) -> None:
    match word:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "fail":
            raise RuntimeError("nobody foresaw this")
        case "babble":
            os.write(int(sys.argv[-1]), b"\0\0\0\4junk")


def scripted(update: Update, vectors: VectorStore) -> Iterator[IndexProgress]:
    script = Path(update.folder, "script")
    lines = script.read_text().split() if script.exists() else []
    script.write_text("\n".join(lines[1:]))
    word = lines[0] if lines else ""
    if word.startswith("!"):
        act(word[1:])
    for progress in apply(update, vectors, HashEmbedder(), crashing):
        yield progress
        act(word)


if __name__ == "__main__":
    run(int(sys.argv[-1]), scripted, idle_s=float(os.environ.get("IMPETUS_TEST_IDLE", "60")))
