"""Markdown: the blocks of its top level, as they are written, under their headings."""

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt

from impetus.adapters.document_readers.blocks import Section, text_of
from impetus.domain.documents import Block

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)


def read(data: bytes) -> Iterator[Block]:
    section = Section()
    yield from blocks(text_of(data), section)
    yield from section.end()


def blocks(text: str, section: Section) -> Iterator[Block]:
    front = _FRONT_MATTER.match(text)
    if front:
        yield from section.block(front[1])
        text = text[front.end() :]
    lines = text.split("\n")
    tokens = MarkdownIt("commonmark").enable("table").disable("inline").parse(text)
    for token, following in zip(tokens, [*tokens[1:], None], strict=False):
        if token.level or token.map is None or token.nesting < 0:
            continue
        if token.type == "heading_open" and following is not None:
            yield from section.heading(int(token.tag[1]), following.content)
        else:
            yield from section.block("\n".join(lines[token.map[0] : token.map[1]]).rstrip())
