"""What may be named how, and what makes two contents the same."""

from typing import Any

import pytest

from impetus.domain.documents import (
    DocumentHit,
    NewDocument,
    Passage,
    StoredDocument,
    check_collection,
    check_metadata,
    check_name,
    content_id,
)
from impetus.errors import BadRequest


@pytest.mark.parametrize("name", ["default", "a", "Team.manuals_2-b", "x" * 64])
def test_collections(name: str) -> None:
    assert check_collection(name) == name


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "a b", "*", "x" * 65, "é", "a\n"])
def test_names_that_no_collection_has(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_collection(name)
    assert caught.value.parameter == "collection"


@pytest.mark.parametrize("name", ["", " ", "x" * 501, "a\nb", ".env", "keys/id_rsa", "server.pem"])
def test_names_that_no_document_has(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_name(name)
    assert caught.value.parameter == "name"


def test_names_may_look_like_paths_and_mean_nothing() -> None:
    assert check_name("../Handbücher/Übersicht (2).pdf")


def test_metadata() -> None:
    fields: dict[str, Any] = {"year": 2026, "draft": False, "rate": 0.5, "tags": ["a", "b"], "who": "x", "none": []}
    assert check_metadata(fields) == fields


@pytest.mark.parametrize(
    "fields",
    [
        {"a b": 1},
        {'"': 1},
        {"x" * 65: 1},
        {"a": {"b": 1}},
        {"a": [["b"]]},
        {"a": None},
        {"a": "x" * 1_001},
        {"a": float("nan")},
        {"a": "\ud800"},
        {"a": 2**63},
        {"a": ["x"] * 101},
        {f"f{number}": 1 for number in range(51)},
    ],
)
def test_metadata_that_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        check_metadata(fields, "filters")
    assert (caught.value.parameter or "").startswith("filters")


def test_addresses() -> None:
    assert content_id(b"a", "text/plain") != content_id(b"a", "text/markdown") != content_id(b"b", "text/markdown")
    assert Passage("a", ("b",)).key == Passage("a", ("b",), page=3).key != Passage("b", ("a",)).key
    document = NewDocument("c", "n", "text/plain", 1, "x")
    assert document.id == NewDocument("c", "n", "text/html", 2, "y").id
    assert document.id != NewDocument("n", "c", "text/plain", 1, "x").id


@pytest.mark.parametrize(
    ("passage", "place"),
    [
        (Passage("x"), ""),
        (Passage("x", page=3), "page 3"),
        (Passage("x", ("Setup", "Linux")), "Setup › Linux"),
        (Passage("x", ("Setup",), cell=2), "cell 2, Setup"),
    ],
)
def test_places_in_words(passage: Passage, place: str) -> None:
    document = StoredDocument("doc_1", "c", "n", "text/plain", 1, 1, {}, 0.0, 0.0)
    assert DocumentHit(document, passage, 1.0).place == place
