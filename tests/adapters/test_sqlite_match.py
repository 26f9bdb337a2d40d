"""What a query by words finds in a large index: rare words narrow it down, and never to nothing."""

import sqlite3
from collections.abc import Iterator, Mapping

import pytest

from impetus.adapters.sqlite_match import any_of

CHUNKS = 12_000


@pytest.fixture(scope="module")
def lexicon() -> Iterator[sqlite3.Connection]:
    """Every chunk has `common`, each second `often`, two have `rare`, each tenth `some`."""
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE VIRTUAL TABLE lexicon USING fts5(terms, content='')")
        db.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab(lexicon, row)")
        rows = (
            " ".join(
                word for word, every in (("common", 1), ("often", 2), ("some", 10), ("rare", 6_000)) if n % every == 0
            )
            for n in range(CHUNKS)
        )
        db.executemany("INSERT INTO lexicon (terms) VALUES (?)", ((row,) for row in rows))
        yield db


def found(db: sqlite3.Connection, *terms: str) -> int:
    frequencies: Mapping[str, int] = dict.fromkeys(terms, 0) | dict(db.execute("SELECT term, doc FROM vocabulary"))
    match = any_of(list(terms), CHUNKS, frequencies)
    return int(db.execute("SELECT count(*) FROM lexicon WHERE lexicon MATCH ?", (match,)).fetchone()[0])


def test_a_word_that_stands_nowhere_does_not_hide_what_the_others_find(lexicon: sqlite3.Connection) -> None:
    assert found(lexicon, "mistyped", "often") == CHUNKS // 2


def test_a_word_that_stands_in_two_chunks_does_not_hide_what_the_others_find(lexicon: sqlite3.Connection) -> None:
    assert found(lexicon, "rare", "often") == CHUNKS // 2


def test_frequent_words_alone_do_not_make_a_match_where_rarer_ones_find_enough(lexicon: sqlite3.Connection) -> None:
    assert found(lexicon, "some", "common") == CHUNKS // 10


def test_frequent_words_count_in_the_score_of_a_match(lexicon: sqlite3.Connection) -> None:
    frequencies = dict(lexicon.execute("SELECT term, doc FROM vocabulary"))
    statement = "SELECT rowid FROM lexicon WHERE lexicon MATCH ? ORDER BY bm25(lexicon), rowid LIMIT 1"
    match = any_of(["some", "often", "rare"], CHUNKS, frequencies)
    assert lexicon.execute(statement, (match,)).fetchone() == (1,)  # has all three


def test_a_single_word_is_looked_up_however_frequent(lexicon: sqlite3.Connection) -> None:
    assert found(lexicon, "common") == CHUNKS
