"""Each rule on its own: the order it makes, and that switching it off unmakes it."""

from dataclasses import fields
from pathlib import Path

import pytest

from impetus.domain.ports import FileState, Placed
from impetus.domain.query import parse
from impetus.domain.ranking import DEFAULT_RULES, Candidate, Rules, rank
from impetus.domain.types import Chunk


def candidate(
    path: str,
    *,
    lexical: float = 0.0,
    dense: float = 0.0,
    symbols: tuple[str, ...] = (),
    scope: tuple[str, ...] = (),
    language: str = "python",
    start: int = 0,
) -> Candidate:
    chunk = Chunk(f"{path}:{start}", start, start + 100, start + 1, start + 10, scope=scope, symbols=symbols)
    return Candidate(Placed(Path("/root"), path, language, FileState(1, 1, "b"), chunk), lexical, dense)


def order(query: str, *candidates: Candidate, rules: Rules = DEFAULT_RULES, per_file: int = 2) -> list[str]:
    return [c.placed.path for c in rank(parse(query), candidates, rules, per_file=per_file)]


def test_both_searches_count() -> None:
    both = candidate("both.py", lexical=2, dense=0.4)
    words = candidate("words.py", lexical=3)
    meaning = candidate("meaning.py", dense=0.5)
    assert order("something else entirely", words, meaning, both)[0] == "both.py"


RULES_AND_PAIRS = [
    ("definition", "RetryPolicy", dict(path="a.py", symbols=("RetryPolicy",)), dict(path="b.py")),
    ("stem", "connection pool", dict(path="pool.py"), dict(path="misc.py")),
    ("folder", "authentication flow", dict(path="authentication/x.py"), dict(path="other/x.py")),
    ("names", "parse the header", dict(path="a.py", symbols=("parse_header",)), dict(path="b.py", symbols=("zip",))),
    ("tests", "retry delay", dict(path="src/x.py"), dict(path="tests/test_x.py")),
    ("examples", "retry delay", dict(path="src/x.py"), dict(path="examples/x.py")),
    ("declarations", "retry delay", dict(path="src/x.ts"), dict(path="src/x.d.ts")),
    ("barrels", "retry delay", dict(path="src/x.py"), dict(path="src/__init__.py")),
    ("prose", "retry delay", dict(path="x.py"), dict(path="x.md", language="markdown")),
]


@pytest.mark.parametrize(("rule", "query", "preferred", "other"), RULES_AND_PAIRS, ids=[r[0] for r in RULES_AND_PAIRS])
def test_rule_decides_a_close_call_and_nothing_when_off(
    rule: str, query: str, preferred: dict[str, object], other: dict[str, object]
) -> None:
    def pair() -> list[Candidate]:
        # the other one matches slightly better
        return [candidate(**other, lexical=2.01, dense=0.5), candidate(**preferred, lexical=2.0, dense=0.49)]  # type: ignore[arg-type]

    alone = DEFAULT_RULES
    for name in (f.name for f in fields(Rules)):
        if name not in (rule, "fusion_constant", "dense_share", "dense_share_symbol", "floor"):
            alone = alone.without(name)
    assert order(query, *pair(), rules=alone)[0] == preferred["path"]
    assert order(query, *pair(), rules=alone.without(rule))[0] == other["path"]


def test_a_wish_for_tests_lifts_their_penalty() -> None:
    pair = [candidate("tests/test_x.py", lexical=2.1), candidate("src/x.py", lexical=2.0)]
    assert order("tests for retry delay", *pair)[0] == "tests/test_x.py"


def test_at_most_so_many_passages_of_a_file() -> None:
    many = [candidate("a.py", lexical=9 - i, start=i * 100) for i in range(5)] + [candidate("b.py", lexical=1)]
    assert order("words", *many, per_file=1) == ["a.py", "b.py"]
    assert order("words", *many, per_file=2).count("a.py") == 2


def test_a_named_path_comes_first() -> None:
    assert order("pkg/mod.py", candidate("x.py", lexical=5), candidate("pkg/mod.py", lexical=1))[0] == "pkg/mod.py"


def test_scores_are_shares_of_the_best_in_descending_order() -> None:
    ranked = rank(parse("words"), [candidate(f"{i}.py", lexical=i + 1) for i in range(8)])
    scores = [c.score for c in ranked]
    assert scores[0] == 1.0
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_nothing_in_nothing_out() -> None:
    assert rank(parse("words"), []) == []
    assert rank(parse("words"), [candidate("a.py")]) == []
