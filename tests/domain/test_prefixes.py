"""Prefixes by a model's name, and settings that go before it."""

import pytest

from impetus.domain.prefixes import Prefixes, prefixes

CODE = "Represent this query for searching relevant code: "


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("nomic-ai/CodeRankEmbed", Prefixes(CODE)),
        ("nomic-embed-text:v1.5", Prefixes("search_query: ", "search_document: ")),
        ("intfloat/multilingual-e5-small", Prefixes("query: ", "passage: ")),
        ("all-MiniLM-L6-v2", Prefixes()),
    ],
)
def test_families_are_known_by_name(model: str, expected: Prefixes) -> None:
    assert prefixes(model) == expected


def test_a_setting_goes_before_what_is_known() -> None:
    assert prefixes("nomic-embed-text", query="", document="auto") == Prefixes("", "search_document: ")
    assert prefixes("unknown", query="q: ", document="d: ") == Prefixes("q: ", "d: ")
