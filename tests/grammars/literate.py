"""Literate grammar tests: a Markdown file with a code block, then what `impetus` must find in it, in readable form.

`python -m tests.grammars.literate FILE...` writes the expectations of a new or changed file anew; read the difference.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from impetus.domain.chunking import analyse
from impetus.domain.cuts import Sizes
from impetus.domain.types import Analysis

#: Small, so that short examples show where cuts fall.
SIZES = Sizes(small=200, ideal=300, large=400, merged=600)

_BLOCK = re.compile(r"^(?P<fence>`{3,})(?P<language>\w+)\n(?P<code>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """A literate file: the text up to the expectations, the code, and the expectations."""

    intro: str
    code: bytes
    expected: str


def read(file: Path) -> Example:
    text = file.read_text("utf-8")
    block = _BLOCK.search(text)
    if block is None:
        raise ValueError(f"{file} has no code block")
    return Example(text[: block.end()], block["code"].encode(), text[block.end() :].strip())


def render(language: str, code: bytes) -> str:
    analysis = analyse(code, language, SIZES)
    return "\n\n".join(
        (
            f"## Definitions\n\n```text\n{_definitions(analysis)}```",
            f"## References\n\n```text\n{_references(analysis)}```",
            f"## Chunks\n\n```text\n{_chunks(analysis)}```",
        )
    )


def _definitions(analysis: Analysis) -> str:
    lines = ""
    for item in analysis.outline.definitions:
        path = ".".join((*item.scope, item.name))
        lines += f"{item.start_line}-{item.end_line} {item.kind} {path}: {item.signature}\n"
        if item.doc:
            lines += f"    {item.doc}\n"
    return lines


def _references(analysis: Analysis) -> str:
    return "".join(
        f"{item.line} {item.kind} {item.name}{' in ' + item.within if item.within else ''}\n"
        for item in analysis.outline.references
    )


def _chunks(analysis: Analysis) -> str:
    lines = ""
    for chunk in analysis.chunks:
        lines += f"{chunk.start_line}-{chunk.end_line} {chunk.kind}: {', '.join(chunk.symbols) or '-'}\n"
        lines += "".join(f"    after {line}\n" for line in chunk.header.splitlines())
    return lines


def rewrite(file: Path) -> None:
    example = read(file)
    file.write_text(f"{example.intro}\n{render(file.stem, example.code)}\n", "utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        rewrite(Path(argument))
