"""API keys as values, and the port that stores them. A key itself is shown once and never kept, only its digest.

Keys are random, so one SHA-256 is the right digest: slow hashes protect passwords that people choose.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

#: Begins every key, so that secret scanners and people recognize one.
KEY_PREFIX = "imp_"

#: What a key allows, each more than the one before: to read and search; to generate and embed; to manage.
Role = Literal["readonly", "user", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is stored of a key. `created` and `expires` are seconds since the epoch; None: it does not expire."""

    id: str
    name: str
    role: Role
    created: float
    digest: bytes
    expires: float | None = None

    def allows(self, needed: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(needed)

    def valid(self, now: float) -> bool:
        return self.expires is None or now < self.expires


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """One line of the audit log. `number` grows with every event; `at` is seconds since the epoch."""

    number: int
    at: float
    action: Literal["created", "revoked"]
    key_id: str
    name: str
    role: Role


class KeyStore(Protocol):
    """Durable keys, shared by processes: what one adds or removes, the next call of another one sees.

    Each change and its line in the audit log are one transaction.
    """

    def add(self, key: ApiKey) -> None: ...

    def all(self) -> list[ApiKey]:
        """Oldest first."""
        ...

    def remove(self, key_id: str, at: float) -> bool:
        """Whether there was such a key."""
        ...

    def events(self) -> list[KeyEvent]:
        """The audit log, latest first."""
        ...


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
