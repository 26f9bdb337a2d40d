"""One file's content made ready for the index: chunks, outline and lexical terms. Runs in parser processes too."""

from impetus.domain.chunking import analyse
from impetus.domain.ports import Digest
from impetus.domain.tokens import terms
from impetus.domain.types import Chunk


def digest(data: bytes, language: str) -> Digest:
    """Never fails on content."""
    analysis = analyse(data, language)
    return Digest(analysis, tuple(" ".join(terms(chunk_text(data, chunk))) for chunk in analysis.chunks))


def chunk_text(data: bytes, chunk: Chunk) -> str:
    """What is searched and embedded of a chunk: its header, then its slice."""
    body = data[chunk.start : chunk.end].decode("utf-8", "replace")
    return f"{chunk.header}\n{body}" if chunk.header else body
