"""A Jupyter notebook as Markdown, line for line: what is searched and shown of one in a workspace.

Jupyter writes every line of a cell on a line of its own, so text and code can stand where they stand in the file, with
blank lines where it has outputs and metadata. A line that is found is that line of the file, whatever shows it.
"""

import json
import re
from typing import Any

ENDING = ".ipynb"

#: Longer than the fences that stand inside of code.
_FENCE = "````"
_KEY = re.compile(r'(?P<indent>[ \t]*)"(?P<key>cell_type|source)": (?P<value>.*?),?')
_LINE = re.compile(r'[ \t]*(?P<text>".*"),?')


def view(data: bytes) -> bytes:
    """The Markdown; `data` itself where it is no notebook of version 4 as Jupyter writes them. Never fails."""
    try:
        notebook = json.loads(data)
        lines, cells = _lines(data.decode(), language(notebook))
        whole = notebook["nbformat"] == 4 and len(notebook["cells"]) == cells
        return "\n".join(lines).encode() if whole else data
    except (ValueError, LookupError, TypeError, RecursionError):
        return data


def language(notebook: Any) -> str:
    """Of its code, as a fence names it; "" where it does not say."""
    for path in (("metadata", "language_info", "name"), ("metadata", "kernelspec", "language")):
        value = notebook
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value.isalnum():
            return value
    return ""


def _lines(text: str, code_language: str) -> tuple[list[str], int]:
    """As many as `text` has, and the number of cells. Raises ValueError where a cell is written in another way."""
    out: list[str] = []
    cells = 0
    code = inside = False
    indent: str | None = None  # of a cell's keys; deeper ones are data of outputs
    for row in (line.removesuffix("\r") for line in text.split("\n")):
        match = _KEY.fullmatch(row)
        if inside:
            content = _LINE.fullmatch(row)
            inside = content is not None
            # The bracket after the last line closes the fence.
            out.append(
                " ".join(json.loads(content["text"]).split("\n")).rstrip() if content else _FENCE if code else ""
            )
        elif match is None or indent not in (None, match["indent"]):
            out.append("")
        elif match["key"] == "cell_type":
            indent, code, cells = match["indent"], match["value"] == '"code"', cells + 1
            out.append(f"###### cell {cells}")  # below every heading of the notebook itself
        elif match["value"] == "[" and cells:
            inside = True
            out.append(f"{_FENCE}{code_language}" if code else "")
        elif match["value"] in ("[]", '""'):
            out.append("")
        else:
            raise ValueError("a cell that is not written line by line")
    return out, cells
