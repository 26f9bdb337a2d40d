"""Label files of retrieval evaluations → labeled repositories.

Two formats: `repos.jsonl` with `annotations/NAME.json` (queries written for a pinned commit), and one JSON Lines file
per repository with commit subjects as queries. Source trees are not here; see `evaluation.py`.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impetus.domain.history import HistoryQueries
from impetus.errors import BadRequest, NotFound

NAMES_FILE, DESCRIBES = "names_file", "describes"


@dataclass(frozen=True, slots=True)
class Target:
    """A file that answers a query; with lines (1-based, inclusive) where only a part of it does."""

    path: str
    start_line: int | None = None
    end_line: int | None = None


@dataclass(frozen=True, slots=True)
class LabeledQuery:
    text: str
    targets: tuple[Target, ...]
    category: str


@dataclass(frozen=True, slots=True)
class LabeledRepository:
    """Queries of one source tree. `folder` is the part that the labels were made for, "" for the whole tree."""

    name: str
    language: str
    folder: str
    queries: tuple[LabeledQuery, ...]


def read_labels(directory: Path) -> tuple[LabeledRepository, ...]:
    """Read a folder of labels in either format."""
    listing = directory / "repos.jsonl"
    if listing.is_file():
        return tuple(_annotated(directory, row) for row in _rows(listing))
    files = sorted(directory.glob("*.jsonl"))
    if not files:
        raise NotFound(
            f"{directory} holds no labels; it needs repos.jsonl and annotations/, or *.jsonl of commit queries"
        )
    return tuple(_from_commits(file) for file in files)


def labeled_history(name: str, history: HistoryQueries) -> LabeledRepository:
    """Queries made from a repository's own commits, ready to be asked of the tree at their snapshot."""
    return LabeledRepository(
        name=name,
        language="",
        folder="",
        queries=tuple(
            LabeledQuery(query.text, tuple(map(Target, query.paths)), _category(query.names_file))
            for query in history.queries
        ),
    )


def _annotated(directory: Path, row: dict[str, Any]) -> LabeledRepository:
    file = directory / "annotations" / f"{row.get('name')}.json"
    try:
        name, language, folder = row["name"], row["language"], row.get("benchmark_root") or ""
        queries = tuple(
            LabeledQuery(
                item["query"],
                tuple(_target(target) for target in (*item["relevant"], *item.get("secondary", ()))),
                item["category"],
            )
            for item in json.loads(file.read_text("utf-8"))
        )
    except FileNotFoundError as error:
        raise NotFound(f"{file} is missing although repos.jsonl names its repository") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"{file} is not in the label format: {error!r}", parameter="labels") from error
    return LabeledRepository(name, language, folder, queries)


def _from_commits(file: Path) -> LabeledRepository:
    try:
        queries = tuple(
            LabeledQuery(row["query"], tuple(map(Target, row["labels"])), _category(row.get("leak", False)))
            for row in _rows(file)
        )
    except (KeyError, TypeError) as error:
        raise BadRequest(f"{file} is not in the format of commit queries: {error!r}", parameter="labels") from error
    return LabeledRepository(file.stem, "", "", queries)


def _target(value: Any) -> Target:
    return Target(value) if isinstance(value, str) else Target(value["path"], value["start_line"], value["end_line"])


def _category(names_file: bool) -> str:
    return NAMES_FILE if names_file else DESCRIBES


def _rows(file: Path) -> Iterable[dict[str, Any]]:
    try:
        return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise BadRequest(f"{file} is not JSON Lines: {error}", parameter="labels") from error
