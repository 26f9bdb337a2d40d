"""The documents service over a folder, without a process beside the test."""

from pathlib import Path

from impetus.adapters import document_child, document_formats
from impetus.adapters.document_store import SqliteDocumentStore
from impetus.domain.documents import Passage
from impetus.errors import BadRequest
from impetus.services.documents import Documents
from tests.support.embedder import HashEmbedder


class InProcessReader:
    """The readers themselves, in this process. `asked` names what was read."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed = False

    def media_type(self, name: str, given: str | None) -> str:
        return document_formats.media_type(name, given)

    def readable(self, name: str) -> bool:
        return document_formats.known(name) is not None

    def read(self, name: str, media_type: str, data: bytes) -> tuple[Passage, ...]:
        self.asked.append(name)
        answer = document_child.read(media_type, data)
        if "error" in answer:
            raise BadRequest(f"{name} cannot be read: {answer['error']}", parameter="content")
        return tuple(Passage(*each) for each in answer["passages"])

    def close(self) -> None:
        self.closed = True


def documents_in(
    folder: Path, reader: InProcessReader | None = None, embedder: HashEmbedder | None = None
) -> Documents:
    embedder = embedder or HashEmbedder()
    store = SqliteDocumentStore(folder / "documents.sqlite", embedder)
    return Documents(store, reader or InProcessReader(), embedder)
