"""Open documents over disk: what a client sees, and an immutable snapshot of it for one request.

Changed on the event loop only. Features read a `View`; they never ask whether a text is saved.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from impetus.domain.types import Document

#: Of the documents that were edited, closed ones included, so many are remembered.
_EDITED = 20


@dataclass(frozen=True, slots=True)
class View:
    """One client's roots and open documents at one moment. `documents` maps keys (absolute paths) to documents;
    `edited` are the keys of those that were edited lately, whether they are still open or not.
    """

    roots: tuple[Path, ...] = ()
    documents: Mapping[str, Document] = field(default_factory=dict)
    edited: tuple[str, ...] = ()

    def document(self, root: Path, path: str) -> Document | None:
        return self.documents.get(str(root / path)) if self.documents else None

    def locate(self, key: str) -> tuple[Path, str] | None:
        """The innermost root that holds the document, and the path within it."""
        absolute = Path(key)
        inside = [root for root in self.roots if absolute.is_relative_to(root)]
        if not inside:
            return None
        root = max(inside, key=lambda r: len(r.parts))
        return root, absolute.relative_to(root).as_posix()


class OpenDocuments:
    """The documents one client has open."""

    def __init__(self) -> None:
        self._open: dict[str, Document] = {}
        self._origins: dict[str, str] = {}
        self._edited: dict[str, None] = {}  # the latest last

    def set(self, document: Document) -> None:
        former = self._open.get(document.key)
        if former is not None and former.text != document.text:
            self._edited.pop(document.key, None)
            self._edited[document.key] = None
            if len(self._edited) > _EDITED:
                del self._edited[next(iter(self._edited))]
        self._open[document.key] = document
        self._origins.setdefault(document.key, document.text)

    def get(self, key: str) -> Document | None:
        return self._open.get(key)

    def saved(self, key: str) -> None:
        """The text on disk is now the text of the editor."""
        document = self._open.get(key)
        if document is not None:
            self._open[key] = Document(document.key, document.text, document.version, document.language, dirty=False)

    def close(self, key: str) -> None:
        self._open.pop(key, None)
        self._origins.pop(key, None)

    def origin(self, key: str) -> str:
        """The text that edits are compared with: as it was opened, or when what it asked for was last done."""
        return self._origins.get(key, "")

    def followed_up(self, key: str) -> None:
        """Nothing is left that the edits so far ask for."""
        document = self._open.get(key)
        if document is not None:
            self._origins[key] = document.text

    def snapshot(self) -> Mapping[str, Document]:
        return MappingProxyType(dict(self._open))

    def edited(self) -> tuple[str, ...]:
        """Keys of the documents that were edited lately."""
        return tuple(self._edited)
