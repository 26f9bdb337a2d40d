"""From candidates to an order: fusion, then named rules, then diversity.

Every rule is a function of the query and a candidate that multiplies or adds to its score; `Rules` holds their
strengths, so that `impetus eval` can switch each one off and print what it is worth. No rule knows a repository.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePosixPath

from impetus.domain.ports import Placed
from impetus.domain.query import Kind, ParsedQuery, name_parts
from impetus.domain.tokens import WORD, parts


@dataclass(frozen=True, slots=True)
class Rules:
    """Strengths. 0 (or 1 for a factor) switches a rule off."""

    fusion_constant: float = 60.0  # k of reciprocal rank fusion: larger flattens
    dense_share: float = 0.5  # share of the dense list in the fusion of prose
    dense_share_symbol: float = 0.3  # … and of symbols and paths, where spelling decides
    definition: float = 3.0  # the passage defines a name that stands in the query
    stem: float = 1.0  # the file's name is made of words of the query
    folder: float = 0.3  # its folders are
    names: float = 0.5  # the names it defines are made of words of the query
    coherence: float = 0.2  # other passages of the file match too
    tests: float = 0.3  # factor for tests, unless asked for
    examples: float = 0.5  # factor for examples, benchmarks, vendored copies
    declarations: float = 0.7  # factor for declaration files (.d.ts, .pyi)
    barrels: float = 0.5  # factor for files that only re-export (__init__.py, index.ts)
    prose: float = 0.6  # factor for documentation and data when code is asked for
    repeat: float = 0.5  # factor for each further passage of a file
    floor: float = 0.02  # share of the best score below which nothing is shown

    def without(self, rule: str) -> "Rules":
        """The same rules with one switched off."""
        factors = {"tests", "examples", "declarations", "barrels", "prose", "repeat"}
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return Rules(**{**values, rule: 1.0 if rule in factors else 0.0})


DEFAULT_RULES = Rules()


@dataclass(slots=True)
class Candidate:
    """A placed chunk with what the searches say of it: BM25 and cosine, 0 where a list does not hold it."""

    placed: Placed
    lexical: float = 0.0
    dense: float = 0.0
    score: float = 0.0

    @property
    def file(self) -> tuple[object, str]:
        return self.placed.root, self.placed.path


_TEST_PATH = re.compile(
    r"(^|/)(tests?|testing|testdata|specs?|__tests__|__mocks__|fixtures?|mocks?|e2e)(/|$)"
    r"|(^|/)(test_[^/]*|conftest\.py|[^/]*(_test|_spec|\.test|\.spec|-test|Tests?|Spec|_tests)\.[a-z]+)$"
)
_EXAMPLE_PATH = re.compile(
    r"(^|/)(examples?|samples?|demos?|benchmarks?|bench|docs?|playgrounds?|compat|legacy|vendor|third_party|deprecated|_vendor)(/|$)"
)
_DECLARATION_PATH = re.compile(r"\.d\.[cm]?ts$|\.pyi$")
_BARREL_PATH = re.compile(r"(^|/)(__init__\.py|index\.[cm]?[jt]sx?|mod\.rs|lib\.rs|package-info\.java)$")
_PROSE = frozenset({"markdown", "text", "json", "yaml", "toml", "html", "css"})


def rank(
    query: ParsedQuery,
    candidates: Iterable[Candidate],
    rules: Rules = DEFAULT_RULES,
    *,
    per_file: int = 2,
    limit: int = 10,
) -> list[Candidate]:
    """The best `limit` candidates, best first, with scores in (0, 1]."""
    pool = list(candidates)
    if not pool:
        return []
    fuse(query, pool, rules)
    top = max(c.score for c in pool)
    words = _Words(query)
    coherence = _coherence(pool, rules)
    for candidate in pool:
        boost = (
            rules.definition * _defines(query, candidate)
            + rules.stem * words.stem(candidate.placed.path)
            + rules.folder * words.folders(candidate.placed.path)
            + rules.names * words.names(candidate.placed)
            + coherence[candidate.file]
        )
        candidate.score = (candidate.score + top * boost * _relevance(candidate, top)) * _factor(
            query, candidate, rules
        )
    return _diverse(pool, rules, per_file, limit)


def fuse(query: ParsedQuery, pool: Sequence[Candidate], rules: Rules) -> None:
    """Reciprocal rank fusion, weighted by the kind of the query."""
    spelled = query.kind in (Kind.SYMBOL, Kind.PATH, Kind.ERROR)
    dense = rules.dense_share_symbol if spelled else rules.dense_share
    k = rules.fusion_constant
    by_words = _ranks(candidate.lexical for candidate in pool)
    by_meaning = _ranks(candidate.dense for candidate in pool)
    for candidate in pool:
        candidate.score = 0.0
        if candidate.lexical > 0:
            candidate.score += (1 - dense) / (k + by_words[candidate.lexical])
        if candidate.dense > 0:
            candidate.score += dense / (k + by_meaning[candidate.dense])


def _ranks(scores: Iterable[float]) -> dict[float, int]:
    """Score → rank from 1. Equal scores share a rank: copies of a passage do not push each other down."""
    return {score: i for i, score in enumerate(sorted(set(scores), reverse=True), 1)}


def _relevance(candidate: Candidate, top: float) -> float:
    """Boosts are worth less on a passage that hardly matches: a file name alone should not win."""
    return 0.5 + 0.5 * min(1.0, candidate.score / top) if top > 0 else 1.0


def _defines(query: ParsedQuery, candidate: Candidate) -> float:
    """1 for a definition of a queried name, more where its scope is the queried qualifier."""
    if not query.identifiers:
        return 0.0
    symbols = {symbol.lower() for symbol in candidate.placed.chunk.symbols}
    matches = [name for name in query.identifiers if name.lower() in symbols]
    if not matches:
        return 0.0
    strength = 1.0 if query.kind is Kind.SYMBOL else 0.5
    if any(name in candidate.placed.chunk.symbols for name in matches):
        strength *= 1.25  # spelled exactly so
    scope = {s.lower() for s in candidate.placed.chunk.scope} | {PurePosixPath(candidate.placed.path).stem.lower()}
    if any(q.lower() in scope for q in query.qualifiers):
        strength *= 1.5
    return strength


class _Words:
    """Overlap of the query's words with the words of paths and names; remembers what it has judged."""

    def __init__(self, query: ParsedQuery) -> None:
        self._query = frozenset(part for term in query.terms for part in parts(term)) or name_parts(query.identifiers)
        self._paths = query.paths
        self._asked: dict[str, bool] = {}
        self._overlaps: dict[str, float] = {}
        self._judged: dict[str, tuple[float, float]] = {}

    def _overlap(self, text: str) -> float:
        """Share of the words of `text` that the query has, inflections included."""
        found = self._overlaps.get(text)
        if found is None:
            words = [part for word in WORD.findall(text) for part in parts(word) if len(part) > 1]
            found = self._overlaps[text] = sum(map(self._is_asked, words)) / len(words) if words else 0.0
        return found

    def _is_asked(self, word: str) -> bool:
        found = self._asked.get(word)
        if found is None:
            found = self._asked[word] = any(_same(word, asked) for asked in self._query)
        return found

    def _path(self, path: str) -> tuple[float, float]:
        found = self._judged.get(path)
        if found is None:
            lower = path.lower()
            folders = path.split("/")
            name = folders.pop()
            stem = self._overlap(folders[-1] if folders and _BARREL_PATH.search(path) else name.rsplit(".", 1)[0])
            if any(lower.endswith(p) or f"/{p}/" in f"/{lower}/" for p in self._paths):
                stem = 3.0
            found = self._judged[path] = (stem, max(map(self._overlap, folders[-3:]), default=0.0))
        return found

    def stem(self, path: str) -> float:
        return self._path(path)[0]

    def folders(self, path: str) -> float:
        return self._path(path)[1]

    def names(self, placed: Placed) -> float:
        """Best overlap of a defined name, or half of the enclosing scope's."""
        own = max(map(self._overlap, placed.chunk.symbols[:8]), default=0.0)
        return max(own, max(map(self._overlap, placed.chunk.scope), default=0.0) / 2)


def _same(word: str, asked: str) -> bool:
    """Equal, or inflections of one word: a common beginning of four letters that leaves little over."""
    if word == asked:
        return True
    short, long = sorted((word, asked), key=len)
    if len(short) < 4:
        return False
    common = len(short) if long.startswith(short) else len(short) - 2 if long.startswith(short[:-2]) else 0
    if long.startswith(short[:-1]):
        common = max(common, len(short) - 1)
    return common >= 4 and len(long) - common <= 4


def _coherence(pool: Sequence[Candidate], rules: Rules) -> Mapping[tuple[object, str], float]:
    """A file of which many passages match is more likely the place: its share of the best file's sum."""
    sums: dict[tuple[object, str], float] = defaultdict(float)
    for candidate in pool:
        sums[candidate.file] += candidate.score
    best = max(sums.values())
    return {file: rules.coherence * total / best if best else 0.0 for file, total in sums.items()}


def _factor(query: ParsedQuery, candidate: Candidate, rules: Rules) -> float:
    path, factor = candidate.placed.path, 1.0
    if any(path.lower().endswith(p) for p in query.paths):
        return factor
    if not query.wants_tests and _TEST_PATH.search(path):
        factor *= rules.tests
    if not query.wants_examples and _EXAMPLE_PATH.search(path):
        factor *= rules.examples
    if _DECLARATION_PATH.search(path):
        factor *= rules.declarations
    if _BARREL_PATH.search(path):
        factor *= rules.barrels
    if not query.wants_examples and candidate.placed.language in _PROSE:
        factor *= rules.prose
    return factor


def _diverse(pool: list[Candidate], rules: Rules, per_file: int, limit: int) -> list[Candidate]:
    """Each further passage of a file counts less, at most `per_file` are kept, and nothing far below the best."""
    pool.sort(key=lambda c: (-c.score, c.placed.path, c.placed.chunk.start))
    best = pool[0].score
    if best <= 0:
        return []
    seen: dict[tuple[object, str], int] = defaultdict(int)
    kept: list[Candidate] = []
    for candidate in pool:
        count = seen[candidate.file]
        if count >= per_file:
            continue
        seen[candidate.file] += 1
        candidate.score *= rules.repeat**count / best
        if candidate.score >= rules.floor:
            kept.append(candidate)
    kept.sort(key=lambda c: -c.score)
    return kept[:limit]
