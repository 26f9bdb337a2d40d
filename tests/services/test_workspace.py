"""What a client's documents remember: which were edited, closed ones included."""

from pathlib import Path

from impetus.domain.types import Document
from impetus.services.workspace import OpenDocuments, View


def document(name: str, text: str, version: int = 1) -> Document:
    return Document(f"/w/{name}", text, version, "python")


def test_edited_are_the_documents_whose_text_changed() -> None:
    documents = OpenDocuments()
    documents.set(document("read.py", "a"))
    documents.set(document("read.py", "a", 2))  # saved, or compared with the disk
    documents.set(document("edited.py", "a"))
    documents.set(document("edited.py", "b", 2))
    assert documents.edited() == ("/w/edited.py",)


def test_an_edited_document_is_remembered_after_it_is_closed() -> None:
    documents = OpenDocuments()
    documents.set(document("a.py", "a"))
    documents.set(document("a.py", "b", 2))
    documents.close("/w/a.py")
    assert not documents.snapshot()
    assert documents.edited() == ("/w/a.py",)


def test_the_documents_edited_last_are_remembered() -> None:
    documents = OpenDocuments()
    for number in range(30):
        documents.set(document(f"{number}.py", ""))
        documents.set(document(f"{number}.py", "changed", 2))
    documents.set(document("29.py", "changed again", 3))
    edited = documents.edited()
    assert edited == tuple(f"/w/{number}.py" for number in range(10, 30))


def test_the_innermost_root_holds_a_document() -> None:
    view = View((Path("/w"), Path("/w/inner")))
    assert view.locate("/w/inner/a.py") == (Path("/w/inner"), "a.py")
    assert view.locate("/elsewhere/a.py") is None
