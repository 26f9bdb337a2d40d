"""How long to wait before a completion is computed that the next key may make useless. Pure; times in seconds."""

#: Weight of the newest observation in the running means.
_NEW = 0.3
#: A longer break is no typing.
_BREAK = 2.0
#: Nobody waits longer than this before the work even begins.
LONGEST = 0.03


class Rhythm:
    """Of one document: the usual time between requests and the usual time that one takes."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._between: float | None = None
        self._takes: float | None = None

    def asked(self, now: float) -> None:
        if self._last is not None and 0 < now - self._last < _BREAK:
            self._between = _mean(self._between, now - self._last)
        self._last = now

    def took(self, seconds: float) -> None:
        self._takes = _mean(self._takes, seconds)

    def wait(self) -> float:
        """Nothing while answers come faster than keys; else until the next key would have come."""
        if self._between is None or self._takes is None or self._takes <= self._between:
            return 0.0
        return min(self._between, LONGEST)

    @property
    def takes(self) -> float | None:
        """The usual time of a completion; None before the first."""
        return self._takes


def _mean(before: float | None, new: float) -> float:
    return new if before is None else before + _NEW * (new - before)
