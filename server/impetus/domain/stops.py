"""Stop strings in streamed text: what may be shown already, and where the text ends. Pure."""

from collections.abc import Sequence


class StopFilter:
    """Holds back text for as long as it could be the beginning of a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """What of the text so far can be shown now; sets `stopped` when a stop string is complete."""
        if self.stopped:
            return ""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            shown, self._held = self._held[: min(found)], ""
            return shown
        cut = len(self._held) - begun(self._held, self._stops)
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """The text held back, when it turned out not to be a stop string."""
        shown, self._held = self._held, ""
        return shown


def begun(text: str, marks: Sequence[str]) -> int:
    """Length of the longest end of `text` that begins one of `marks`."""
    longest = max((len(mark) for mark in marks), default=1) - 1
    for size in range(min(longest, len(text)), 0, -1):
        tail = text[-size:]
        if any(mark.startswith(tail) for mark in marks):
            return size
    return 0
