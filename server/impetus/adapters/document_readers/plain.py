"""Plain text: paragraphs, as they are written."""

from collections.abc import Iterator

from impetus.adapters.document_readers.blocks import Section, paragraphs, text_of
from impetus.domain.documents import Block


def read(data: bytes) -> Iterator[Block]:
    section = Section()
    for paragraph in paragraphs(text_of(data)):
        yield from section.block(paragraph)
