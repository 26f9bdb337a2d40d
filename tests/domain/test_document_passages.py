"""Passages keep to one place, have a bearable size, lose nothing, and never begin or end inside of a listing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.document_passages import IDEAL, LARGE, MAX_FENCE, SMALL, passages
from impetus.domain.documents import Block, Passage

WORDS = "the quick brown fox jumps over the lazy dog. "


def cut(*texts: str) -> list[str]:
    return [passage.text for passage in passages([Block(text) for text in texts])]


def test_neighbors_share_a_passage_up_to_the_ideal_size() -> None:
    paragraph = WORDS * 10
    found = cut(*[paragraph] * 9)
    assert [text.count("\n\n") + 1 for text in found] == [2, 2, 2, 2, 1]
    assert all(len(text) <= IDEAL for text in found)


def test_a_short_end_is_not_left_behind() -> None:
    assert len(cut(WORDS * 25, "The end.")) == 1
    assert len(cut(WORDS * 25, WORDS * 8)) == 2


@pytest.mark.parametrize(
    "other", [Block("b", ("T", "U")), Block("b", ("U",)), Block("b", ("T",), page=2), Block("b", ("T",), cell=1)]
)
def test_other_places_are_other_passages(other: Block) -> None:
    assert list(passages([Block("a", ("T",)), other])) == [
        Passage("a", ("T",)),
        Passage("b", other.headings, other.page, other.cell),
    ]


def test_a_listing_stays_whole() -> None:
    listing = "```py\n" + "x = 1\n\n" * 400 + "```"
    assert SMALL < LARGE < len(listing) < MAX_FENCE
    found = cut(f"{WORDS * 30}\n\n{listing}\n\n{WORDS * 30}")
    assert sum(listing in text for text in found) == 1


def test_an_enormous_listing_becomes_several_each_with_its_fences() -> None:
    lines = [f"value_{number} = {number}" for number in range(2_000)]
    found = cut("~~~~py\n" + "\n".join(lines) + "\n~~~~")
    assert len(found) > 3
    assert all(text.startswith("~~~~py\n") and text.endswith("\n~~~~") for text in found)
    kept = [line for text in found for line in text.split("\n") if not line.startswith("~~~~")]
    assert kept == lines


def test_a_listing_inside_of_a_list_stays_whole() -> None:
    listing = "  ```\n" + "  y\n" * 100 + "  ```\n"
    items = "".join(f"- {WORDS * 5}\n\n{listing}" for _ in range(6))
    assert all(text.count("```") % 2 == 0 for text in cut(items))


def test_a_line_without_end_is_cut_at_sentences_and_words() -> None:
    found = cut(WORDS * 2_000)
    assert max(map(len, found)) <= LARGE
    assert " ".join(" ".join(found).split()) == (WORDS * 2_000).strip()
    assert all(text.rstrip().endswith(".") for text in found)
    assert max(map(len, cut("x" * 100_000))) <= LARGE


def test_a_line_that_looks_like_many_lists_costs_nothing() -> None:
    assert cut("-  " * 3_000 + "\n" + WORDS * 50)  # a regular expression that goes back would not end


FENCES = st.sampled_from(["```\n", "```py\n", "~~~\n", "````\n", "- ```\n", "> ~~~\n", "  ```\n", "`` ` ``\n"])
PIECES = st.one_of(FENCES, st.sampled_from([WORDS * 20 + "\n", "word\n", "\n", "    code\n", "x" * 3_000 + "\n"]))


@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=6))
def test_nothing_is_lost_and_no_passage_is_too_long(texts: list[str]) -> None:
    found = cut(*texts)
    assert all(text.strip() for text in found)
    assert all(len(text) <= LARGE + MAX_FENCE + 10 for text in found)

    def letters(parts: list[str]) -> str:
        return re.sub(r"[\s`~>-]|py", "", "".join(parts))

    assert letters(found) == letters(texts)
