"""Jupyter notebooks of version 4: text and code of each cell, and the beginning of what it printed."""

import json
from collections.abc import Iterator, Sequence

from impetus.adapters.document_readers import markdown
from impetus.adapters.document_readers.blocks import Section, Unreadable, fenced, text_of
from impetus.domain.documents import Block
from impetus.domain.notebooks import language

#: Characters of a cell's printed output; a log of training says little more after that.
MAX_OUTPUT = 2_000


def read(data: bytes) -> Iterator[Block]:
    try:
        notebook = json.loads(text_of(data))
    except (ValueError, RecursionError) as error:
        raise Unreadable("it is no notebook: its JSON is broken") from error
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or not isinstance(notebook.get("cells"), list):
        raise Unreadable("it is no notebook of version 4; open it in Jupyter and save it")
    code = language(notebook)
    section = Section()
    for number, cell in enumerate(notebook["cells"], 1):
        if not isinstance(cell, dict):
            continue
        section.cell = number
        source = _joined(cell.get("source"))
        if cell.get("cell_type") == "markdown":
            yield from markdown.blocks(source, section)
        elif cell.get("cell_type") == "code":
            if source.strip():
                yield from section.block(fenced(source, code))
            printed = "".join(_printed(cell.get("outputs")))
            if printed.strip():
                yield from section.block(fenced(printed[:MAX_OUTPUT], "text"))
        else:
            yield from section.block(source)
    yield from section.end()


def _printed(outputs: object) -> Iterator[str]:
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict):
            data = output.get("data")
            yield _joined(output.get("text") or (data.get("text/plain") if isinstance(data, dict) else None))


def _joined(lines: object) -> str:
    """Text is written as one string or as a list of lines."""
    if isinstance(lines, str):
        return lines
    return "".join(line for line in lines if isinstance(line, str)) if isinstance(lines, Sequence) else ""
