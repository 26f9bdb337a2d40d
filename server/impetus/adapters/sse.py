"""Server-sent events as OpenAI-compatible servers write them: lines to JSON objects. No I/O."""

import json
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

from impetus.errors import ModelError


async def events(lines: AsyncIterable[str]) -> AsyncGenerator[dict[str, Any], None]:
    """The data of every event until `[DONE]`; comments, names and empty events are passed over."""
    data: list[str] = []
    async for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            event = "\n".join(data)
            data.clear()
            if event.strip() == "[DONE]":
                return
            yield _decoded(event)
    if data and "\n".join(data).strip() != "[DONE]":  # a server that leaves out the last empty line
        yield _decoded("\n".join(data))


def _decoded(event: str) -> dict[str, Any]:
    try:
        value = json.loads(event)
    except ValueError as error:
        raise ModelError(
            f"The model server sent something that is not JSON: {event[:80]!r}; check its version"
        ) from error
    if not isinstance(value, dict):
        raise ModelError(f"The model server sent an unexpected event: {event[:80]!r}; check its version")
    return value
