"""Documents that people add beside the workspace: what a reader finds in one, what is kept of it, what a search gives.

Loads nothing heavy: the process that reads documents imports it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from impetus.domain.secrets import is_secret_file
from impetus.errors import BadRequest

#: Part of every content's address; raise it when a reader or the cutter makes other passages of the same bytes.
READER_VERSION = 1

#: Bytes of a document's file.
MAX_SIZE = 50_000_000
MAX_NAME = 500

Scalar = str | int | float | bool
#: A document's own fields; a list is several values of one field.
Metadata = Mapping[str, Scalar | Sequence[Scalar]]

MAX_FIELDS = 50
MAX_VALUE = 1_000
MAX_VALUES = 100

_COLLECTION = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}")
#: Half a character: JSON can say it and no text can hold it.
_SURROGATE = re.compile("[\ud800-\udfff]")
_FIELD = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document as a reader meets it: a paragraph, a list, a table, a listing. Text is Markdown.

    `headings` are the titles it stands under, outermost first; `page` and `cell` count from 1.
    """

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """What is kept, searched and shown: one or several blocks of one place. `key` is its content's address."""

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    cell: int | None = None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        content = "\0".join((self.text, *self.headings)).encode("utf-8", "replace")
        object.__setattr__(self, "key", blake2b(content, digest_size=16).hexdigest())

    @property
    def searched(self) -> str:
        """What is searched and embedded."""
        return "\n".join((*self.headings, self.text))


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What is to be kept of a document beside its passages. `content` is the address of its bytes as they were read."""

    collection: str
    name: str
    media_type: str
    size: int
    content: str
    metadata: Metadata = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same for the same name in the same collection."""
        return document_id(self.collection, self.name)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """Times are seconds since the epoch; `size` counts bytes of the file."""

    id: str
    collection: str
    name: str
    media_type: str
    size: int
    passages: int
    metadata: Metadata
    added: float
    updated: float


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a document. `fresh` passages were new to the store; of the others only the place was noted."""

    document: StoredDocument
    status: Literal["added", "updated", "unchanged"]
    fresh: int = 0
    removed: int = 0  # passages that no document has any more


@dataclass(frozen=True, slots=True)
class Collection:
    """`passages` counts those of all its documents, `size` bytes of their files."""

    name: str
    documents: int
    passages: int
    size: int
    created: float
    updated: float


@dataclass(frozen=True, slots=True)
class Selection:
    """The documents that a search looks at; by default all. `filters` have to match a document's metadata."""

    collection: str | None = None
    filters: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage of a document with what both searches say of it: BM25 and cosine, 0 where one does not have it."""

    document: StoredDocument
    passage: Passage
    ordinal: int
    lexical: float
    dense: float


@dataclass(frozen=True, slots=True)
class Found:
    """`total` passages were searched; `frequencies` says how many of them hold each term."""

    passages: tuple[FoundPassage, ...]
    total: int
    frequencies: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DocumentHit:
    """`score` is in (0, 1], comparable within one result only."""

    document: StoredDocument
    passage: Passage
    score: float

    @property
    def place(self) -> str:
        """Where in the document, in words: `page 3`, `cell 2`, `Setup › Linux`; "" for one without structure."""
        passage = self.passage
        counted = f"page {passage.page}" if passage.page else f"cell {passage.cell}" if passage.cell else ""
        return ", ".join(part for part in (counted, " › ".join(passage.headings)) if part)


def document_id(collection: str, name: str) -> str:
    return "doc_" + blake2b(f"{collection}\0{name}".encode("utf-8", "replace"), digest_size=12).hexdigest()


def content_id(data: bytes, media_type: str) -> str:
    """Equal where reading gives equal passages."""
    return blake2b(data, digest_size=16, person=f"{READER_VERSION}".encode(), key=media_type.encode()[:64]).hexdigest()


def check_collection(name: str) -> str:
    """Raises BadRequest."""
    if not _COLLECTION.fullmatch(name):
        raise BadRequest(
            f"{name[:100]!r} cannot name a collection; use up to 64 letters, digits, '.', '_' and '-', the first of "
            "them a letter or digit",
            parameter="collection",
        )
    return name


def check_name(name: str) -> str:
    """A document's name: any printable text, never a place to read from. Raises BadRequest."""
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise BadRequest(f"A document needs a printable name of 1 to {MAX_NAME} characters", parameter="name")
    if is_secret_file(name):
        raise BadRequest(
            f"{name!r} is the name of a file that holds secrets, which are never kept; give it another name if it "
            "holds none",
            parameter="name",
        )
    return name


def check_metadata(metadata: Metadata, parameter: str = "metadata") -> Metadata:
    """Metadata, or filters that are to match it. Raises BadRequest."""
    if len(metadata) > MAX_FIELDS:
        raise BadRequest(f"{parameter} has more than {MAX_FIELDS} fields", parameter=parameter)
    for name, value in metadata.items():
        if not _FIELD.fullmatch(name):
            raise BadRequest(
                f"{name[:100]!r} cannot name a field of {parameter}; use up to 64 letters, digits, '_' and '-'",
                parameter=parameter,
            )
        values = value if isinstance(value, list | tuple) else [value]
        if len(values) > MAX_VALUES or not all(_fits(each) for each in values):
            raise BadRequest(
                f"{parameter}.{name} has to be a text of at most {MAX_VALUE} characters, a number, true or false, or a "
                f"list of at most {MAX_VALUES} of these",
                parameter=f"{parameter}.{name}",
            )
    return metadata


def _fits(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_VALUE and not _SURROGATE.search(value)
    if isinstance(value, int):
        return abs(value) < 2**63
    return isinstance(value, float) and math.isfinite(value)
