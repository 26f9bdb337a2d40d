"""What a request asks for, by its method and path: the role that may, and the limit that it counts against.

What is not named here needs more, not less: a route that is forgotten is closed to readers.
"""

from dataclasses import dataclass
from typing import Literal

from impetus.domain.keys import Role

LimitClass = Literal["inference", "read"]

#: Answered without a key, and says nothing but that the process lives.
OPEN_PATHS = frozenset({"/api/health/live"})

#: Searches: they are sent as POST and change nothing.
_SEARCHES = frozenset({"/v1/rag/search", "/v1/rerank", "/rerank", "/api/documents/search"})
_MANAGED = ("/api/models/", "/api/keys", "/v1/rag/index")


@dataclass(frozen=True, slots=True)
class Access:
    role: Role
    limit: LimitClass


def access(method: str, path: str) -> Access:
    if path in _SEARCHES:
        return Access("readonly", "read")
    if path.startswith("/v1/conversations"):
        return Access("user", "read")  # what was said in them is as private as what is asked
    if path.startswith("/api/keys"):
        return Access("admin", "read")
    if method in ("GET", "HEAD", "OPTIONS"):
        return Access("readonly", "read")
    if path.startswith("/api/documents/"):
        return Access("user", "inference" if method == "POST" else "read")
    if path.startswith(_MANAGED) or method != "POST":
        return Access("admin", "read")
    return Access("user", "inference")
