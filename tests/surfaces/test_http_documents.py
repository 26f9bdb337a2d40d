"""`/api/documents/*`, and documents in the search of a workspace."""

import base64
from pathlib import Path
from typing import Any

import pytest
from tests.support.document_files import pdf
from tests.support.documents import documents_in
from tests.support.http import Port, post, refusal
from tests.support.scripted_session import HIT, ROOT

from impetus.domain.keys import Role

GUIDE = "# Guide\n\n## Install\n\nRun the installer.\n\n## Remove\n\nDelete the folder.\n"
HERE = "/api/documents"


@pytest.fixture
def port(tmp_path: Path) -> Port:
    made = Port(role="user")
    made.session.engine.documents = documents_in(tmp_path)
    return made


async def ingest(port: Port, *documents: dict[str, Any], collection: str = "manuals") -> list[dict[str, Any]]:
    status, got = await post(port, f"{HERE}/ingest", {"collection": collection, "documents": list(documents)})
    assert status == 200, got
    assert (got["object"], got["collection"]) == ("list", collection)
    return got["data"]  # type: ignore[no-any-return]


async def get(port: Port, path: str, status: int = 200, method: str = "GET") -> dict[str, Any]:
    async with port.client() as client:
        answer = await client.request(method, f"{HERE}/{path}")
    assert answer.status_code == status, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def test_documents_are_added_and_found(port: Port) -> None:
    file = base64.b64encode(pdf("Nothing", "Installer of the paper")).decode()
    metadata = {"year": 2026, "tags": ["a", "b"], "draft": False}
    text, paper = await ingest(
        port,
        {"name": "../../etc/guide.md", "content": GUIDE, "metadata": metadata},
        {"name": "paper", "content_base64": file, "media_type": "application/pdf"},
    )
    assert (text["status"], text["new_passages"], text["error"]) == ("added", 2, None)
    assert text["document"]["metadata"] == metadata
    assert (paper["document"]["media_type"], paper["document"]["passages"]) == ("application/pdf", 2)

    status, got = await post(port, f"{HERE}/search", {"query": "installer", "collection": "manuals", "top_k": 5})
    assert status == 200
    assert [hit["index"] for hit in got["data"]] == [0, 1]
    by_name = {hit["name"]: hit for hit in got["data"]}
    first, second = by_name["../../etc/guide.md"], by_name["paper"]
    assert (first["text"], first["headings"], first["page"]) == ("Run the installer.", ["Guide", "Install"], None)
    assert (first["document_id"], first["metadata"]) == (text["document"]["id"], metadata)
    assert (second["text"], second["page"], second["cell"]) == ("Installer of the paper", 2, None)

    for filters, names in (({"tags": "b"}, ["../../etc/guide.md"]), ({"year": [1, 2]}, []), ({"draft": True}, [])):
        _, got = await post(port, f"{HERE}/search", {"query": "installer", "filters": filters})
        assert [hit["name"] for hit in got["data"]] == names


async def test_the_same_again_changes_nothing(port: Port) -> None:
    document = {"name": "guide.md", "content": GUIDE}
    await ingest(port, document)
    assert [(each["status"], each["new_passages"]) for each in await ingest(port, document)] == [("unchanged", 0)]
    (changed,) = await ingest(port, {**document, "content": GUIDE.replace("folder", "rest")})
    assert (changed["status"], changed["new_passages"], changed["removed_passages"]) == ("updated", 1, 1)


async def test_one_that_cannot_be_read_does_not_stop_the_others(port: Port) -> None:
    broken = {"name": "broken.pdf", "content": "no pdf"}
    failed, good = await ingest(port, broken, {"name": "a.md", "content": "fox"})
    assert (failed["status"], failed["document"], good["status"]) == ("failed", None, "added")
    assert set(failed["error"]) == {"message", "type", "param", "code"}
    assert failed["error"]["code"] == "INVALID_REQUEST" and "broken.pdf cannot be read" in failed["error"]["message"]
    error = await refusal(port, f"{HERE}/ingest", {"documents": [broken, broken]})
    assert (error["code"], error["param"]) == ("INVALID_REQUEST", "content")


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": [{"name": "a.md"}]}, "documents"),
        ({"documents": [{"name": "a.md", "content": "x", "content_base64": "eA=="}]}, "documents"),
        ({"documents": [{"name": "a.md", "content": "x", "path": "/etc/passwd"}]}, "documents"),
        ({"documents": [{"name": "a.md", "content": "x", "url": "http://x"}]}, "documents"),
        ({"documents": [{"name": "a.md", "content": "x"}] * 101}, "documents"),
        ({"documents": [{"name": "a.md", "content_base64": "%"}]}, "content_base64"),
        ({"documents": [{"name": "a.exe", "content": "x"}]}, "media_type"),
        ({"documents": [{"name": ".env", "content": "x"}]}, "name"),
        ({"documents": [{"name": "a.md", "content": "x", "metadata": {"a b": 1}}]}, "metadata"),
        ({"collection": "a/b", "documents": [{"name": "a.md", "content": "x"}]}, "collection"),
    ],
)
async def test_what_cannot_be_added_is_refused_by_name(port: Port, body: dict[str, Any], parameter: str) -> None:
    assert (await refusal(port, f"{HERE}/ingest", body))["param"] == parameter
    assert (await get(port, "collections"))["data"] == []


@pytest.mark.parametrize(
    ("body", "status", "parameter"),
    [
        ({"query": ""}, 400, "query"),
        ({"query": "x", "top_k": 0}, 400, "top_k"),
        ({"query": "x", "filters": {"a b": 1}}, 400, "filters"),
        ({"query": "x", "filters": {"a": {"b": 1}}}, 400, "filters"),
        ({"query": "x", "where": {}}, 400, "where"),
        ({"query": "x", "collection": "none"}, 404, None),
    ],
)
async def test_searches_that_are_refused(port: Port, body: dict[str, Any], status: int, parameter: str | None) -> None:
    assert (await refusal(port, f"{HERE}/search", body, status))["param"] == parameter


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("search", '{"query": "\\ud800 x"}', 400),
        ("search", '{"query": "x\\u0000"}', 200),
        ("search", '{"query": "x", "collection": "\\ud800"}', 400),
        ("search", '{"query": "x", "filters": {"a": "\\ud800"}}', 400),
        ("search", '{"query": "x", "filters": {"a": NaN}}', 400),
        ("ingest", '{"documents": [{"name": "a.md", "content": "\\ud800 x\\u0000y"}]}', 400),
        ("ingest", '{"documents": [{"name": "a.md", "content": "\\ud800 x"}]}', 200),
        ("ingest", '{"documents": [{"name": "\\ud800.md", "content": "x"}]}', 400),
        ("ingest", '{"documents": [{"name": "a.md", "content": "x", "metadata": {"a": 1e400}}]}', 400),
    ],
)
async def test_what_json_can_say_and_text_cannot(port: Port, path: str, body: str, status: int) -> None:
    async with port.client() as client:
        answer = await client.post(f"{HERE}/{path}", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text


async def test_lists_come_in_pages(port: Port) -> None:
    for name in ("b", "a", "c"):
        await ingest(port, *({"name": f"{number}.md", "content": "x"} for number in range(3)), collection=name)
    first = await get(port, "collections?limit=2")
    assert ([each["id"] for each in first["data"]], first["has_more"]) == (["a", "b"], True)
    last = await get(port, f"collections?after={first['last_id']}")
    assert ([each["id"] for each in last["data"]], last["has_more"]) == (["c"], False)
    assert last["data"][0]["documents"] == 3 and last["data"][0]["passages"] == 3
    documents = await get(port, "collections/a/documents?limit=2")
    assert [each["name"] for each in documents["data"]] == ["0.md", "1.md"]
    rest = await get(port, f"collections/a/documents?limit=2&after={documents['last_id']}")
    assert ([each["name"] for each in rest["data"]], rest["has_more"]) == (["2.md"], False)
    assert (await get(port, "collections?after=none", 400))["error"]["param"] == "after"


async def test_one_is_shown_and_deleted(port: Port) -> None:
    (added,) = await ingest(port, {"name": "a.md", "content": "fox"})
    await ingest(port, {"name": "b.md", "content": "dog"})
    one = f"collections/manuals/documents/{added['document']['id']}"
    assert await get(port, one) == added["document"]
    assert (await get(port, "collections/manuals"))["documents"] == 2
    assert await get(port, one, method="DELETE") == {
        "id": added["document"]["id"], "object": "document.deleted", "deleted": True
    }  # fmt: skip
    assert (await get(port, "collections/manuals", method="DELETE"))["object"] == "collection.deleted"
    for path in (one, "collections/manuals", "collections/manuals/documents"):
        assert (await get(port, path, 404))["error"]["code"] == "NOT_FOUND"
    for path in (one, "collections/manuals"):
        assert (await get(port, path, 404, "DELETE"))["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(("role", "expected"), [("readonly", [403, 403, 200, 200]), ("user", [200, 200, 200, 200])])
async def test_roles(port: Port, role: Role, expected: list[int]) -> None:
    await ingest(port, {"name": "a.md", "content": "fox"}, {"name": "b.md", "content": "x"})
    await ingest(port, {"name": "a.md", "content": "fox"}, collection="other")
    port.key = port.keys.create("other", role).secret
    async with port.client() as client:
        documents = [{"name": "c.md", "content": "x"}]
        got = [
            await client.post(f"{HERE}/ingest", json={"documents": documents}),
            await client.delete(f"{HERE}/collections/other"),
            await client.post(f"{HERE}/search", json={"query": "fox"}),
            await client.get(f"{HERE}/collections"),
        ]
    assert [answer.status_code for answer in got] == expected


async def test_a_store_that_fails(tmp_path: Path, port: Port) -> None:
    (tmp_path / "documents.sqlite").mkdir()
    error = await refusal(port, f"{HERE}/search", {"query": "x"}, 500)
    assert error["code"] == "RAG_INDEX_ERROR"


async def test_the_openapi_document_shows_every_body(port: Port) -> None:
    async with port.client() as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    shown = {path: methods for path, methods in paths.items() if path.startswith(HERE)}
    assert len(shown) == 6
    for methods in shown.values():
        for method, operation in methods.items():
            assert "$ref" in operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert {"400", "401", "403", "404", "429", "500"} <= set(operation["responses"])
            assert ("requestBody" in operation) is (method == "post")


async def test_documents_together_with_the_workspace(port: Port) -> None:
    await port.session.open_root(ROOT)
    await ingest(port, {"name": "guide.md", "content": GUIDE})
    await ingest(port, {"name": "other.md", "content": "Another installer"}, collection="other")

    async def kinds(collection: str | None) -> list[str]:
        status, got = await post(port, "/v1/rag/search", {"query": "installer", "collection": collection})
        assert status == 200, got
        assert [hit["index"] for hit in got["data"]] == list(range(len(got["data"])))
        assert all(0 < hit["score"] <= 1 for hit in got["data"])
        return sorted(hit.get("path") or hit["name"] for hit in got["data"])

    assert await kinds(None) == [HIT.path]
    assert await kinds("manuals") == ["guide.md", HIT.path]
    assert await kinds("*") == ["guide.md", "other.md", HIT.path]
    assert (await refusal(port, "/v1/rag/search", {"query": "x", "collection": "none"}, 404))["code"] == "NOT_FOUND"
