"""Lists in pages, as OpenAI does it: `limit` and `after`, the id of the last entry that one has seen."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query

from impetus.errors import BadRequest

Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(max_length=200)]


def page(entries: Sequence[dict[str, Any]], limit: int, after: str | None) -> dict[str, Any]:
    """`entries` have an `id` each. Raises BadRequest when `after` is none of them."""
    start = 0
    if after is not None:
        seen = next((position for position, entry in enumerate(entries) if str(entry["id"]) == after), None)
        if seen is None:
            raise BadRequest(
                "`after` is not the id of an entry of this list; begin again without it", parameter="after"
            )
        start = seen + 1
    data = list(entries[start : start + limit])
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": start + len(data) < len(entries),
    }
