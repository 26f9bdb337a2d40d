"""Passages as they stand in a text now: where a chunk is, and how it is shown."""

from impetus.domain.chunking import analyse, blob_id, chunk_id
from impetus.domain.types import Chunk


def locate(chunk: Chunk, blob: str, data: bytes, language: str) -> Chunk | None:
    """The chunk in `data`: as recorded when the content is the recorded one, else moved, else None when it is gone."""
    if blob_id(data, language) == blob:
        return chunk
    found = [other for other in analyse(data, language).chunks if other.id == chunk.id]
    if not found:
        return None
    return min(found, key=lambda other: abs(other.start_line - chunk.start_line))


def is_verbatim(chunk: Chunk, data: bytes, language: str) -> bool:
    """Whether the very text that was indexed stands at the chunk's range, no secret masked in it."""
    return chunk_id(data[chunk.start : chunk.end], chunk.header, language) == chunk.id


def lines(data: bytes, chunk: Chunk) -> str:
    """The slice as text, without the line end of its last line."""
    return data[chunk.start : chunk.end].decode("utf-8", "replace").rstrip("\r\n")


def symbol(chunk: Chunk) -> str:
    """Dotted name of what the chunk defines first, else of what it lies in."""
    return ".".join((*chunk.scope, *chunk.symbols[:1]))
