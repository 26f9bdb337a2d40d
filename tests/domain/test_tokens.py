from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.tokens import parts, terms, words


def test_parts_split_at_case_digits_and_underscores() -> None:
    assert parts("getURLPath2") == ("get", "url", "path", "2")
    assert parts("__init__") == ("init",)
    assert parts("naïve_漢字") == ("naïve", "漢字")


def test_terms_give_the_whole_name_and_its_parts() -> None:
    assert terms("HTTPServer.parse_url") == ["httpserver", "http", "server", "parse_url", "parse", "url"]
    assert terms("plain") == ["plain"]


def test_words_give_only_the_parts() -> None:
    assert words("HTTPServer.parse_url(x)") == ["http", "server", "parse", "url", "x"]


def test_data_is_not_a_name() -> None:
    assert terms("a" * 65) == []
    assert words("a" * 65) == []


@given(st.text(max_size=300))
def test_terms_are_lower_case_and_come_from_the_text(text: str) -> None:
    for term in terms(text):
        assert term == term.lower()
        assert term in text.lower() or term in text.casefold() or not text.isascii()
