"""Whether the passages that a completion is given have what it needs, without asking a model.

A position counts when the rest of its line has identifiers that its file lacks and another file of the project has; its
score is the share of these that the first five passages have. The passages are those of the editor's lookup, whole.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from impetus.domain import snippets
from impetus.services.evaluation_holes import Hole, read
from impetus.services.session import Session

#: Passages that may have what is missing.
PASSAGES = 5

_IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")


@dataclass(frozen=True, slots=True)
class PositionScore:
    found: float  # share of the missing identifiers
    seconds: float


@dataclass(frozen=True, slots=True)
class ContextFigures:
    """Means over the positions that count, each the same; zeros when there are none."""

    count: int
    found: float
    seconds_p50: float

    def as_json(self) -> dict[str, Any]:
        return {"count": self.count, "found": round(self.found, 4), "seconds_p50": round(self.seconds_p50, 4)}


def identifiers(folder: Path, paths: Iterable[str]) -> dict[str, frozenset[str]]:
    """Those of each file of a folder."""
    return {path: frozenset(_IDENTIFIER.findall(read(folder / path))) for path in paths}


def missing(hole: Hole, known: dict[str, frozenset[str]]) -> frozenset[str]:
    """Identifiers of the cut-off text that the rest of its file lacks and another file has."""
    lacking = frozenset(_IDENTIFIER.findall(hole.expected)) - frozenset(_IDENTIFIER.findall(hole.text))
    return frozenset(name for name in lacking if any(name in of for path, of in known.items() if path != hole.path))


async def evaluate_context(
    session: Session,
    root: Path,
    holes: Sequence[Hole],
    known: dict[str, frozenset[str]],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> list[PositionScore]:
    """Look up passages for the positions in an open and indexed `root` that count."""
    scores = []
    for hole in holes:
        wanted = missing(hole, known)
        if not wanted:
            continue
        start = clock()
        asked = snippets.around(hole.text[: hole.offset], hole.text[hole.offset :], hole.path)
        hits = await session.engine.retriever.snippets(asked, session.view, PASSAGES)
        seconds = clock() - start
        given = frozenset(_IDENTIFIER.findall("\n".join(hit.text for hit in hits)))
        scores.append(PositionScore(len(wanted & given) / len(wanted), seconds))
    return scores


def summarize(scores: Sequence[PositionScore]) -> ContextFigures:
    if not scores:
        return ContextFigures(0, 0.0, 0.0)
    return ContextFigures(
        len(scores), fmean(score.found for score in scores), median(score.seconds for score in scores)
    )
