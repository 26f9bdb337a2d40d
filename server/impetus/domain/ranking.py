"""From candidates to an order: two searches fused, boosts by named rules, penalties by the kind of file, diversity.

`Rules` holds the strength of every rule, so that `impetus eval --ablations` can switch each one off and print what it
is worth (figures in docs/performance.md). No rule knows a repository or a language's keywords.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from heapq import heapify, heappop, heappush
from pathlib import PurePosixPath

from impetus.domain.kinds_of_path import kind_of
from impetus.domain.overlap import Overlap
from impetus.domain.ports import Placed, PlacedFile
from impetus.domain.query import Kind, ParsedQuery


@dataclass(frozen=True, slots=True)
class Rules:
    """Strengths. Boosts are shares of the best fused score and 0 when off; factors multiply and are 1 when off."""

    fusion_constant: float = 30.0  # k of reciprocal rank fusion: larger flattens
    dense_share: float = 0.4  # weight of meaning against words in the fusion of prose
    dense_share_symbol: float = 0.3  # … and of symbols, paths and errors, where spelling decides
    neural_share: float = 0.75  # of meaning in prose, once all candidates have a neural vector; the rest is static
    neural_lift: float = 0.15  # what meaning then weighs more
    lead: float = 0.5  # share of the fusion that looks at scores instead of ranks: a clear lead counts
    # boosts
    definition: float = 1.0  # the passage defines a name that stands in the query
    stem: float = 0.55  # the file's name is made of words of the query
    folder: float = 0.3  # a folder of it is
    path: float = 0.6  # the query's words stand in name and folders, rare words counting more
    names: float = 0.25  # the names that it defines are made of words of the query
    coherence: float = 0.6  # other passages of the file match too
    popularity: float = 0.3  # many files use what its file defines
    named: float = 2.0  # the query spells the file's path
    frame: float = 1.0  # a stack trace in the query points into the passage
    nearness: float = 0.1  # its file is open in the editor or was edited lately; half for a neighbor of such a file
    doubt: float = 0.25  # share of the boosts that a passage has to earn by its fused score
    # factors
    tests: float = 0.3  # tests, unless asked for
    examples: float = 0.3  # examples, benchmarks, vendored and legacy code, unless asked for
    generated: float = 0.5  # build output, snapshots
    declarations: float = 0.7  # types without code (.d.ts, .pyi)
    prose: float = 0.4  # documentation and data, unless asked for
    repeat: float = 0.5  # each further passage of a file
    floor: float = 0.02  # share of the best score below which nothing is shown

    def without(self, rule: str) -> "Rules":
        """The same rules with one switched off."""
        return replace(self, **{rule: 1.0 if rule in FACTORS else 0.0})

    def words_alone(self) -> "Rules":
        """The same rules over the lexical search only."""
        return replace(self, dense_share=0.0, dense_share_symbol=0.0, neural_lift=0.0)

    def meaning_alone(self) -> "Rules":
        """The same rules over the vectors only."""
        return replace(self, dense_share=1.0, dense_share_symbol=1.0)


FACTORS = frozenset({"tests", "examples", "generated", "declarations", "prose", "repeat"})
_FUSION = frozenset({"fusion_constant", "dense_share", "dense_share_symbol", "neural_lift", "floor"})
#: Rules that can be switched off one by one; the rest are settings of the fusion.
SWITCHES = tuple(rule.name for rule in fields(Rules) if rule.name not in _FUSION)
DEFAULT_RULES = Rules()
#: Fusion by rank alone, as a base line.
BARE_RULES = Rules(**{rule: 1.0 if rule in FACTORS else 0.0 for rule in SWITCHES})

#: Of a passage that defines many names (constants, fields) so many are looked at.
_NAMES = 8
#: Steps of a passage in the queue of `_best`: scored with all that its names may add, with what they do, in its file.
_HOPED, _NAMED, _SETTLED = range(3)
#: A query of which no word is known is answered by meaning alone only from this cosine on; nonsense stays below.
_LIKE = 0.35
#: Languages of documentation and data.
PROSE = frozenset({"markdown", "text", "json", "yaml", "toml", "html", "css"})


@dataclass(slots=True)
class Candidate:
    """A placed chunk with what the searches say of it: BM25 and cosines, 0 where a list does not hold it.

    `neural` is None where the chunk has no neural vector (yet): then the static one speaks for it.
    """

    placed: Placed
    lexical: float = 0.0
    dense: float = 0.0
    nearness: float = 0.0  # 1: open in the editor or edited lately, 0.5: in the folder of such a file
    neural: float | None = None
    score: float = 0.0
    weight: float = 0.0  # what a boost of 1 adds to the score


def rank(
    query: ParsedQuery,
    candidates: Iterable[Candidate],
    rules: Rules = DEFAULT_RULES,
    *,
    rarity: Mapping[str, float] | None = None,
    per_file: int = 2,
    limit: int = 10,
) -> list[Candidate]:
    """The best `limit` candidates, best first, with scores in (0, 1]. `rarity` weighs the words of the query."""
    pool = list(candidates)
    overlap = Overlap(query, rarity or {})
    if not _answerable(query, pool, overlap):
        return []
    fuse(query, pool, rules)
    _boost(query, pool, rules, overlap)
    return _best(pool, rules, overlap, per_file, limit)


def _answerable(query: ParsedQuery, pool: Sequence[Candidate], overlap: Overlap) -> bool:
    """Whether anything in the pool is about the query at all: every chunk resembles any query a little."""
    if any(candidate.lexical > 0 or candidate.dense >= _LIKE for candidate in pool):
        return True
    return bool(query.paths) and any(overlap.path(candidate.placed.path).named for candidate in pool)


# -- fusion ------------------------------------------------------------------------------------------------------------


def fuse(query: ParsedQuery, pool: Sequence[Candidate], rules: Rules) -> None:
    """Sum of what both lists say, by rank (robust) and by score (which tells a clear lead), in 0 to 1."""
    spelled = query.kind in (Kind.SYMBOL, Kind.PATH, Kind.ERROR)
    dense_share = rules.dense_share_symbol if spelled else rules.dense_share
    by_words = _said([candidate.lexical for candidate in pool], rules, floor=0.0)
    cosines = [candidate.dense for candidate in pool]
    # The last cosine of the list is what anything at all has in common with the query.
    by_meaning = _said(cosines, rules, floor=_last(cosines))
    filled = [place for place, candidate in enumerate(pool) if candidate.neural is not None]
    # While few chunks have a neural vector, the best of them need not be good: they count as far as they are many.
    coverage = 0.0 if spelled else len(filled) / len(pool)
    if coverage and rules.neural_share:
        known = [candidate.neural for candidate in pool if candidate.neural is not None]
        by_neural = _said(known, rules, floor=_last(known))
        for place, said in zip(filled, by_neural, strict=True):
            by_meaning[place] += rules.neural_share * coverage * (said - by_meaning[place])
        dense_share = min(1.0, dense_share + rules.neural_lift * coverage)
    for candidate, words, meaning in zip(pool, by_words, by_meaning, strict=True):
        candidate.score = (1 - dense_share) * words + dense_share * meaning


def _last(cosines: Sequence[float]) -> float:
    return min([cosine for cosine in cosines if cosine > 0], default=0.0)


def _said(scores: Sequence[float], rules: Rules, *, floor: float) -> list[float]:
    """0 to 1 for each score. Equal scores share a rank: copies of a passage do not push each other down."""
    distinct = sorted({score for score in scores if score > 0}, reverse=True)
    span = distinct[0] - floor if distinct else 0.0
    k, lead = rules.fusion_constant, rules.lead
    first = (1 - lead) * (k + 1)
    if span > 0:
        said = {score: first / (k + 1 + at) + lead * ((score - floor) / span) for at, score in enumerate(distinct)}
    else:  # none, or one that is its own floor
        said = dict.fromkeys(distinct, 1.0)
    return [said.get(score, 0.0) for score in scores]


# -- boosts ------------------------------------------------------------------------------------------------------------


def _boost(query: ParsedQuery, pool: Sequence[Candidate], rules: Rules, overlap: Overlap) -> None:
    """Everything but names, added to the fused scores; `weight` is left for them."""
    files: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in pool:
        files[candidate.placed.file.key].append(candidate)
    top = max([candidate.score for candidate in pool]) or 1.0
    sums = [sum([passage.score for passage in passages]) for passages in files.values()]
    best = max(sums) or 1.0
    most_used = math.log1p(max([passages[0].placed.file.users for passages in files.values()])) or 1.0
    own = _own(query, rules)
    granted, doubt = top * (1 - rules.doubt), rules.doubt
    for passages, total in zip(files.values(), sums, strict=True):
        file = passages[0].placed.file
        path = overlap.path(file.path)
        shared = (
            rules.stem * path.stem
            + rules.folder * path.folder
            + rules.path * path.asked
            + rules.named * path.named
            # A file of which many passages match is more likely the place.
            + rules.coherence * total / best
            + rules.popularity * math.log1p(file.users) / most_used
            + rules.nearness * passages[0].nearness
        )
        # Who names a file means it, whatever it is.
        factor = 1.0 if path.named else _factor(query, file, rules)
        for passage in passages:
            boost = shared + own(passage.placed) if own is not None else shared
            passage.weight = factor * (granted + passage.score * doubt)
            passage.score = factor * passage.score + passage.weight * boost


def _own(query: ParsedQuery, rules: Rules) -> Callable[[Placed], float] | None:
    """What a passage earns by itself for what the query spells: a name that it defines, a line of a trace."""
    identifiers = frozenset(name.lower() for name in query.identifiers)
    if not identifiers and not query.frames:
        return None

    def boost(placed: Placed) -> float:
        total = 0.0
        symbols = placed.chunk.symbols
        if identifiers and symbols and not identifiers.isdisjoint([symbol.lower() for symbol in symbols]):
            total += rules.definition * _defines(query, placed)
        if query.frames:
            total += rules.frame * _in_trace(query, placed)
        return total

    return boost


def _defines(query: ParsedQuery, placed: Placed) -> float:
    """1 for a definition of a queried name, half where it is a word in prose, more where the qualifier fits too."""
    symbols = {symbol.lower() for symbol in placed.chunk.symbols}
    matches = [name for name in query.identifiers if name.lower() in symbols]
    if not matches:
        return 0.0
    strength = 1.0 if query.kind is Kind.SYMBOL else 0.5
    if any(name in placed.chunk.symbols for name in matches):
        strength *= 1.25  # spelled exactly so
    scope = {name.lower() for name in placed.chunk.scope} | {PurePosixPath(placed.path).stem.lower()}
    if any(qualifier.lower() in scope for qualifier in query.qualifiers):
        strength *= 1.5
    return strength


def _in_trace(query: ParsedQuery, placed: Placed) -> float:
    lower = f"/{placed.path.lower()}"
    chunk = placed.chunk
    # A trace names absolute paths of another machine, or paths below a folder that is our root.
    return float(
        any(
            chunk.start_line <= line <= chunk.end_line and (lower.endswith(f"/{path}") or f"/{path}".endswith(lower))
            for path, line in query.frames
        )
    )


# -- penalties and diversity -------------------------------------------------------------------------------------------


def _factor(query: ParsedQuery, file: PlacedFile, rules: Rules) -> float:
    factor = 1.0
    kind = kind_of(file.path)
    if kind.test and not query.wants_tests:
        factor *= rules.tests
    if kind.example and not query.wants_examples:
        factor *= rules.examples
    if file.language in PROSE and not query.wants_prose:
        factor *= rules.prose
    if kind.generated:
        factor *= rules.generated
    if kind.declaration:
        factor *= rules.declarations
    return factor


def _best(pool: Sequence[Candidate], rules: Rules, overlap: Overlap, per_file: int, limit: int) -> list[Candidate]:
    """Each further passage of a file counts less, at most `per_file` are kept, and nothing far below the best.

    A queue of passages by the most that each can still reach. Names cost time, so a passage is asked for its own only
    when it is at the head with all that they may add, and goes back with what they do; most are never asked.
    """
    queue = []
    for number, candidate in enumerate(pool):
        file, chunk = candidate.placed
        most = rules.names if chunk.symbols else rules.names / 2  # the names around it count half
        queue.append((-candidate.score - candidate.weight * most, _HOPED, file.path, chunk.start, number))
    heapify(queue)
    seen: dict[str, int] = defaultdict(int)
    kept: list[Candidate] = []
    while queue and len(kept) < limit:
        _, step, path, start, number = heappop(queue)
        candidate = pool[number]
        file, chunk = candidate.placed
        if step == _SETTLED:
            kept.append(candidate)
            continue
        count = seen[file.key]
        if count >= per_file:
            continue
        if step == _HOPED:
            candidate.score += candidate.weight * rules.names * overlap.names(chunk.symbols[:_NAMES], chunk.scope)
        else:
            seen[file.key] = count + 1
            candidate.score *= rules.repeat**count
        heappush(queue, (-candidate.score, step + 1, path, start, number))
    best = kept[0].score if kept else 0.0
    if best <= 0:
        return []
    for candidate in kept:
        candidate.score /= best
    return [candidate for candidate in kept if candidate.score >= rules.floor]
