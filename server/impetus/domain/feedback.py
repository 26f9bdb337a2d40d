"""What became of suggestions, and what follows from it. Pure; counted on this machine only."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Protocol

from impetus.domain.completion import LEAST_CERTAIN

#: After so many rejections in a row a suggestion has to begin surer (log-probability of its first token).
DEMANDS: tuple[tuple[int, float], ...] = ((6, -0.3), (3, -0.7), (0, LEAST_CERTAIN))

#: A shorter stretch in common says nothing.
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one day, language and model. `characters` were accepted; `retained` of those `checked` still stood."""

    day: str  # ISO date
    language: str
    model: str
    offered: int = 0
    shown: int = 0
    accepted: int = 0
    partly: int = 0
    rejected: int = 0
    characters: int = 0
    checked: int = 0
    retained: int = 0


class TallyStore(Protocol):
    def add(self, tally: Tally) -> None:
        """Add these counts to those of the same day, language and model."""
        ...

    def all(self) -> list[Tally]:
        """Oldest day first."""
        ...


def least_certain(rejected_in_a_row: int) -> float:
    """How sure the model must begin after so many rejections; people who dismiss suggestions get fewer."""
    return next(least for count, least in DEMANDS if rejected_in_a_row >= count)


def retained(accepted: str, text: str) -> int:
    """Characters of an accepted suggestion that still stand in a text, in the same order."""
    blocks = SequenceMatcher(None, accepted, text, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= min(_SHORTEST, len(accepted)))
