"""Evaluate a search on a repository's own past: commit subjects as queries, the files they changed as answers.

The index sees one tree, the parent of the oldest commit used, so that no answer leaks from the future. The working
tree is not touched: the caller gives an empty folder for the old one.
"""

import asyncio
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Protocol

from impetus.domain.history import Commit, HistoryQueries, history_queries
from impetus.errors import BadRequest
from impetus.services.evaluation import Engine, Evaluation, evaluate
from impetus.services.evaluation_labels import labeled_history


class History(Protocol):
    """A repository's past; methods may block."""

    def commits(self, limit: int) -> Sequence[Commit]:
        """The newest commits of the first-parent line, newest first."""
        ...

    def paths(self, commit: str) -> Set[str]: ...

    def export(self, commit: str, destination: Path) -> int:
        """Write the tree of `commit` into `destination`; return the number of files."""
        ...


async def evaluate_history(
    engine: Engine,
    history: History,
    name: str,
    tree: Path,
    *,
    commits: int = 1500,
    queries: int = 150,
    clock: Callable[[], float] = time.perf_counter,
) -> Evaluation:
    """Make up to `queries` queries from the newest `commits`, write their snapshot into `tree`, index and score it."""
    made = await asyncio.to_thread(make_queries, history, name, commits=commits, queries=queries)
    await asyncio.to_thread(history.export, made.snapshot, tree)
    return await evaluate(engine, [labeled_history(name, made)], lambda repository: tree, clock=clock)


def make_queries(history: History, name: str, *, commits: int = 1500, queries: int = 150) -> HistoryQueries:
    """The queries and the snapshot to index; raises BadRequest when the history makes none."""
    made = history_queries(history.commits(commits), history.paths, limit=queries)
    if made is None or not made.queries:
        raise BadRequest(
            f"The history of {name} makes no query: it needs commits that say in four words or more what they change in"
            " one to five source files that were there before. A shallow clone has too few of them",
            parameter="directory",
        )
    return made
