"""What the services need from outside. Each port is tiny and has a contract suite in tests/adapters.

Methods that are not `async` may block; services call them on worker threads. Implementations raise only errors of
`impetus.errors`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from impetus.config import IndexSettings
from impetus.domain.canary import Verdict
from impetus.domain.hardware import Conditions, Hardware
from impetus.domain.types import (
    Analysis,
    Chunk,
    Definition,
    IndexProgress,
    Outline,
    Priority,
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

    #: Called, on any thread, when stored vectors turned out to be lost: they are missing now and have to be made again.
    on_lost: Callable[[], None]

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
class PlacedFile:
    """A file of the workspace. `state` is the file as it was when it was recorded."""

    root: Path
    path: str
    language: str
    state: FileState
    users: int = 0  # other contents that use a name which the file's content defines
    key: str = field(init=False, compare=False, repr=False)  # root and path: tells files of several roots apart

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.root}/{self.path}")


class Placed(NamedTuple):
    """A chunk at a place of the workspace; the chunks of a file share its `PlacedFile`."""

    file: PlacedFile
    chunk: Chunk

    @property
    def root(self) -> Path:
        return self.file.root

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def language(self) -> str:
        return self.file.language

    @property
    def state(self) -> FileState:
        return self.file.state


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
        """Bring `PlacedFile.users` up to date: cheap after few files, about a second in a million lines after many."""
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
        """How many chunks the lexical index has, and how many of them hold each of `terms` that any holds."""
        ...

    def placed(self, chunk_ids: Sequence[str], roots: Sequence[Path]) -> list[Placed]:
        """Every place of these chunks under `roots`."""
        ...

    def defining(self, names: Sequence[str], roots: Sequence[Path], limit: int) -> list[str]:
        """Ids of at most `limit` chunks under `roots` in which a definition of one of `names` begins, ignoring case."""
        ...

    def in_files(self, endings: Sequence[str], roots: Sequence[Path], limit: int) -> list[Placed]:
        """Chunks of the files whose path is or ends with one of `endings` (lower case), at most `limit` of each.

        Where none does, an ending may begin above the root: then a file in no folder fits by its name alone.
        """
        ...

    def files_named(self, stems: Sequence[str], roots: Sequence[Path], limit: int) -> list[str]:
        """Paths of files whose name without its endings is one of `stems` (lower case), the shortest `limit`."""
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


@dataclass(frozen=True, slots=True)
class Changes:
    """Files to read, with the size and time that were seen, and files that are no longer there."""

    dirty: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    gone: Set[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    reparse: bool = False  # also contents that the catalog knows
    skipped: int | None = None  # left out by rules; None where no walk has counted them


class IndexWorker(Protocol):
    """Brings an index up to date in a process of its own, so that this one goes on answering. Used by one thread."""

    def ready(self) -> bool:
        """Whether it can begin at once, one update at a time; begins to start it where it does not run."""
        ...

    def apply(
        self,
        root: Path,
        settings: IndexSettings,
        look: Callable[[], Changes],
        vectors: VectorStore,
        *,
        first: Set[str],
        stopped: Callable[[], bool],
    ) -> Iterator[IndexProgress]:
        """Apply the changes that `look` finds, asked again after a crash; yields after each transaction.

        `first` names files to begin with. Once `stopped`, what is under way is dropped. Raises IndexFailed.
        """
        ...

    def close(self) -> None: ...


class FileReader(Protocol):
    """Single files of a root as they are on disk."""

    def stat(self, root: Path, path: str) -> tuple[int, int] | None:
        """(size in bytes, modification time in ns) of a regular file, None when there is none."""
        ...

    def read(self, root: Path, path: str) -> bytes:
        """Raises NotFound when the file is gone or unreadable."""
        ...


class FileSource(FileReader, Protocol):
    """The files of a root and the rules that say which are indexed."""

    def scan(self, root: Path) -> ScanReport:
        """Walk `root`: what is to be indexed and why everything else is left out. Content is not read here."""
        ...

    def admits(self, root: Path, path: str) -> bool:
        """Whether the rules of `scan` would take this one path (ignore files, names, size), without a walk."""
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


@dataclass(slots=True)
class Counters:
    """What a model has computed since it was loaded; for tests, benches and the status."""

    steps: int = 0
    prefill_tokens: int = 0  # read by the model
    reused_tokens: int = 0  # found in the prefix cache instead
    drafted_tokens: int = 0  # guessed by a draft model
    accepted_tokens: int = 0  # those of them that came true


class TextModel(Protocol):
    """A loaded language model: sequences go in, steps come out. Every method is called on the model thread."""

    @property
    def context_length(self) -> int: ...

    @property
    def nbytes(self) -> int:
        """Weights and caches held now, for the memory guard."""
        ...

    @property
    def cached(self) -> int:
        """Those of past prompts, which `trim` can give back."""
        ...

    @property
    def counters(self) -> Counters: ...

    def start(
        self,
        number: int,
        prompt: Prompt,
        sampling: Sampling,
        priority: Priority,
        draft: "TextModel | None" = None,
    ) -> None:
        """Queue a sequence under the caller's `number`; computes nothing.

        `draft` is a smaller model of the same runtime and tokenizer, whose guesses may make the sequence faster and do
        not change it. Raises ContextOverflow, BadRequest or ModelError.
        """
        ...

    def waiting(self) -> Priority | None:
        """The most urgent priority that has work, or None."""
        ...

    def step(self, priority: Priority) -> Sequence[tuple[int, Step]]:
        """One bounded computation for the sequences of this priority; what it gave, in order.

        One prefill chunk, or one decode step of all of them together. `End` is a sequence's last step. Raises
        ModelError, whose `numbers` are the sequences that are lost; the other ones and the model go on.
        """
        ...

    def cancel(self, number: int) -> None:
        """Forget a sequence before its next step; what was read of its prompt stays in the prefix cache for a retry.

        Unknown numbers are ignored.
        """
        ...

    def trim(self, nbytes: int) -> None:
        """Let the caches shrink to this budget; for times when memory is short."""
        ...

    def close(self) -> None:
        """Give all memory back."""
        ...


class ProblemSource(Protocol):
    """An adapter that can degrade says so here; the status shows it."""

    def problems(self) -> tuple[Problem, ...]: ...


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A model that the worker knows. `state`: "loading", "ready" or "failed", `detail` as in `ModelState`."""

    state: str
    detail: str = ""
    nbytes: int = 0
    counters: Counters = field(default_factory=Counters)


class ModelWorker(Protocol):
    """Local models in a process of their own, which comes up on first use. Models are named by their folders.

    Everything here raises ModelError when that process fails, and EngineStopped after `close`.
    """

    def stream(
        self, model: Path, prompt: Prompt, sampling: Sampling, priority: Priority, draft: Path | None = None
    ) -> AsyncGenerator[Step, None]:
        """Prefill*, Piece*, End. Leaving it stops the sequence before its next step.

        `draft` as in `TextModel.start`; where it does not fit into memory beside the model, the model writes alone.
        """
        ...

    async def embed(self, embedder: str, texts: Sequence[str]) -> Vectors:
        """(n, dimensions), by the embedder of this id, at INDEX priority."""
        ...

    async def load(self, model: Path, *, asked: bool = True) -> None:
        """Load it now. One that ended the process twice is tried again only if a person `asked` for it."""
        ...

    async def unload(self, model: Path) -> None:
        """Give its memory back; does nothing to a model that is not loaded."""
        ...

    def states(self) -> Mapping[Path, HeldModel]:
        """The models that are loaded, being loaded, or failed to load."""
        ...

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the event loop when `states` has changed."""
        ...

    async def close(self) -> None: ...


class Power(Protocol):
    """Whether the machine should be spared."""

    def strain(self) -> str:
        """Why background work should wait ("on battery", "too hot"), or nothing. May take some milliseconds."""
        ...


class Machine(Protocol):
    """This machine. Both may run commands of the system, the first only once."""

    def hardware(self) -> Hardware: ...

    def conditions(self) -> Conditions: ...


class Verdicts(Protocol):
    """What is known of the backends of one embedding model on this machine, its system and its chip as they are now."""

    def get(self, backend: str) -> Verdict | None: ...

    def put(self, backend: str, verdict: Verdict) -> None:
        """A verdict that cannot be written is found again next time."""
        ...


class DraftVerdicts(Protocol):
    """What was measured on this machine of a draft model together with the model it drafts for, both named by their
    folders and as they are now. Reads and writes small files.
    """

    def get(self, model: Path, draft: Path) -> Verdict | None: ...

    def put(self, model: Path, draft: Path, verdict: Verdict) -> None:
        """A verdict that cannot be written has to be measured again."""
        ...


@dataclass(frozen=True, slots=True)
class HubFile:
    """`size` in bytes. A large file has a SHA-256, a small one git's SHA-1; "" for the other."""

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""


@dataclass(frozen=True, slots=True)
class HubListing:
    """The files of a repository at one commit."""

    repo: str
    commit: str
    license: str
    files: tuple[HubFile, ...]


class ModelHub(Protocol):
    """Where models are fetched from. Raises NotFound, Denied, ModelUnavailable where it cannot be reached."""

    def listing(self, repo: str, revision: str = "main") -> HubListing: ...

    def fetch(self, listing: HubListing, file: HubFile, part: Path, on_bytes: Callable[[int], None]) -> None:
        """Append what is missing of `file` to `part`; `on_bytes` is told how much it holds now and may raise to stop.

        Raises OSError when `part` cannot be written.
        """
        ...


class SettingsWriter(Protocol):
    """The person's settings file. Raises BadRequest when it cannot be read or written."""

    def put(self, section: str, key: str, value: str) -> None: ...
