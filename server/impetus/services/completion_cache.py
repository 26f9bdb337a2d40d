"""Results of recent completions, found again while the person types what was suggested. Memory only."""

from collections import OrderedDict
from dataclasses import dataclass

#: Characters around the cursor that a kept result must agree with.
KEY_BEFORE = 200
KEY_AFTER = 100
MAX_KEPT = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """A result and the text around it. An empty result is kept too: asking again would give the same."""

    before: str
    after: str
    text: str


class CompletionCache:
    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, str, str], Kept] = OrderedDict()

    def find(self, key: str, text: str, offset: int) -> Kept | None:
        """The rest of a result whose beginning was typed; the latest result wins."""
        before, after = text[:offset], _after(text, offset)
        for (document, _, entry_after), entry in reversed(self._entries.items()):
            if document != key or entry_after != after:
                continue
            typed = _typed(entry, before)
            if typed is not None:
                return Kept(before, after, entry.text[typed:])
        return None

    def add(self, key: str, text: str, offset: int, result: str) -> None:
        before, after = text[max(0, offset - KEY_BEFORE) : offset], _after(text, offset)
        self._entries[(key, before, after)] = Kept(before, after, result)
        self._entries.move_to_end((key, before, after))
        while len(self._entries) > MAX_KEPT:
            self._entries.popitem(last=False)

    def forget(self, key: str) -> None:
        for entry in [entry for entry in self._entries if entry[0] == key]:
            del self._entries[entry]


def _typed(entry: Kept, before: str) -> int | None:
    """How much of the result was typed already, less than all of it; None when the text is another."""
    # A short beginning is the document's own: it fits only there.
    whole = len(entry.before) < KEY_BEFORE
    for size in range(max(1, len(entry.text))):
        expected = entry.before + entry.text[:size]
        if before == expected or (not whole and before.endswith(expected)):
            return size
    return None


def _after(text: str, offset: int) -> str:
    return text[offset : offset + KEY_AFTER]
