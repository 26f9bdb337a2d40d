"""What the services need from outside. Each port is tiny and has a contract suite in tests/adapters.

All methods are synchronous and may block; services call them on worker threads. Implementations raise only errors of
`impetus.errors`.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from impetus.domain.types import (
    Analysis,
    Chunk,
    Definition,
    Outline,
    Problem,
    Prompt,
    Reference,
    Sampling,
    ScanReport,
    Step,
)

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Texts to unit vectors. `id` names the vector space: vectors of two ids are never mixed."""

    @property
    def id(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions), rows of unit length; a row of zeros for a text without a single known word."""
        ...

    def embed_query(self, text: str) -> Vectors:
        """(dimensions,)"""
        ...


class VectorStore(Protocol):
    """Chunk id → vector, for one vector space."""

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Durable when it returns; an id that is there already is left as it is."""
        ...

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The `limit` nearest ids with their cosine, best first."""
        ...

    def missing(self, ids: Sequence[str]) -> set[str]: ...

    def adopt(self, ids: Sequence[str]) -> None:
        """Of these, take as ours what somebody else has stored already, where the store is shared."""
        ...

    def ids(self) -> set[str]:
        """Everything that is not missing."""
        ...

    def __len__(self) -> int:
        """How many ids are not missing."""
        ...

    def remove(self, ids: Sequence[str]) -> None: ...

    def settle(self) -> bool:
        """One step of housekeeping for idle time (fast segment → large index); True while more is to be done."""
        ...


@dataclass(frozen=True, slots=True)
class FileState:
    """What the catalog remembers of one file of a root: enough to see whether it changed.

    `blob` is empty for a file whose content is left out of the index (binary, generated …).
    """

    size: int
    mtime_ns: int
    blob: str


@dataclass(frozen=True, slots=True)
class Digest:
    """An analysed content, ready to store. `terms[i]` are the lexical terms of chunk i, space-separated."""

    analysis: Analysis
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A chunk at a place of the workspace. `state` is the file as it was when the place was recorded."""

    root: Path
    path: str
    language: str
    state: FileState
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class PlacedDefinition:
    root: Path
    path: str
    definition: Definition


@dataclass(frozen=True, slots=True)
class PlacedReference:
    root: Path
    path: str
    reference: Reference


@dataclass(frozen=True, slots=True)
class CatalogCounts:
    files: int
    chunks: int
    languages: Mapping[str, int]  # language → files
    left_out: int = 0  # files seen and left out because of their content


class CatalogWriter(Protocol):
    """The write side of the catalog. Each call is one transaction: a crash leaves all of it or nothing."""

    def files(self, root: Path) -> dict[str, FileState]: ...

    def file_states(self, root: Path, paths: Set[str]) -> dict[str, FileState]:
        """`files`, but only of these paths: what one saved file needs of a large root."""
        ...

    def known_blobs(self, blobs: Set[str]) -> set[str]: ...

    def chunk_ids(self, root: Path) -> dict[str, list[str]]:
        """Path → ids of its chunks, for every indexed file of a root."""
        ...

    def stored_chunks(self) -> set[str]:
        """Ids of the chunks of all contents, used or not."""
        ...

    def apply(self, root: Path, digests: Sequence[Digest], files: Mapping[str, FileState], gone: Set[str]) -> None:
        """Store unseen contents, then map `files` to their contents and forget `gone`.

        Every blob that `files` names is in `digests` or known already.
        """
        ...

    def forget(self, root: Path) -> None:
        """Take a root out of the map; its contents stay until they are collected."""
        ...

    def roots(self) -> list[Path]: ...

    def count_users(self) -> None:
        """Bring what `CatalogReader.users` says up to date; takes a second in a million lines."""
        ...

    def collect(self, older_than_s: float) -> list[str]:
        """Delete contents that no root has used for so long; return the ids of the chunks that went with them."""
        ...


class CatalogReader(Protocol):
    """The read side, safe beside the writer and from several threads."""

    def lexical(self, terms: Sequence[str], limit: int) -> list[tuple[str, float]]:
        """Chunk ids by BM25 over their terms (any of `terms`), best first; scores are positive."""
        ...

    def document_frequencies(self, terms: Sequence[str]) -> tuple[int, dict[str, int]]:
        """About how many chunks the lexical index has, and how many of them hold each term."""
        ...

    def placed(self, chunk_ids: Sequence[str], roots: Sequence[Path]) -> list[Placed]:
        """Every place of these chunks under `roots`."""
        ...

    def in_files(self, endings: Sequence[str], roots: Sequence[Path], limit: int) -> list[Placed]:
        """Chunks of the files whose path is or ends with one of `endings` (lower case), at most `limit` of each."""
        ...

    def users(self, blobs: Sequence[str]) -> dict[str, int]:
        """Of these contents, those that other contents use by a name they define, with the number of users."""
        ...

    def definitions(self, names: Sequence[str], roots: Sequence[Path]) -> list[PlacedDefinition]:
        """Definitions whose name equals one of `names`, ignoring case."""
        ...

    def definitions_like(self, part: str, roots: Sequence[Path], limit: int) -> list[PlacedDefinition]:
        """Definitions whose name contains `part`, names that start with it first, shorter names first."""
        ...

    def references(self, name: str, roots: Sequence[Path], limit: int) -> list[PlacedReference]: ...

    def outline(self, root: Path, path: str) -> Outline | None: ...

    def chunk_ids(self, root: Path, paths: Sequence[str] | None = None) -> dict[str, list[str]]:
        """Path → ids of its chunks, of all indexed files of a root or of these, the latest changed first."""
        ...

    def chunks_in(self, root: Path, path: str) -> list[Placed]:
        """The chunks of one file, in order."""
        ...

    def paths(self, root: Path) -> dict[str, str]:
        """path → language of every indexed file of a root."""
        ...

    def counts(self, root: Path) -> CatalogCounts: ...


class FileSource(Protocol):
    """The files of a root as they are on disk."""

    def scan(self, root: Path) -> ScanReport:
        """Walk `root`: what is to be indexed and why everything else is left out. Content is not read here."""
        ...

    def admits(self, root: Path, path: str) -> bool:
        """Whether the rules of `scan` would take this one path (ignore files, names, size), without a walk."""
        ...

    def stat(self, root: Path, path: str) -> tuple[int, int] | None:
        """(size in bytes, modification time in ns) of a regular file, None when there is none."""
        ...

    def read(self, root: Path, path: str) -> bytes:
        """Raises NotFound when the file is gone or unreadable."""
        ...

    def reject(self, path: str, data: bytes) -> str | None:
        """Why content is left out (binary, minified, generated …), or None."""
        ...


class Watcher(Protocol):
    """Changed paths under some roots, in batches, until the iterator is closed."""

    def watch(self, roots: Sequence[Path]) -> AsyncIterator[set[Path]]: ...


class Analyzer(Protocol):
    """Contents to digests, perhaps on several processes. Never fails on content."""

    def analyze(self, contents: Iterable[tuple[str, bytes]]) -> Iterator[Digest]:
        """`contents` are (language, bytes); digests come in the same order."""
        ...


class Generator(Protocol):
    """A language model. One thread uses it at a time; `steps` is advanced and closed on that thread."""

    @property
    def model_id(self) -> str: ...

    @property
    def context_length(self) -> int: ...

    def count_tokens(self, text: str) -> int: ...

    def steps(self, prompt: Prompt, sampling: Sampling) -> Iterator[Step]:
        """Prefill*, Piece*, End. Closing the iterator stops the work. Raises ContextOverflow before any step."""
        ...


class ProblemSource(Protocol):
    """An adapter that can degrade says so here; the status shows it."""

    def problems(self) -> tuple[Problem, ...]: ...
