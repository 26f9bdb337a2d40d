"""Source bytes to chunks and outline: the whole of what the index keeps of a file's content.

Chunks are verbatim slices that cover the file. Never raises, whatever the bytes; the same bytes and language always
give the same result, whatever the path, the machine or its load. Where to cut is decided in `cuts.py`.
"""

from bisect import bisect_right
from hashlib import blake2b
from itertools import pairwise

from impetus.domain.cuts import STANDARD, Sizes, cut
from impetus.domain.outline import Scope, extract
from impetus.domain.syntax import parse
from impetus.domain.types import Analysis, Chunk, Outline
from impetus.languages import grammar

#: Part of every content address; raise it when a change here or in a `chunks.scm` makes other chunks.
CHUNKER_VERSION: int = 1


def blob_id(data: bytes, language: str) -> str:
    """Content address of a file: equal where `analyse` gives an equal result."""
    return _address(data, language.encode(), str(CHUNKER_VERSION).encode())


def chunk_id(piece: bytes, header: str, language: str) -> str:
    """Content address of a chunk; it does not depend on where the slice stands."""
    return _address(piece, header.encode(), language.encode(), str(CHUNKER_VERSION).encode())


def analyse(data: bytes, language: str, sizes: Sizes = STANDARD) -> Analysis:
    """Cut `data` into chunks and list its definitions and references."""
    line_starts = _line_starts(data)
    loaded = grammar(language)
    tree = parse(data, language) if data else None
    scopes: list[Scope] = []
    outline = Outline()
    if tree is None or loaded is None:
        offsets = cut(data, line_starts, None, [], sizes)
        plain = "text"
    else:
        scopes, outline = extract(tree.root_node, data, line_starts, loaded)
        offsets = cut(data, line_starts, tree.root_node, scopes, sizes)
        plain = "text" if loaded.prose else "code"
    return Analysis(
        blob=blob_id(data, language),
        language=language,
        size=len(data),
        chunks=_chunks(data, language, line_starts, offsets, scopes, plain),
        outline=outline,
    )


def _line_starts(data: bytes) -> list[int]:
    """Offsets of the first byte of every line; only a line feed ends a line, and the last one need not have it."""
    starts = [0]
    position = data.find(b"\n")
    while position >= 0:
        starts.append(position + 1)
        position = data.find(b"\n", position + 1)
    if starts[-1] == len(data):
        starts.pop()
    return starts


def _chunks(
    data: bytes, language: str, line_starts: list[int], offsets: list[int], scopes: list[Scope], plain: str
) -> tuple[Chunk, ...]:
    chunks: list[Chunk] = []
    around: list[Scope] = []
    entered = 0
    by_name = sorted(scopes, key=lambda scope: scope.name_start)
    named = 0
    for start, end in pairwise(offsets):
        start_line = bisect_right(line_starts, start)
        while entered < len(scopes) and scopes[entered].definition.start < start:
            while around and around[-1].definition.end < scopes[entered].definition.end:
                around.pop()
            around.append(scopes[entered])
            entered += 1
        while around and around[-1].definition.end <= start:
            around.pop()
        begins: list[Scope] = []
        while named < len(by_name) and by_name[named].name_start < end:
            if by_name[named].listed:
                begins.append(by_name[named])
            named += 1
        # A definition whose comment was cut off from it does not enclose what shows its name.
        inside = next((scope for scope in reversed(around) if scope.name_start < start), None)
        scope = inside.path if inside else ()
        signature = inside.definition.signature if inside else ""
        header = "\n".join(part for part in (".".join(scope), signature) if part)
        piece = data[start:end]
        chunks.append(
            Chunk(
                id=chunk_id(piece, header, language),
                start=start,
                end=end,
                start_line=start_line,
                end_line=bisect_right(line_starts, end - 1),
                scope=scope,
                signature=signature,
                symbols=tuple(dict.fromkeys(item.definition.name for item in begins)),
                kind=begins[0].definition.kind if begins else plain,
            )
        )
    return tuple(chunks)


def _address(*fields: bytes) -> str:
    return blake2b(b"\0".join(fields), digest_size=16).hexdigest()
