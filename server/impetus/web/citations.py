"""What an answer cites, as the annotations that clients of OpenAI know, with path and lines beside."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from impetus.domain.citations import places
from impetus.domain.types import Finish, Source


def annotations(text: str, cited: Sequence[Source]) -> list[dict[str, Any]]:
    """One for each source that `text` cites; `start_index` and `end_index` are characters of its first citation."""
    where = places(text)
    return [
        {"type": "url_citation", "url_citation": _citation(source, *where.get(source.number, (0, 0)))}
        for source in cited
    ]


def flat(text: str, cited: Sequence[Source]) -> list[dict[str, Any]]:
    """The same in the form of Responses."""
    return [{"type": "url_citation", **each["url_citation"]} for each in annotations(text, cited)]


def source_list(sources: Sequence[Source], finish: Finish) -> str:
    """What the answer cites as Markdown; else what it was given to read, said so."""
    listed, title = (finish.cited, "Sources") if finish.cited else (tuple(sources), "Passages found (none is cited)")
    if not listed:
        return ""
    lines = [f"\n\n**{title}**\n"]
    for source in listed:
        symbol = f" ({source.hit.symbol})" if source.hit.symbol else ""
        lines.append(f"- [{source.number}] `{_title(source)}`{symbol}")
    if finish.unverified:
        lines.append(f"\nNot verified: {', '.join(f'[{number}]' for number in finish.unverified)}")
    return "\n".join(lines) + "\n"


def _citation(source: Source, start: int, end: int) -> dict[str, Any]:
    hit = source.hit
    lines = {"start_line": hit.start_line, "end_line": hit.end_line}
    if source.given:
        url = f"document:{quote(hit.path)}"
    else:
        url = f"{hit.absolute_path.as_uri()}#L{hit.start_line}-L{hit.end_line}"
    return {
        "url": url,
        "title": _title(source),
        "start_index": start,
        "end_index": end,
        "number": source.number,
        "path": hit.path,
        "root": None if source.given else str(hit.root),
        **(lines if not source.given else {"start_line": None, "end_line": None}),
        "symbol": hit.symbol or None,
    }


def _title(source: Source) -> str:
    hit = source.hit
    return hit.path if source.given else f"{hit.path}:{hit.start_line}-{hit.end_line}"
