"""Word documents (DOCX): paragraphs and tables in their order, under the titles of heading styles."""

import io
import re
import zipfile
from collections.abc import Iterator

from docx import Document
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table
from docx.text.paragraph import Paragraph

from impetus.adapters.document_readers.blocks import Section, Unreadable
from impetus.domain.documents import Block

#: Of all parts together once unpacked; a document of a thousand pages with pictures stays below.
MAX_UNPACKED = 300_000_000
MAX_PARTS = 10_000

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)


def read(data: bytes) -> Iterator[Block]:
    _check(data)
    try:
        document = Document(io.BytesIO(data))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise Unreadable("it is no Word document of the DOCX format") from error
    section = Section()
    for part in document.iter_inner_content():
        if isinstance(part, Paragraph):
            level = _level(part)
            if level:
                yield from section.heading(level, part.text)
            else:
                yield from section.block(part.text)
        else:
            yield from section.block(_rows(part))
    yield from section.end()


def _check(data: bytes) -> None:
    """What the archive says of itself; unpacking never gives more than it says."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise Unreadable("it is no Word document of the DOCX format, or a damaged one") from error
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise Unreadable(f"it unpacks to more than {MAX_PARTS:,} parts or {MAX_UNPACKED // 1_000_000} MB")
    if any(part.flag_bits & 1 for part in parts):
        raise Unreadable("it is encrypted; save a copy without a password")


def _level(paragraph: Paragraph) -> int:
    """1 to 9 for a heading, else 0. Word's own names of styles are English in every language."""
    name = (paragraph.style.name or "") if paragraph.style is not None else ""
    match = _HEADING.fullmatch(name)
    return int(match[1]) if match else int(name == "Title")


def _rows(table: Table) -> str:
    rows = []
    for row in table.rows:
        cells = [" ".join(cell.text.split()) for cell in row.cells]
        rows.append(" | ".join(cells))
    return "\n".join(rows)
