"""Words of a query in names and paths; what the usual names say of a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.kinds_of_path import is_index, kind_of
from impetus.domain.overlap import Overlap, same_word
from impetus.domain.query import STOP_WORDS, parse


@pytest.mark.parametrize(
    ("word", "asked"),
    [("retry", "retries"), ("cache", "caching"), ("connect", "connection"), ("parser", "parse"), ("id", "id")],
)
def test_inflections_are_one_word(word: str, asked: str) -> None:
    assert same_word(word, asked) and same_word(asked, word)


@pytest.mark.parametrize(("word", "asked"), [("port", "portable_thing"), ("get", "gets"), ("model", "modal")])
def test_other_words_are_not(word: str, asked: str) -> None:
    assert not same_word(word, asked)


@given(st.text("abcdefg", max_size=12), st.text("abcdefg", max_size=12))
def test_looking_up_by_the_first_letters_misses_no_form(word: str, asked: str) -> None:
    if len(word) > 1 and len(asked) > 1 and asked not in STOP_WORDS:
        found = Overlap(parse(f"zzz {asked}"), {}).name(word) > 0
        assert found == same_word(word, asked)


def test_shares_of_name_and_query() -> None:
    overlap = Overlap(parse("how are connection retries handled"), {"connection": 1.0, "retries": 3.0})
    judged = overlap.path("net/retry_policy.py")
    assert judged.stem == 0.5
    assert judged.folder == 0
    assert judged.asked == 0.75
    assert overlap.name("ConnectionPool") == 0.5


def test_a_file_that_stands_for_its_folder_has_its_name() -> None:
    overlap = Overlap(parse("session store"), {})
    assert overlap.path("app/session/__init__.py").stem == 1
    assert overlap.path("app/session/index.ts").stem == 1
    assert overlap.path("app/session/other.ts").stem == 0


@pytest.mark.parametrize("query", ["src/net/pool.py", "pool.py", "see net/pool.py please", "/home/me/src/net/pool.py"])
def test_paths_spelled_in_the_query_are_named(query: str) -> None:
    overlap = Overlap(parse(query), {})
    assert overlap.path("src/net/pool.py").named
    assert not overlap.path("src/net/carpool.py").named


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("tests/unit/a.py", True),
        ("src/a_test.go", True),
        ("src/test_a.py", True),
        ("src/ATests.cs", True),
        ("web/a.spec.ts", True),
        ("lib/test_functions.bash", False),
        ("src/latest.py", False),
        ("src/contest/a.py", False),
    ],
)
def test_tests_by_the_names_their_language_uses(path: str, test: bool) -> None:
    assert kind_of(path).test is test


def test_other_kinds_of_file() -> None:
    assert kind_of("Examples/a.py").example and kind_of("third_party/z/z.c").example
    assert not kind_of("src/documents/a.py").example
    assert kind_of("dist/a.js").generated and kind_of("api/a_pb2.py").generated and kind_of("a.min.js").generated
    assert not kind_of("src/distance.py").generated
    assert kind_of("a.d.ts").declaration and kind_of("a.pyi").declaration and not kind_of("a.ts").declaration
    assert is_index("a/mod.rs") and not is_index("a/model.rs")
