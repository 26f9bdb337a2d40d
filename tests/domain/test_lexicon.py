"""Postings and BM25 over them, against the formula written out, and against an index made at once."""

import gc
import math
from collections import Counter
from collections.abc import Mapping
from random import Random

import numpy as np
import pytest

from impetus.domain.lexicon import Lexicon
from impetus.domain.postings import Postings, came, key_of, merge, mergeable, returned, sound

WORDS = [f"word{i}" for i in range(30)]


def texts(random: Random, first: int, count: int) -> dict[int, str]:
    return {
        number: " ".join(random.choices(WORDS, weights=range(1, 31), k=random.randint(0, 40)))
        for number in range(first, first + count)
    }


def lexicon(*parts: Postings) -> Lexicon:
    return Lexicon(dict(enumerate(parts)))


def bm25(texts: Mapping[int, str], terms: list[str]) -> dict[int, float]:
    """The formula as the books have it."""
    counts = {number: Counter(text.split()) for number, text in texts.items() if text}
    mean = sum(count.total() for count in counts.values()) / len(counts)
    scores: dict[int, float] = {}
    for term in terms:
        holding = sum(term in count for count in counts.values())
        idf = max(1e-6, math.log((len(counts) - holding + 0.5) / (holding + 0.5)))
        for number, count in counts.items():
            if term in count:
                norm = 1.2 * (0.25 + 0.75 * count.total() / mean)
                scores[number] = scores.get(number, 0.0) + idf * count[term] * 2.2 / (count[term] + norm)
    return scores


def content(part: Postings) -> list[list[object]]:
    return [array.tolist() for array in (part.numbers, part.lengths, part.terms, part.starts, part.chunks, part.uses)]


def test_scores_are_those_of_the_formula_over_any_parts_and_whoever_left() -> None:
    random = Random(3)
    all_texts = texts(random, 1, 120)
    parts = [came((n, all_texts[n]) for n in range(first, first + 30)) for first in (1, 31, 61, 91)]
    left = random.sample(sorted(all_texts), 25)
    parts.append(returned(dict.fromkeys(left, 0)))
    back = left[:10]
    parts.append(returned({number: len(all_texts[number].split()) for number in back}))
    there = {n: text for n, text in all_texts.items() if n not in left[10:]}
    index = lexicon(*parts)
    assert index.chunks == sum(bool(text) for text in there.values())
    for _ in range(20):
        terms = random.sample([*WORDS, "absent"], 4)
        expected = bm25(there, terms)
        found = index.search(terms, 1_000)
        assert dict(found) == pytest.approx(expected, rel=1e-4)
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
        assert index.search(terms, 5) == found[:5]
        assert index.frequencies(terms) == {
            term: count for term in terms if (count := sum(term in text.split() for text in there.values()))
        }


def test_merged_parts_are_the_part_that_would_have_been_made_at_once() -> None:
    random = Random(4)
    all_texts = texts(random, 1, 90)
    parts = [came((n, all_texts[n]) for n in range(first, first + 30)) for first in (1, 31, 61)]
    assert content(merge(parts, set(), first=True)) == content(came(all_texts.items()))
    deleted = set(random.sample(sorted(all_texts), 20))
    parts.append(returned(dict.fromkeys(deleted, 0)))
    kept = came((n, text) for n, text in all_texts.items() if n not in deleted)
    assert content(merge(parts, deleted, first=True)) == content(kept)


def test_later_parts_merged_still_say_who_left_the_first() -> None:
    first = came([(1, "alpha"), (2, "alpha beta")])
    rest = merge([returned({1: 0}), returned({2: 0}), returned({2: 2})], {1}, first=False)
    assert [number for number, _ in lexicon(first, rest).search(["alpha"], 5)] == [2]
    assert rest.numbers.tolist() == [1, 2]


def test_parts_stay_few_and_are_rewritten_seldom() -> None:
    sizes: list[int] = []
    written = 0
    for _ in range(2_000):
        sizes.append(100)
        run = mergeable(sizes)
        if run:
            total = sum(sizes[-run:])
            sizes[-run:] = [total]
            written += total
        assert len(sizes) < 20
    assert written < 10 * 2_000 * 100


def test_a_term_that_stands_there_more_than_255_times_counts_as_often_as_fits() -> None:
    part = came([(1, "often " * 299 + "often"), (2, "often")])
    assert part.uses.tolist() == [255, 1]
    assert part.lengths.tolist() == [300, 1]
    assert part.terms.tolist() == [key_of("often")]


def test_a_part_leaves_nothing_to_the_collector_which_comes_seldom() -> None:
    gc.collect()
    gc.disable()
    try:
        came([(1, "alpha beta"), (2, "beta")])
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_nothing_is_found_in_nothing() -> None:
    for index in (lexicon(), lexicon(came([])), lexicon(came([(1, "")]))):
        assert index.search(["alpha"], 5) == []
        assert index.frequencies(["alpha"]) == {}
        assert index.chunks == 0


def test_arrays_that_do_not_fit_together_are_told() -> None:
    part = came([(1, "alpha beta"), (2, "beta")])
    assert sound(part)
    assert sound(came([]))
    for damaged in ({"chunks": part.chunks + 5}, {"uses": part.uses[1:]}, {"starts": part.starts[1:]}):
        values = {name: getattr(part, name) for name in ("numbers", "lengths", "terms", "starts", "chunks", "uses")}
        assert not sound(Postings(**{**values, **damaged}))
    assert not sound(Postings(*(np.zeros(0, kind) for kind in ("i4", "i4", "u8", "i4", "i4", "u1"))))
