"""How often a key may ask: a token bucket for each key and class of request, in this process or in Redis."""

import logging
import math
from dataclasses import dataclass

from throttled.asyncio import BaseStore, MemoryStore, RateLimiterType, RedisStore, Throttled, rate_limiter
from throttled.exceptions import BaseThrottledError, SetUpError

from impetus.config import HttpSettings
from impetus.errors import BadRequest
from impetus.web.access import LimitClass

log = logging.getLogger(__name__)

#: Buckets kept in memory, the latest used ones: more keys than anybody has.
_BUCKETS = 4096


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after a request. `reset_s`: until the bucket is full; `retry_s`: until a refused one may come."""

    limit: int
    remaining: int
    reset_s: float
    retry_s: float
    refused: bool

    def headers(self) -> dict[str, str]:
        told = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(math.ceil(self.reset_s)),
        }
        return told | ({"retry-after": str(max(1, math.ceil(self.retry_s)))} if self.refused else {})


class Limits:
    def __init__(self, settings: HttpSettings) -> None:
        store = _store(settings.limits_url)
        rates = {"inference": settings.inference_per_minute, "read": settings.reads_per_minute}
        self._throttles = {
            name: Throttled(
                using=RateLimiterType.TOKEN_BUCKET.value, quota=rate_limiter.per_min(rate, burst=rate), store=store
            )
            for name, rate in rates.items()
            if rate
        }

    async def take(self, key_id: str, kind: LimitClass) -> Allowance | None:
        """Count one request; None where there is no limit, or none that can be counted."""
        throttle = self._throttles.get(kind)
        if throttle is None:
            return None
        try:
            result = await throttle.limit(f"impetus:{kind}:{key_id}")
        except (BaseThrottledError, OSError) as error:
            # Keys still protect the port; one that is shut because Redis is away would be worse.
            log.warning("Requests cannot be counted, so none is refused; see http.limits_url: %s", error)
            return None
        state = result.state
        return Allowance(
            state.limit, max(0, int(state.remaining)), state.reset_after, state.retry_after, result.limited
        )


def _store(url: str) -> BaseStore:
    if not url:
        return MemoryStore(options={"MAX_SIZE": _BUCKETS})
    try:
        return RedisStore(server=url)
    except (SetUpError, ImportError) as error:
        raise BadRequest(
            f"http.limits_url cannot be used: {error}; install redis beside Impetus, or leave the setting empty",
            parameter="http.limits_url",
        ) from error
