"""One suite for every `DocumentReader`: the readers in this process, as tests use them, and in one of their own, with
what only the process is for: documents that take too much time or memory, and processes that end.
"""

import io
import os
import signal
import zipfile
from collections.abc import Iterator

import pytest
from tests.support.document_files import docx
from tests.support.documents import InProcessReader

from impetus.adapters.document_formats import READERS
from impetus.adapters.document_process import DocumentProcess
from impetus.domain.document_ports import DocumentReader
from impetus.domain.documents import Passage
from impetus.errors import BadRequest, EngineStopped

MARKDOWN, TEXT, _HTML, PDF, WORD, _NOTEBOOK = READERS


@pytest.fixture(params=["in process", "process"])
def reader(request: pytest.FixtureRequest) -> Iterator[DocumentReader]:
    made = InProcessReader() if request.param == "in process" else DocumentProcess()
    yield made
    made.close()


def test_reading(reader: DocumentReader) -> None:
    assert reader.media_type("a.md", None) == MARKDOWN
    assert reader.readable("a.md") and not reader.readable("a.exe")
    assert reader.read("a.md", MARKDOWN, "# Ä\n\nb ≥ c".encode()) == (Passage("b ≥ c", ("Ä",)),)
    assert reader.read("b.txt", TEXT, b"y" * 3_000_000)[0].text.startswith("yyy")


def test_why_a_document_cannot_be_read(reader: DocumentReader) -> None:
    for kind, data in ((TEXT, b""), (PDF, b"x")):
        with pytest.raises(BadRequest, match="a name cannot be read: it ") as caught:
            reader.read("a name", kind, data)
        assert caught.value.parameter == "content"
    assert reader.read("good", TEXT, b"good") == (Passage("good"),)


@pytest.fixture
def impatient() -> Iterator[DocumentProcess]:
    made = DocumentProcess(seconds=1, megabytes=400)
    yield made
    made.close()


def test_a_document_that_takes_too_long(impatient: DocumentProcess) -> None:
    many = b"".join(b"# Title %d\n\n- a\n- b\n\n" % number for number in range(200_000))
    with pytest.raises(BadRequest, match="longer than 1 seconds"):
        impatient.read("long.md", MARKDOWN, many)


def _huge_paragraph() -> bytes:
    """A small archive whose one part is large."""
    source, out = zipfile.ZipFile(io.BytesIO(docx("Hello"))), io.BytesIO()
    with source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as changed:
        for part in source.infolist():
            data = source.read(part)
            if part.filename == "word/document.xml":
                paragraph = data[data.index(b"<w:p>") : data.index(b"</w:p>") + 6]
                data = data.replace(paragraph, paragraph * 2_500_000)
            changed.writestr(part.filename, data)
    return out.getvalue()


def test_a_document_that_takes_too_much_memory() -> None:
    reader = DocumentProcess(megabytes=300)
    try:
        data = _huge_paragraph()
        assert len(data) < 2_000_000
        with pytest.raises(BadRequest, match=r"memory|damaged"):
            reader.read("bomb.docx", WORD, data)
        assert reader.read("good", TEXT, b"good") == (Passage("good"),)
    finally:
        reader.close()


def test_a_process_that_ended_is_replaced() -> None:
    reader = DocumentProcess()
    try:
        assert reader.read("a", TEXT, b"a") == (Passage("a"),)
        process = reader._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert reader.read("b", TEXT, b"b") == (Passage("b"),)
    finally:
        reader.close()
    with pytest.raises(EngineStopped):
        reader.read("c", TEXT, b"c")
