"""Where an index lies and who owns it: one folder per repository, one owning process at a time."""

import re
import shutil
from contextlib import ExitStack
from functools import partial
from hashlib import blake2b
from pathlib import Path

from filelock import FileLock, Timeout

from impetus.adapters import git
from impetus.adapters.chroma_index import ChromaServer
from impetus.adapters.chroma_store import ChromaStore
from impetus.adapters.sqlite_catalog import SqliteCatalogReader
from impetus.adapters.sqlite_catalog_writer import SqliteCatalogWriter
from impetus.domain.ports import Embedder
from impetus.domain.types import Problem
from impetus.errors import IndexFailed, IndexLocked

CATALOG = "catalog.sqlite"
_LOCK = "lock"
_NEURAL = "neural"


def folder_for(home: Path, root: Path) -> Path:
    """Worktrees and subfolders of one git repository share an index; any other folder has its own."""
    found = git.repository(root)
    owner = found.common_dir if found else root
    name = owner.parent.name if owner.name == ".git" else owner.name
    return home / "index" / f"{name or 'root'}-{blake2b(str(owner).encode(), digest_size=6).hexdigest()}"


def subject_of(root: Path) -> str:
    """What colleagues with a checkout of the same repository have in common: where it came from, without who fetched
    it and how. "" where it came from nowhere.
    """
    found = git.repository(root)
    origin = git.origin(found) if found else ""
    plain = re.sub(r"^[a-z+]+://|^[^@/]+@", "", origin).rpartition("@")[2].replace(":", "/").removesuffix("/")
    return plain.removesuffix(".git").lower()


class OpenStore:
    """The adapters of one index folder. Owns the folder unless another process does; then it only reads."""

    def __init__(
        self,
        folder: Path,
        embedder: Embedder,
        *,
        neural: Embedder | None = None,
        server: ChromaServer | None = None,
        subject: str = "",
    ) -> None:
        """`subject` names the repository on a Chroma server that several people share."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise IndexFailed(f"The index folder {folder} cannot be made: {error.strerror}") from error
        self._lock = FileLock(folder / _LOCK)
        try:
            self._lock.acquire(timeout=0)  # the operating system lets go of it when the process dies
            self.owned = True
        except Timeout:
            self.owned = False
        try:
            self.writer = SqliteCatalogWriter(folder / CATALOG) if self.owned else None
            self.reader = SqliteCatalogReader(folder / CATALOG)
            open_vectors = partial(ChromaStore, read_only=not self.owned, server=server, subject=subject or folder.name)
            self.vectors = open_vectors(folder, embedder.id, embedder.dimensions)
            self.neural = open_vectors(folder / _NEURAL, neural.id, neural.dimensions) if neural is not None else None
        except BaseException:
            self._lock.release()
            raise

    def problems(self) -> tuple[Problem, ...]:
        return self.vectors.problems() + (self.neural.problems() if self.neural is not None else ())

    def ownable(self) -> bool:
        """Whether nobody owns the folder now. Only asked where we do not."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        self._lock.release()
        return True

    def close(self) -> None:
        with ExitStack() as parts:  # last first; each is closed whatever happens to the others
            parts.callback(self._lock.release)
            parts.callback(self.vectors.close)
            if self.neural is not None:
                parts.callback(self.neural.close)
            if self.writer is not None:
                parts.callback(self.writer.close)
            parts.callback(self.reader.close)


def delete(folder: Path) -> None:
    """Empty an index that nobody owns; it is derived data. The lock file stays: others may be waiting on it.

    Raises IndexLocked while another process owns it.
    """
    lock = FileLock(folder / _LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise IndexLocked("Another Impetus process keeps this index; end it first") from error
    except OSError as error:
        raise IndexFailed(f"The index folder {folder} cannot be used: {error.strerror}") from error
    try:
        _empty(folder)
    finally:
        lock.release()


def _empty(folder: Path) -> None:
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != _LOCK:
            entry.unlink(missing_ok=True)
