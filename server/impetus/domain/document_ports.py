"""What the documents service needs from outside; contract suites are in tests/adapters. All of it may block."""

from collections.abc import Sequence
from typing import Protocol

from impetus.domain.documents import Collection, Found, Ingested, NewDocument, Passage, Selection, StoredDocument
from impetus.domain.ports import Vectors


class DocumentReader(Protocol):
    """Bytes to passages, in a way that no document can harm the process that asks."""

    def media_type(self, name: str, given: str | None) -> str:
        """The format that a document is read as. Raises BadRequest for one that cannot be read."""
        ...

    def readable(self, name: str) -> bool:
        """Whether the ending of a name tells a format that can be read."""
        ...

    def read(self, name: str, media_type: str, data: bytes) -> tuple[Passage, ...]:
        """At least one passage, secrets masked. Raises BadRequest, which names the document and says why."""
        ...

    def close(self) -> None:
        """What is being read fails."""
        ...


class DocumentStore(Protocol):
    """Collections of documents, shared by processes: what one stores or removes, the next call of another one sees.

    Each change is one transaction. Equal contents and equal passages are kept once, whatever documents have them.
    """

    def put(self, document: NewDocument, passages: Sequence[Passage] | None) -> Ingested | None:
        """Add a document, or put it in the place of the one of its name.

        None when `passages` are not given and no document has this content, so that they would be needed.
        """
        ...

    def search(self, terms: Sequence[str], vector: Vectors, selection: Selection, limit: int) -> Found:
        """The best `limit` passages of the selection by words (any of `terms`) and by meaning, without an order."""
        ...

    def collections(self) -> list[Collection]:
        """By name."""
        ...

    def documents(self, collection: str) -> list[StoredDocument]:
        """Oldest first."""
        ...

    def remove(self, collection: str, document: str | None = None) -> bool:
        """Forget one document, by its id, or a collection with all of its own; whether it was there.

        A collection whose last document is removed goes as well.
        """
        ...
