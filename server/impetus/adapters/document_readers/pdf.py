"""PDF: the text of each page, under the titles of its bookmarks where it has some.

Pages without text (scans) have none here; nothing is recognized in pictures.
"""

import io
import logging
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pypdf import PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

from impetus.adapters.document_readers.blocks import Section, Unreadable, paragraphs
from impetus.domain.documents import Block

MAX_PAGES = 5_000

#: Titles of bookmarks: (level, title), by the page that they lead to, from 0.
Bookmarks = dict[int, list[tuple[int, str]]]

_LOCKED = "it is encrypted; save a copy without a password"


def read(data: bytes) -> Iterator[Block]:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it says of every oddity what nobody can mend
    try:
        yield from _pages(PdfReader(io.BytesIO(data), strict=False))
    except (FileNotDecryptedError, DependencyError) as error:
        raise Unreadable(_LOCKED) from error
    except PyPdfError as error:
        raise Unreadable(f"it is no sound PDF ({error})") from error


def _pages(pdf: PdfReader) -> Iterator[Block]:
    # An empty password is none: such files only forbid printing or changing.
    if pdf.is_encrypted and not pdf.decrypt(""):
        raise Unreadable(_LOCKED)
    if len(pdf.pages) > MAX_PAGES:
        raise Unreadable(f"it has {len(pdf.pages):,} pages and {MAX_PAGES:,} is the most; split it")
    bookmarks = _bookmarks(pdf)
    section = Section()
    found = False
    for number, page in enumerate(pdf.pages):
        section.page = number + 1
        for block in _blocks(page.extract_text(), section, bookmarks.get(number, [])):
            found = True
            yield block
    if not found and len(pdf.pages):
        raise Unreadable("its pages hold no text, only pictures; recognize the text with another program first")


def _blocks(text: str, section: Section, titles: list[tuple[int, str]]) -> Iterator[Block]:
    """A title holds from the line that shows it, or from the top of the page where none does."""
    lines = text.split("\n")
    shown = {_plain(line) for line in lines}
    waiting = [(level, title) for level, title in titles if _plain(title) in shown]
    for level, title in titles:
        if (level, title) not in waiting:
            section.under(level, title)
    part: list[str] = []
    for line in lines:
        if waiting and _plain(line) == _plain(waiting[0][1]):
            yield from _paragraphs(part, section)
            section.under(*waiting.pop(0))
            part = []
        part.append(line)
    yield from _paragraphs(part, section)


def _paragraphs(lines: list[str], section: Section) -> Iterator[Block]:
    for paragraph in paragraphs("\n".join(lines)):
        yield from section.block(paragraph)


def _bookmarks(pdf: PdfReader) -> Bookmarks:
    found: Bookmarks = defaultdict(list)
    try:
        waiting: list[tuple[int, Any]] = [(1, entry) for entry in reversed(pdf.outline)]
        while waiting:
            level, entry = waiting.pop()
            if isinstance(entry, list):  # what lies below the bookmark before it
                waiting += [(level + 1, below) for below in reversed(entry)]
            else:
                number = pdf.get_destination_page_number(entry)
                if number is not None and number >= 0 and entry.title:
                    found[number].append((min(level, 9), str(entry.title)))
    except Exception:  # the pages are readable without them
        return {}
    return found


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()
