"""`GET /api/keys` and `/api/keys/events`: which keys there are and what was done to them, for admins.

Keys are made and revoked on the command line only: a secret never crosses the network.
"""

from typing import Any

from impetus.services.keys import Keys
from impetus.web.paging import page


def listing(keys: Keys, limit: int, after: str | None) -> dict[str, Any]:
    entries = [
        {
            "id": key.id,
            "object": "api_key",
            "name": key.name,
            "role": key.role,
            "created": int(key.created),
            "expires": int(key.expires) if key.expires is not None else None,
        }
        for key in keys.all()
    ]
    return page(entries, limit, after)


def events(keys: Keys, limit: int, after: str | None) -> dict[str, Any]:
    """Latest first."""
    entries = [
        {
            "id": str(event.number),
            "object": "api_key.event",
            "at": int(event.at),
            "action": event.action,
            "key_id": event.key_id,
            "name": event.name,
            "role": event.role,
        }
        for event in keys.events()
    ]
    return page(entries, limit, after)
