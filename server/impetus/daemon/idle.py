"""When an engine that nobody uses may leave."""

from typing import Final

#: Looks during the time after which it leaves.
_LOOKS: Final = 10
_LONGEST_LOOK_S: Final = 30.0


class Idle:
    """Counts from the last use. Told the time of a clock that nobody sets."""

    def __init__(self, minutes: float, now: float) -> None:
        self._seconds = minutes * 60
        self._used = now

    @property
    def interval_s(self) -> float:
        """How often to look."""
        return min(_LONGEST_LOOK_S, self._seconds / _LOOKS)

    def over(self, now: float, *, used: bool) -> bool:
        """Whether it is time to leave."""
        if used:
            self._used = now
        return now - self._used >= self._seconds
