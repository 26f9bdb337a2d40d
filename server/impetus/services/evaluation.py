"""How well a search finds labeled files: scoring and the loop around it, for any engine that answers with passages.

NDCG@10 comes in two protocols that are never mixed: over chunks (a target's rank is the first of ten chunks that lies
in it) and over files (a target's rank is its place among the first ten distinct files).
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from impetus.errors import BadRequest, NotFound
from impetus.services.evaluation_labels import LabeledQuery, LabeledRepository, Target

CUTOFF = 10
#: Ten chunks seldom hold ten files, so more passages are asked for; the chunk protocol looks at the first ten alone.
#: Engines may answer otherwise, and slower, when asked for more: compare two only at the same depth.
DEPTH = 50


class Passage(Protocol):
    """What an engine found: `path` relative to the searched root, lines 1-based and inclusive; `Hit` is one."""

    @property
    def path(self) -> str: ...
    @property
    def start_line(self) -> int: ...
    @property
    def end_line(self) -> int: ...


class Engine(Protocol):
    """The search under test."""

    async def index(self, root: Path) -> None:
        """Make all of `root` searchable; the time until this returns is the index time."""
        ...

    async def search(self, query: str, root: Path, limit: int) -> Sequence[Passage]:
        """Best first, at most `limit`."""
        ...


@dataclass(frozen=True, slots=True)
class QueryScore:
    ndcg: float  # over chunks
    ndcg_file: float
    recall: float
    category: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RepositoryScore:
    name: str
    language: str
    index_seconds: float
    queries: tuple[QueryScore, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures over all queries, each query counting the same. `index_seconds` is the sum over `repositories`."""

    queries: int
    ndcg10: float
    ndcg10_file: float
    recall10: float
    by_category: dict[str, float]  # NDCG@10 over chunks
    by_language: dict[str, float]  # NDCG@10 over chunks
    index_seconds: float
    query_ms_p50: float
    query_ms_p95: float
    repositories: tuple[RepositoryScore, ...]

    def as_json(self) -> dict[str, Any]:
        """The published form; `repositories` stays out of it."""
        return {
            "queries": self.queries,
            "ndcg10": round(self.ndcg10, 4),
            "ndcg10_file": round(self.ndcg10_file, 4),
            "recall10": round(self.recall10, 4),
            "by_category": {name: round(value, 4) for name, value in self.by_category.items()},
            "by_language": {name: round(value, 4) for name, value in self.by_language.items()},
            "index_seconds": round(self.index_seconds, 3),
            "query_ms_p50": round(self.query_ms_p50, 3),
            "query_ms_p95": round(self.query_ms_p95, 3),
        }


async def evaluate(
    engine: Engine,
    repositories: Sequence[LabeledRepository],
    checkout: Callable[[LabeledRepository], Path],
    *,
    whole_repository: bool = False,
    depth: int = DEPTH,
    clock: Callable[[], float] = time.perf_counter,
    report: Callable[[RepositoryScore], None] = lambda score: None,
) -> Evaluation:
    """Index and query every repository in turn; `checkout` says where its tree is, `report` hears of each result."""
    scores = []
    for repository in repositories:
        folder = "" if whole_repository else repository.folder
        tree = checkout(repository)
        score = await evaluate_repository(engine, repository, tree, folder=folder, depth=depth, clock=clock)
        report(score)
        scores.append(score)
    return summarize(scores)


def checkouts_in(directory: Path) -> Callable[[LabeledRepository], Path]:
    """Trees lie in `directory` under the names of their repositories."""
    return lambda repository: directory / repository.name


async def evaluate_repository(
    engine: Engine,
    repository: LabeledRepository,
    tree: Path,
    *,
    folder: str = "",
    depth: int = DEPTH,
    clock: Callable[[], float] = time.perf_counter,
) -> RepositoryScore:
    """Index `tree/folder` and ask it every query of `repository`."""
    root = tree / folder
    if not root.is_dir():
        raise NotFound(f"{root} is not a folder; put a checkout of {repository.name} at its commit there")
    start = clock()
    await engine.index(root)
    index_seconds = clock() - start
    scores = []
    for query in repository.queries:
        start = clock()
        passages = await engine.search(query.text, root, depth)
        seconds = clock() - start
        scores.append(score_query(query, passages, folder=folder, seconds=seconds))
    return RepositoryScore(repository.name, repository.language, index_seconds, tuple(scores))


def score_query(
    query: LabeledQuery, passages: Sequence[Passage], *, folder: str = "", seconds: float = 0.0
) -> QueryScore:
    """Score ranked `passages`, whose paths are relative to `folder` of the tree that the labels speak of."""
    prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
    files = list(dict.fromkeys(passage.path for passage in passages))[:CUTOFF]
    chunk_ranks = [
        _first(lies_in(passage, prefix, target) for passage in passages[:CUTOFF]) for target in query.targets
    ]
    file_ranks = [_first(same_file(prefix + file, target.path) for file in files) for target in query.targets]
    return QueryScore(
        ndcg=ndcg(chunk_ranks),
        ndcg_file=ndcg(file_ranks),
        recall=sum(rank is not None for rank in file_ranks) / len(file_ranks) if file_ranks else 0.0,
        category=query.category,
        seconds=seconds,
    )


def same_file(path: str, target: str) -> bool:
    """Whether `path` is the target or ends with all of it: labels may leave out leading folders."""
    return path == target or path.endswith("/" + target)


def lies_in(passage: Passage, prefix: str, target: Target) -> bool:
    """Whether `passage` is of the target's file and, where the label has lines, shares one with it."""
    if not same_file(prefix + passage.path, target.path):
        return False
    if target.start_line is None or target.end_line is None:
        return True
    return passage.start_line <= target.end_line and passage.end_line >= target.start_line


def ndcg(ranks: Sequence[int | None], cutoff: int = CUTOFF) -> float:
    """Normalized discounted cumulative gain of one rank (1-based, None when not found) per target."""
    if not ranks:
        return 0.0
    gain = sum(1 / math.log2(rank + 1) for rank in ranks if rank is not None and rank <= cutoff)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(cutoff, len(ranks))))
    return gain / ideal


def summarize(repositories: Sequence[RepositoryScore]) -> Evaluation:
    """Averages over the queries of all `repositories`."""
    scores = [score for repository in repositories for score in repository.queries]
    if not scores:
        raise BadRequest("There is no query to evaluate; the labels are empty", parameter="labels")
    milliseconds = sorted(score.seconds * 1000 for score in scores)
    return Evaluation(
        queries=len(scores),
        ndcg10=fmean(score.ndcg for score in scores),
        ndcg10_file=fmean(score.ndcg_file for score in scores),
        recall10=fmean(score.recall for score in scores),
        by_category=_means((score.category, score.ndcg) for score in scores),
        by_language=_means((one.language, score.ndcg) for one in repositories if one.language for score in one.queries),
        index_seconds=sum(repository.index_seconds for repository in repositories),
        query_ms_p50=percentile(milliseconds, 50),
        query_ms_p95=percentile(milliseconds, 95),
        repositories=tuple(repositories),
    )


def percentile(ascending: Sequence[float], percent: float) -> float:
    """Linear between the two nearest ranks."""
    position = (len(ascending) - 1) * percent / 100
    low, high = math.floor(position), math.ceil(position)
    return ascending[low] + (ascending[high] - ascending[low]) * (position - low)


def _means(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    groups: dict[str, list[float]] = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return {name: fmean(groups[name]) for name in sorted(groups)}


def _first(matches: Iterable[bool]) -> int | None:
    return next((rank for rank, match in enumerate(matches, 1) if match), None)
