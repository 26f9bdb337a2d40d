"""Makes, lists, checks and revokes the keys of the HTTP port. Who may do what with a key comes with roles."""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from impetus.domain.keys import KEY_PREFIX, ApiKey, KeyStore, digest
from impetus.errors import BadRequest, NotFound

#: 192 random bits.
SECRET_BYTES = 24

MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; the only moment its `secret` is known."""

    secret: str
    key: ApiKey


class Keys:
    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def create(self, name: str) -> NewKey:
        name = name.strip()
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise BadRequest(f"A key needs a printable name of 1 to {MAX_NAME} characters", parameter="name")
        secret = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        key = ApiKey(secrets.token_hex(4), name, "user", self._clock(), digest(secret))
        self._store.add(key)
        return NewKey(secret, key)

    def all(self) -> list[ApiKey]:
        """Oldest first."""
        return self._store.all()

    def revoke(self, key_id: str) -> None:
        if not self._store.remove(key_id):
            raise NotFound(f"There is no key with id {key_id!r}; `impetus keys list` shows the ids")

    def verify(self, secret: str) -> ApiKey | None:
        """The key that `secret` is. Compares with every key, in constant time each, so that timing tells nothing."""
        presented = digest(secret)
        found: ApiKey | None = None
        for key in self._store.all():
            if hmac.compare_digest(key.digest, presented):
                found = key
        return found
