"""How often completion writes exactly what stood there: holes asked one by one of a session, as an editor would.

Every hole is asked for explicitly, so that what is measured is the model, its context and the trimming, not when the
editor is left alone; and after the model has read what stands there, as when the cursor has rested a moment. Of an
answer of several lines the first one counts.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from impetus.domain.types import Completion, Cursor, Document
from impetus.errors import BadRequest
from impetus.services.evaluation_holes import Hole
from impetus.services.session import Session


@dataclass(frozen=True, slots=True)
class HoleScore:
    language: str
    exact: bool
    similarity: float  # 1 - edit distance / longer length
    seconds: float


@dataclass(frozen=True, slots=True)
class CompletionFigures:
    """Means over all holes, each counting the same."""

    count: int
    exact_match: float
    edit_similarity: float
    by_language: dict[str, float]  # exact match
    seconds_p50: float

    def as_json(self) -> dict[str, Any]:
        return {
            "exact_match": round(self.exact_match, 4),
            "edit_similarity": round(self.edit_similarity, 4),
            "count": self.count,
            "by_language": {name: round(value, 4) for name, value in self.by_language.items()},
            "seconds_p50": round(self.seconds_p50, 4),
        }


async def evaluate_holes(
    session: Session,
    root: Path,
    holes: Sequence[Hole],
    *,
    clock: Callable[[], float] = time.perf_counter,
    report: Callable[[Hole, str], None] = lambda hole, answer: None,
) -> list[HoleScore]:
    """Ask for every hole of the files in `root`; `report` hears of each answer, "" for none."""
    scores = []
    for hole in holes:
        document = Document(str(root / hole.path), hole.text, 1, hole.language, dirty=True)
        session.documents.set(document)
        await session.prepare_completion(Cursor(document, hole.offset))
        start = clock()
        answer = first_line(await session.complete(Cursor(document, hole.offset), explicit=True))
        seconds = clock() - start
        session.close_document(document.key)
        report(hole, answer)
        scores.append(score(hole, answer, seconds))
    return scores


def first_line(completion: Completion | None) -> str:
    return completion.text.lstrip("\n").split("\n", 1)[0] if completion is not None else ""


def score(hole: Hole, answer: str, seconds: float = 0.0) -> HoleScore:
    """Both sides without the white space around them."""
    expected, answer = hole.expected.strip(), answer.strip()
    return HoleScore(hole.language, answer == expected, edit_similarity(answer, expected), seconds)


def summarize(scores: Sequence[HoleScore]) -> CompletionFigures:
    if not scores:
        raise BadRequest("There is no line to complete; name a folder with source files", parameter="folder")
    by_language: dict[str, list[bool]] = defaultdict(list)
    for one in scores:
        by_language[one.language].append(one.exact)
    return CompletionFigures(
        count=len(scores),
        exact_match=fmean(one.exact for one in scores),
        edit_similarity=fmean(one.similarity for one in scores),
        by_language={name: fmean(by_language[name]) for name in sorted(by_language)},
        seconds_p50=median(one.seconds for one in scores),
    )


def edit_similarity(first: str, second: str) -> float:
    """1 - Levenshtein distance / longer length; 1 for two empty texts."""
    longer = max(len(first), len(second))
    return 1 - _distance(first, second) / longer if longer else 1.0


def _distance(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
