"""API keys as values, and the port that stores them. A key itself is shown once and never kept, only its digest.

Keys are random, so one SHA-256 is the right digest: slow hashes protect passwords that people choose.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol

#: Begins every key, so that secret scanners and people recognize one.
KEY_PREFIX = "imp_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is stored of a key. `created` is seconds since the epoch; `role` is "user" for now."""

    id: str
    name: str
    role: str
    created: float
    digest: bytes


class KeyStore(Protocol):
    """Durable keys, shared by processes: what one adds or removes, the next call of another one sees."""

    def add(self, key: ApiKey) -> None: ...

    def all(self) -> list[ApiKey]:
        """Oldest first."""
        ...

    def remove(self, key_id: str) -> bool:
        """Whether there was such a key."""
        ...


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
