"""`DocumentStore` in SQLite: kept once, changed in one step, shared by processes, found by words, meaning, fields."""

import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.embedder import HashEmbedder

from impetus.adapters.document_store import SqliteDocumentStore
from impetus.domain.documents import Found, Ingested, Metadata, NewDocument, Passage, Selection
from impetus.domain.ports import Vectors
from impetus.domain.tokens import terms
from impetus.errors import IndexFailed

FOX, DOG, CAT = Passage("a quick fox", ("Animals",)), Passage("a lazy dog", page=2), Passage("a cat sleeps", cell=7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "documents.sqlite"


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def store(path: Path, embedder: HashEmbedder) -> SqliteDocumentStore:
    seconds = iter(range(1_000_000))
    return SqliteDocumentStore(path, embedder, clock=lambda: float(next(seconds)))


def document(name: str = "a.md", content: str = "1", collection: str = "c", **metadata: Any) -> NewDocument:
    return NewDocument(collection, name, "text/markdown", 10, content, metadata)


def put(store: SqliteDocumentStore, new: NewDocument, *passages: Passage) -> Ingested:
    ingested = store.put(new, passages)
    assert ingested is not None
    return ingested


def search(store: SqliteDocumentStore, query: str, selection: Selection | None = None, limit: int = 10) -> Found:
    return store.search(terms(query), HashEmbedder().embed_query(query), selection or Selection(), limit)


def names(found: Found) -> list[str]:
    return sorted(each.document.name for each in found.passages)


def counts(path: Path) -> dict[str, int]:
    """Rows of every table, the entries of the lexical index among them."""
    tables = ("collections", "documents", "contents", "places", "passages", "lexicon")
    with sqlite3.connect(path) as db:
        found = {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
        terms = db.execute("SELECT count(*) FROM vocabulary").fetchone()[0]
    db.close()
    return found | {"terms": terms}


def test_nothing_is_written_before_the_first_document(store: SqliteDocumentStore, path: Path) -> None:
    assert store.collections() == [] and store.documents("c") == []
    assert search(store, "fox") == Found((), 0, {})
    assert not store.remove("c")
    assert not path.parent.exists()


def test_what_is_kept(store: SqliteDocumentStore, path: Path) -> None:
    ingested = put(store, document(year=2026), FOX, DOG, CAT)
    assert (ingested.status, ingested.fresh, ingested.removed) == ("added", 3, 0)
    kept = ingested.document
    assert (kept.collection, kept.name, kept.passages, kept.metadata) == ("c", "a.md", 3, {"year": 2026})
    assert store.documents("c") == [kept]
    (collection,) = store.collections()
    assert (collection.name, collection.documents, collection.passages, collection.size) == ("c", 1, 3, 10)
    found = {each.passage.text: each.passage for each in search(store, "fox dog cat").passages}
    assert found == {"a quick fox": FOX, "a lazy dog": DOG, "a cat sleeps": CAT}
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_only_what_changed_is_written(store: SqliteDocumentStore, embedder: HashEmbedder, path: Path) -> None:
    put(store, document(), FOX, DOG)
    embedder.embedded.clear()
    changed = put(store, document(content="2"), FOX, CAT)
    assert (changed.status, changed.fresh, changed.removed) == ("updated", 1, 1)
    assert embedder.embedded == [CAT.searched]
    assert (changed.document.added, changed.document.updated) == (0.0, 1.0)
    assert sorted(each.passage.text for each in search(store, "fox dog cat").passages) == [
        "a cat sleeps",
        "a quick fox",
    ]
    assert counts(path) == {
        "collections": 1, "documents": 1, "contents": 1, "places": 2, "passages": 2, "lexicon": 2, "terms": 6
    }  # fmt: skip


def test_the_same_again(store: SqliteDocumentStore, embedder: HashEmbedder) -> None:
    first = put(store, document(year=1), FOX)
    embedder.embedded.clear()
    again = store.put(document(year=1), None)
    assert again is not None
    assert (again.status, again.document) == ("unchanged", first.document)
    other = store.put(document(year=2), None)
    assert other is not None
    assert (other.status, other.document.metadata, other.fresh) == ("updated", {"year": 2}, 0)
    assert embedder.embedded == []


def test_a_content_is_asked_for_where_nobody_has_it(store: SqliteDocumentStore) -> None:
    assert store.put(document(), None) is None
    assert store.collections() == []
    put(store, document(), FOX)
    assert store.put(document("b.md", collection="other"), None) is not None
    assert store.remove("c") and store.remove("other")
    assert store.put(document(), None) is None


def test_equal_contents_and_passages_are_kept_once(store: SqliteDocumentStore, path: Path) -> None:
    put(store, document("a.md"), FOX, DOG)
    copy = put(store, document("b.md"), FOX, DOG)
    similar = put(store, document("c.md", "2", "other"), DOG, CAT, DOG)
    assert (copy.fresh, similar.fresh, similar.document.passages) == (0, 1, 3)
    assert (counts(path)["contents"], counts(path)["passages"], counts(path)["places"]) == (2, 3, 5)
    assert names(search(store, "fox")) == ["a.md", "b.md"]
    assert names(search(store, "dog")) == ["a.md", "b.md", "c.md", "c.md"]


def test_removing(store: SqliteDocumentStore, path: Path) -> None:
    first = put(store, document("a.md"), FOX, DOG).document
    put(store, document("b.md", "2"), DOG, CAT)
    assert not store.remove("other", first.id) and not store.remove("c", "doc_x")
    assert store.remove("c", first.id)
    assert [each.name for each in store.documents("c")] == ["b.md"]
    assert names(search(store, "fox dog")) == ["b.md"]
    assert store.remove("c") and not store.remove("c")
    assert set(counts(path).values()) == {0}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"year": 2025}, ["a"]),
        ({"year": 2025.0}, ["a"]),
        ({"year": [2025, 2026]}, ["a", "b"]),
        ({"year": "2025"}, []),
        ({"year": []}, []),
        ({"draft": True}, ["b"]),
        ({"draft": 1}, []),
        ({"flag": 1}, ["a"]),
        ({"flag": True}, []),
        ({"tags": "red"}, ["a", "b"]),
        ({"tags": ["green", "none"]}, ["b"]),
        ({"tags": "red", "year": 2026}, ["b"]),
        ({"who-is_it": 'O\'Neil "x"'}, ["a"]),
        ({"nothing": "x"}, []),
    ],
)
def test_filters(store: SqliteDocumentStore, filters: Metadata, expected: list[str]) -> None:
    put(store, document("a", "1", **{"year": 2025, "tags": ["red"], "flag": 1, "who-is_it": 'O\'Neil "x"'}), FOX)
    put(store, document("b", "2", year=2026, tags=["red", "green"], draft=True), FOX, CAT)
    put(store, document("c", "3"), FOX)
    assert names(search(store, "fox", Selection(filters=filters))) == expected
    assert search(store, "fox", Selection("other", filters)).passages == ()


def test_a_small_collection_is_found_beside_a_large_one(store: SqliteDocumentStore) -> None:
    many = [Passage(f"a fox number {number}") for number in range(300)]
    put(store, document("large", "1", "large"), *many)
    put(store, document("small", "2", "small", kind="x"), Passage("one more fox, with many other words around it"))
    for selection in (Selection("small"), Selection(filters={"kind": "x"})):
        (found,) = search(store, "fox", selection, limit=5).passages
        assert found.document.name == "small"
        assert found.lexical > 0 and found.dense > 0
    everything = search(store, "fox", limit=5)
    assert 5 <= len(everything.passages) <= 10
    assert (everything.total, everything.frequencies) == (301, {"fox": 301})


def test_words_are_taken_as_they_are(store: SqliteDocumentStore) -> None:
    put(store, document(), FOX)
    for query in ('"', "fox AND", "NEAR(fox", "terms : fox", "fox*"):
        assert names(search(store, query)) in ([], ["a.md"])


def test_a_failure_leaves_everything_as_it_was(store: SqliteDocumentStore, path: Path) -> None:
    put(store, document(), FOX)
    before = counts(path)
    with pytest.raises(IndexFailed):
        store.put(NewDocument("c", "b.md", "text/plain", "no number", "2"), [DOG])  # type: ignore[arg-type]
    assert counts(path) == before


class _Failing(HashEmbedder):
    def embed(self, texts: Sequence[str]) -> Vectors:
        raise RuntimeError("no memory")


def test_an_embedder_that_fails_leaves_no_half_document(path: Path) -> None:
    with pytest.raises(RuntimeError):
        SqliteDocumentStore(path, _Failing()).put(document(), [FOX])
    assert counts(path)["documents"] == counts(path)["passages"] == 0


def test_another_embedder_makes_all_vectors_anew(store: SqliteDocumentStore, path: Path) -> None:
    put(store, document(), FOX, DOG)
    other = HashEmbedder("other", 32)
    found = SqliteDocumentStore(path, other).search([], other.embed_query("a lazy dog"), Selection(), 1)
    assert [(each.passage, round(each.dense, 2)) for each in found.passages] == [(DOG, 1.0)]
    assert sorted(other.embedded) == sorted([FOX.searched, DOG.searched])


def test_a_text_without_a_word_has_no_vector(store: SqliteDocumentStore) -> None:
    put(store, document(), Passage("— % —"), FOX)
    assert [each.passage for each in search(store, "fox").passages] == [FOX]


def test_what_one_process_writes_the_other_sees(store: SqliteDocumentStore, path: Path) -> None:
    other = SqliteDocumentStore(path, HashEmbedder())
    put(store, document("a"), FOX)
    assert names(search(other, "fox")) == ["a"]
    put(other, document("b", "2"), Passage("a fox again"))
    assert names(search(store, "fox")) == ["a", "b"]
    other.remove("c")
    assert search(store, "fox").passages == ()


def test_many_at_once(path: Path) -> None:
    """Each with a store of its own, as processes have; the first of them make the file."""

    def work(number: int) -> None:
        store = SqliteDocumentStore(path, HashEmbedder())
        put(store, document(f"{number}", f"{number}"), DOG, Passage(f"fox {number}"))
        search(store, "fox")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    found = counts(path)
    assert (found["documents"], found["passages"], found["places"], found["collections"]) == (24, 25, 48, 1)


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"no database" * 500), lambda p: p.mkdir()])
def test_a_file_that_cannot_be_used(store: SqliteDocumentStore, path: Path, spoil: Callable[[Path], None]) -> None:
    path.parent.mkdir()
    spoil(path)
    for call in (store.collections, lambda: put(store, document(), FOX), lambda: search(store, "fox")):
        with pytest.raises(IndexFailed, match=r"documents\.sqlite"):
            call()


def test_the_file_of_another_version(store: SqliteDocumentStore, path: Path) -> None:
    put(store, document(), FOX)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(IndexFailed, match="another version"):
        store.collections()
