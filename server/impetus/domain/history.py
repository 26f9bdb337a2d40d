"""Search queries that nobody wrote for a benchmark: what commits say, labeled with the files that they changed.

Pure rule over commits that were read elsewhere. The set of source suffixes is fixed here on purpose: adding a grammar
must not change the questions that two versions of the engine are compared on.
"""

import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import PurePosixPath

MAX_FILES = 5
MIN_WORDS = 4

_SOURCE = re.compile(
    r"\.("
    r"bash|bats|c|cc|cjs|clj|cpp|cs|cts|cxx|dart|ex|exs|go|groovy|h|hh|hpp|hs|hxx|java|jl|js|jsx|kt|"
    r"kts|lua|m|mjs|ml|mm|mts|php|pl|pm|py|pyi|pyx|r|rb|rs|scala|sh|sql|svelte|swift|ts|tsx|vue|zig"
    r")$",
    re.IGNORECASE,
)
_TEST_FOLDER = re.compile(
    r"(^|/)("
    r"__fixtures__|__mocks__|__tests__|bench|benches|benchmark|benchmarks|doc|docs|e2e|example|"
    r"examples|fixtures|mocks|snapshots|spec|specs|test|testdata|testing|tests"
    r")/",
    re.IGNORECASE,
)
_TEST_NAME = re.compile(r"^(test_|conftest\.)|([._-](test|tests|spec|bench)|Tests?|Spec)\.[A-Za-z]+$")
_MERGE = re.compile(r"^Merge (branch|commit|remote-tracking|tag|pull request #\d+ from)\b")
_MERGE_NUMBER = re.compile(r"^Merge pull request #\d+:?\s+")
_DULL = re.compile(
    r"(build|chore|ci|deps?|docs?|format|lint|release|style|tests?|version)\s*(\([^)]*\))?!?:"
    r"|(bump|changelog|merge|prepare|release v?\d|revert|typo|v?\d+\.\d+)\b"
    r"|update (changelog|dependenc|lock|readme)",
    re.IGNORECASE,
)
# Only the customary types: "fixtures: deprecate …" says where, which belongs to the question.
_CONVENTIONAL = re.compile(
    r"^(feat|fix|perf|refactor|bugfix|hotfix|feature|improvement)(\([^)]*\))?!?:\s+", re.IGNORECASE
)
_PULL_REQUEST = re.compile(r"\s*\(#\d+\)\s*$")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the first-parent history. `modified` are the files changed in place."""

    sha: str
    parent: str  # "" for the first commit of a repository
    subject: str
    body: str
    modified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A commit's subject, cleaned, and the files that answer it. `names_file`: the subject gives a file's name away."""

    text: str
    paths: tuple[str, ...]
    sha: str
    names_file: bool


@dataclass(frozen=True, slots=True)
class HistoryQueries:
    """Queries to be asked of one tree: `snapshot`, the parent of the oldest commit used."""

    snapshot: str
    queries: tuple[HistoryQuery, ...]


def history_queries(
    commits: Sequence[Commit], paths_at: Callable[[str], Set[str]], *, limit: int = 150
) -> HistoryQueries | None:
    """Turn up to `limit` of `commits` (newest first) into queries whose files all exist at the snapshot.

    `paths_at(sha)` lists the paths of a commit's tree. None when the history holds no usable commit.
    """
    candidates = [(commit, query) for commit in commits if commit.parent and (query := usable_query(commit))][:limit]
    if not candidates:
        return None
    snapshot = candidates[-1][0].parent
    present = paths_at(snapshot)
    return HistoryQueries(snapshot, tuple(query for _, query in candidates if present >= set(query.paths)))


def usable_query(commit: Commit) -> HistoryQuery | None:
    """The query that `commit` makes, or None for one that says too little or changes too much."""
    text = _subject(commit)
    paths = tuple(path for path in commit.modified if is_source(path) and not is_test(path))
    if text is None or not 1 <= len(paths) <= MAX_FILES:
        return None
    return HistoryQuery(text, paths, commit.sha, names_file(text, paths))


def is_source(path: str) -> bool:
    return _SOURCE.search(path) is not None


def is_test(path: str) -> bool:
    """Whether the path is that of a test, an example or their data, by the usual names."""
    return bool(_TEST_NAME.search(PurePosixPath(path).name) or _TEST_FOLDER.search(path))


def names_file(text: str, paths: Iterable[str]) -> bool:
    """Whether a word of `text` is the stem of one of `paths`: finding such a file takes no understanding.

    Stems of one or two letters (`ty.rs`) are chance.
    """
    words = {word.lower() for word in re.findall(r"\w{3,}", text)}
    return any(PurePosixPath(path).stem.lower() in words for path in paths)


def _subject(commit: Commit) -> str | None:
    text = commit.subject.strip()
    if _MERGE.match(text):
        # A merge says "Merge pull request #1 from …"; what it is about is the first line of its body.
        text = next((line.strip() for line in commit.body.splitlines() if line.strip()), "")
    text = _PULL_REQUEST.sub("", _MERGE_NUMBER.sub("", text))
    if _DULL.match(text):
        return None
    text = _CONVENTIONAL.sub("", text).strip()
    return text if len(text.split()) >= MIN_WORDS else None
