"""Makes, lists, checks and revokes the keys of the HTTP port."""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from impetus.domain.keys import KEY_PREFIX, ROLES, ApiKey, KeyEvent, KeyStore, Role, digest
from impetus.errors import BadRequest, NotFound

#: 192 random bits.
SECRET_BYTES = 24

MAX_NAME = 100

DAY_S = 86_400.0
MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; the only moment its `secret` is known."""

    secret: str
    key: ApiKey


class Keys:
    def __init__(self, store: KeyStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def create(self, name: str, role: Role = "user", days: float | None = None) -> NewKey:
        """A key that expires after so many `days`; None: it does not. Raises BadRequest."""
        name = name.strip()
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise BadRequest(f"A key needs a printable name of 1 to {MAX_NAME} characters", parameter="name")
        if role not in ROLES:
            raise BadRequest(f"The role {role!r} does not exist; use one of {', '.join(ROLES)}", parameter="role")
        if days is not None and not 0 < days <= MAX_DAYS:
            raise BadRequest(f"A key expires after more than 0 and at most {MAX_DAYS:,} days", parameter="days")
        secret = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        now = self._clock()
        expires = None if days is None else now + days * DAY_S
        key = ApiKey(secrets.token_hex(4), name, role, now, digest(secret), expires)
        self._store.add(key)
        return NewKey(secret, key)

    def all(self) -> list[ApiKey]:
        """Oldest first."""
        return self._store.all()

    def revoke(self, key_id: str) -> None:
        if not self._store.remove(key_id, self._clock()):
            raise NotFound(f"There is no key with id {key_id!r}; `impetus keys list` shows the ids")

    def events(self) -> list[KeyEvent]:
        """What was done to keys, latest first."""
        return self._store.events()

    def verify(self, secret: str) -> ApiKey | None:
        """The key that `secret` is, unless it has expired.

        Compares with every key, in constant time each, so that timing tells nothing.
        """
        presented = digest(secret)
        found: ApiKey | None = None
        for key in self._store.all():
            if hmac.compare_digest(key.digest, presented):
                found = key
        return found if found is not None and found.valid(self._clock()) else None
