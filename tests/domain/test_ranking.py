"""Each rule on its own: the order it makes, and that switching it off unmakes it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.ports import FileState, Placed, PlacedFile
from impetus.domain.query import parse
from impetus.domain.ranking import BARE_RULES, DEFAULT_RULES, FACTORS, SWITCHES, Candidate, Rules, rank
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
    users: int = 0,
    nearness: float = 0.0,
    neural: float | None = None,
) -> Candidate:
    chunk = Chunk(f"{path}:{start}", start, start + 100, start + 1, start + 10, scope=scope, symbols=symbols)
    file = PlacedFile(Path("/root"), path, language, FileState(1, 1, "b"), users)
    return Candidate(Placed(file, chunk), lexical, dense, nearness, neural)


def order(query: str, *candidates: Candidate, rules: Rules = DEFAULT_RULES, per_file: int = 2) -> list[str]:
    return [c.placed.path for c in rank(parse(query), candidates, rules, per_file=per_file)]


def alone(rule: str) -> Rules:
    """Bare fusion with one rule switched on."""
    rules = DEFAULT_RULES
    for name in SWITCHES:
        if name != rule:
            rules = rules.without(name)
    return rules


def test_both_searches_count() -> None:
    both = candidate("both.py", lexical=2, dense=0.4)
    words = candidate("words.py", lexical=3)
    meaning = candidate("meaning.py", dense=0.5)
    assert order("something else entirely", words, meaning, both)[0] == "both.py"


TRACE = 'Traceback (most recent call last):\n  File "/home/me/app/src/x.py", line 205, in f\nKeyError: delay'

#: rule, query, what it prefers, what matches slightly better without it
RULES_AND_PAIRS = [
    ("definition", "RetryPolicy", dict(path="a.py", symbols=("RetryPolicy",)), dict(path="b.py")),
    ("definition", "how RetryPolicy waits", dict(path="a.py", symbols=("RetryPolicy",)), dict(path="b.py")),
    ("stem", "connection pool", dict(path="pool.py"), dict(path="misc.py")),
    ("stem", "connection pooling", dict(path="pool/__init__.py"), dict(path="misc/__init__.py")),
    ("folder", "authentication flow", dict(path="authentication/x.py"), dict(path="other/x.py")),
    ("path", "token refresh", dict(path="token/refresh_on_expiry.py"), dict(path="token/zip.py")),
    ("names", "parse the header", dict(path="a.py", symbols=("parse_header",)), dict(path="b.py", symbols=("zip",))),
    ("names", "parse the header", dict(path="a.py", scope=("HeaderParser",)), dict(path="b.py", scope=("Zip",))),
    ("popularity", "retry delay", dict(path="a.py", users=150), dict(path="b.py", users=1)),
    ("named", "pkg/a.py delay", dict(path="src/pkg/a.py"), dict(path="src/pkg/b.py")),
    ("frame", TRACE, dict(path="src/x.py", start=200), dict(path="src/x.py", start=900)),
    ("nearness", "retry delay", dict(path="a.py", nearness=1.0), dict(path="b.py")),
    ("tests", "retry delay", dict(path="src/x.py"), dict(path="tests/test_x.py")),
    ("examples", "retry delay", dict(path="src/x.py"), dict(path="examples/x.py")),
    ("generated", "retry delay", dict(path="lib/x.js"), dict(path="dist/x.js")),
    ("declarations", "retry delay", dict(path="src/x.ts"), dict(path="src/x.d.ts")),
    ("prose", "retry delay", dict(path="x.py"), dict(path="x.md", language="markdown")),
]


@pytest.mark.parametrize(("rule", "query", "preferred", "other"), RULES_AND_PAIRS)
def test_rule_decides_a_close_call_and_nothing_when_off(
    rule: str, query: str, preferred: dict[str, object], other: dict[str, object]
) -> None:
    def first(rules: Rules) -> tuple[str, int]:
        pair = [candidate(**other, lexical=2.01, dense=0.5), candidate(**preferred, lexical=2.0, dense=0.49)]  # type: ignore[arg-type]
        best = rank(parse(query), pair, rules)[0].placed
        return best.path, best.chunk.start

    assert first(alone(rule)) == (preferred["path"], preferred.get("start", 0))
    assert first(BARE_RULES) == (other["path"], other.get("start", 0))


def test_every_rule_is_tested() -> None:
    below = {"lead", "coherence", "doubt", "repeat", "neural_share"}
    assert {pair[0] for pair in RULES_AND_PAIRS} | below == set(SWITCHES)


def test_coherence_prefers_the_file_of_which_more_matches() -> None:
    def pool() -> list[Candidate]:
        whole = [candidate("whole.py", lexical=2.0 - i / 10, start=i * 100) for i in range(5)]
        return [candidate("once.py", lexical=2.1), *whole]

    assert order("retry delay", *pool(), rules=alone("coherence"))[0] == "whole.py"
    assert order("retry delay", *pool(), rules=BARE_RULES)[0] == "once.py"


def test_lead_lets_a_clear_winner_of_one_list_win() -> None:
    def pool() -> list[Candidate]:
        crowd = [candidate(f"{i}.py", dense=0.5 - i / 1000) for i in range(20)]
        return [candidate("clear.py", lexical=1.0, dense=0.9), candidate("words.py", lexical=1.2), *crowd]

    assert order("retry delay", *pool(), rules=alone("lead"))[0] == "clear.py"
    leads = [c.score for c in rank(parse("retry delay"), pool(), alone("lead"))]
    ranks = [c.score for c in rank(parse("retry delay"), pool(), BARE_RULES)]
    assert leads[2] < ranks[2], "what is far behind in score falls further behind"


def test_doubt_keeps_a_mere_file_name_from_winning() -> None:
    def pool() -> list[Candidate]:
        between = [candidate(f"m/{i}.py", lexical=8 - i / 20) for i in range(100)]
        return [candidate("x.py", lexical=9), *between, candidate("retry.py", lexical=0.1)]

    def gap(rules: Rules) -> float:
        scores = {c.placed.path: c.score for c in rank(parse("retry delay"), pool(), rules, limit=200)}
        return scores["retry.py"] / scores["x.py"]

    assert gap(DEFAULT_RULES) < gap(DEFAULT_RULES.without("doubt"))


def test_repeat_puts_another_file_before_the_second_passage_of_one() -> None:
    def pool() -> list[Candidate]:
        return [
            candidate("a.py", lexical=3.0), candidate("a.py", lexical=2.9, start=100), candidate("b.py", lexical=2.5)
        ]  # fmt: skip

    assert order("words", *pool(), rules=alone("repeat")) == ["a.py", "b.py", "a.py"]
    assert order("words", *pool(), rules=BARE_RULES) == ["a.py", "a.py", "b.py"]


def test_rare_words_of_the_query_count_more() -> None:
    pair = [candidate("token.py", lexical=2.0), candidate("cache.py", lexical=2.01)]
    rules = alone("path")

    def first(rarity: dict[str, float]) -> str:
        return rank(parse("cache token"), pair, rules, rarity=rarity)[0].placed.path

    assert first({"token": 9.0, "cache": 1.0}) == "token.py"
    assert first({"token": 1.0, "cache": 9.0}) == "cache.py"


def test_a_wish_for_tests_lifts_their_penalty() -> None:
    pair = [candidate("tests/test_x.py", lexical=2.1), candidate("src/x.py", lexical=2.0)]
    assert order("tests for retry delay", *pair)[0] == "tests/test_x.py"


def test_a_qualifier_decides_between_definitions_of_one_name() -> None:
    right = candidate("a.py", lexical=2.0, symbols=("send",), scope=("Session",))
    wrong = candidate("b.py", lexical=2.01, symbols=("send",), scope=("Socket",))
    assert order("Session.send", wrong, right)[0] == "a.py"


def test_at_most_so_many_passages_of_a_file() -> None:
    many = [candidate("a.py", lexical=9 - i, start=i * 100) for i in range(5)] + [candidate("b.py", lexical=1)]
    assert order("words", *many, per_file=1) == ["a.py", "b.py"]
    assert order("words", *many, per_file=2).count("a.py") == 2


def test_a_named_path_comes_first_even_when_no_word_matches() -> None:
    assert order("pkg/mod.py", candidate("x.py", lexical=5), candidate("pkg/mod.py"))[0] == "pkg/mod.py"


def test_nonsense_finds_nothing() -> None:
    assert order("zxqv blorp", candidate("a.py", dense=0.3), candidate("b.py", dense=0.2)) == []
    assert order("zxqv blorp", candidate("a.py", dense=0.6)) == ["a.py"], "another language may still mean it"


@pytest.mark.parametrize("query", ["zzqv/blorp", "where is zzqv/blorp read?"])
def test_a_slash_alone_names_no_file(query: str) -> None:
    assert rank(parse(query), [candidate("a.py", dense=0.2), candidate("b.py", dense=0.1)]) == []


def test_a_file_whose_name_ends_like_a_named_one_is_not_named() -> None:
    query = parse("what does ore.py do with retries")
    found = rank(query, [candidate("tests/core.py", lexical=2.0), candidate("b.py", lexical=1.9)])
    assert [one.placed.path for one in found] == ["b.py", "tests/core.py"]


def test_scores_are_shares_of_the_best_in_descending_order() -> None:
    ranked = rank(parse("words"), [candidate(f"{i}.py", lexical=i + 1) for i in range(8)])
    scores = [c.score for c in ranked]
    assert scores[0] == 1.0
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_nothing_in_nothing_out() -> None:
    assert rank(parse("words"), []) == []
    assert rank(parse("words"), [candidate("a.py")]) == []


@pytest.mark.parametrize("rule", SWITCHES)
def test_without_switches_off_this_rule_alone(rule: str) -> None:
    off = DEFAULT_RULES.without(rule)
    assert getattr(off, rule) == (1.0 if rule in FACTORS else 0.0)
    assert all(getattr(off, other) == getattr(DEFAULT_RULES, other) for other in SWITCHES if other != rule)


NAMES = st.sampled_from(["retry_delay", "zip", "RetryPolicy", "connect"])
CANDIDATES = st.lists(
    st.builds(
        candidate,
        st.sampled_from(["retry.py", "net/pool.py", "tests/test_net.py", "docs/delay.py", "a.py", "b.py"]),
        lexical=st.integers(0, 9).map(float),
        dense=st.integers(0, 9).map(lambda n: n / 10),
        symbols=st.lists(NAMES, max_size=2).map(tuple),
        scope=st.lists(NAMES, max_size=1).map(tuple),
        start=st.integers(0, 10_000),
        users=st.integers(0, 5),
    ),
    max_size=30,
)


@given(CANDIDATES, st.sampled_from(["retry delay", "RetryPolicy", "how RetryPolicy waits"]), st.integers(1, 8))
def test_asking_for_few_gives_the_first_of_many(pool: list[Candidate], query: str, limit: int) -> None:
    """Passages are left out early only where they could not have been among the best."""

    def ranked(limit: int) -> list[tuple[str, int, float]]:
        found = rank(parse(query), pool, limit=limit)
        return [(one.placed.path, one.placed.chunk.start, round(one.score, 9)) for one in found]

    assert ranked(limit) == ranked(1_000)[:limit]


def test_neural_vectors_decide_where_they_are() -> None:
    near = candidate("near.py", lexical=2, dense=0.4, neural=0.7)
    far = candidate("far.py", lexical=2, dense=0.5, neural=0.2)
    assert order("how are retries delayed", far, near)[0] == "near.py"
    assert order("how are retries delayed", far, near, rules=DEFAULT_RULES.without("neural_share"))[0] == "far.py"


def test_of_a_name_spelling_decides_and_not_neural_vectors() -> None:
    near = candidate("near.py", lexical=2, dense=0.4, neural=0.7)
    far = candidate("far.py", lexical=2, dense=0.5, neural=0.2)
    assert order("RetryPolicy", far, near)[0] == "far.py"


def test_the_first_chunks_with_neural_vectors_do_not_push_others_down() -> None:
    best = candidate("best.py", lexical=3, dense=0.6)
    others = [candidate(f"other{number}.py", lexical=1, dense=0.3 + number / 1000) for number in range(20)]
    filled = candidate("filled.py", lexical=1, dense=0.3, neural=0.4)
    assert order("how are retries delayed", *others, filled, best)[0] == "best.py"


def test_without_neural_vectors_nothing_changes() -> None:
    pool = [candidate(f"f{number}.py", lexical=number % 5, dense=number / 20) for number in range(10)]
    scores = [c.score for c in rank(parse("some prose"), pool, DEFAULT_RULES)]
    assert scores == [c.score for c in rank(parse("some prose"), pool, DEFAULT_RULES.without("neural_share"))]
