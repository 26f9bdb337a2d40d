"""Who may do what with a key, how often, and what is told of it: roles, expiry, limits, the list of keys, the log."""

import asyncio
import logging

import pytest
from tests.support.http import Port, post

from impetus.domain.keys import ROLES, Role
from impetus.web.access import access
from impetus.web.limits import Limits

CHAT = {"model": "impetus-plain", "messages": [{"role": "user", "content": "tell nobody this prompt"}]}


@pytest.mark.parametrize(
    ("method", "path", "role", "limit"),
    [
        ("GET", "/v1/models", "readonly", "read"),
        ("GET", "/api/metrics", "readonly", "read"),
        ("POST", "/v1/rag/search", "readonly", "read"),
        ("POST", "/v1/rerank", "readonly", "read"),
        ("POST", "/v1/chat/completions", "user", "inference"),
        ("POST", "/v1/embeddings", "user", "inference"),
        ("POST", "/infill", "user", "inference"),
        ("POST", "/v1/anything/new", "user", "inference"),
        ("POST", "/v1/rag/index", "admin", "read"),
        ("POST", "/api/models/load", "admin", "read"),
        ("DELETE", "/v1/anything/new", "admin", "read"),
        ("POST", "/api/models/pull", "admin", "read"),
        ("POST", "/v1/conversations", "user", "read"),
        ("GET", "/v1/conversations/x/items", "user", "read"),
        ("DELETE", "/v1/conversations/x", "user", "read"),
        ("POST", "/api/documents/search", "readonly", "read"),
        ("GET", "/api/documents/collections/x", "readonly", "read"),
        ("POST", "/api/documents/ingest", "user", "inference"),
        ("DELETE", "/api/documents/collections/x", "user", "read"),
        ("GET", "/api/keys", "admin", "read"),
        ("GET", "/api/keys/events", "admin", "read"),
    ],
)
def test_what_a_request_needs(method: str, path: str, role: Role, limit: str) -> None:
    assert (access(method, path).role, access(method, path).limit) == (role, limit)


@pytest.mark.parametrize("role", ROLES)
async def test_roles(role: Role) -> None:
    port = Port(role=role)
    async with port.client() as client:
        got = [
            (await client.get("/v1/models")).status_code,
            (await client.post("/v1/chat/completions", json=CHAT)).status_code,
            (await client.get("/api/keys")).status_code,
        ]
    assert got == {"readonly": [200, 403, 403], "user": [200, 200, 403], "admin": [200, 200, 200]}[role]
    assert (port.session.calls == []) is (role == "readonly")


async def test_a_role_that_is_too_small_is_told_which_is_needed() -> None:
    status, body = await post(Port(role="readonly"), "/v1/chat/completions", CHAT)
    assert (status, body["error"]["code"]) == (403, "ROLE_REQUIRED")
    assert "--role user" in body["error"]["message"]


async def test_an_expired_key_is_refused() -> None:
    port = Port()
    expired = port.keys.create("old", days=1e-9).secret
    async with port.client(authorization=f"Bearer {expired}") as client:
        assert (await client.get("/v1/models")).status_code == 401


async def test_limits_count_each_key_and_class_apart() -> None:
    port = Port(inference_per_minute=1, reads_per_minute=3)
    other = port.keys.create("other", "admin").secret
    async with port.client() as client:
        first = await client.post("/v1/chat/completions", json=CHAT)
        second = await client.post("/v1/chat/completions", json=CHAT)
        read = await client.get("/v1/models")
        theirs = await client.post("/v1/chat/completions", json=CHAT, headers={"authorization": f"Bearer {other}"})
    assert [each.status_code for each in (first, second, read, theirs)] == [200, 429, 200, 200]
    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("1", "0")
    assert (read.headers["x-ratelimit-limit"], read.headers["x-ratelimit-remaining"]) == ("3", "2")
    assert 0 < int(first.headers["x-ratelimit-reset"]) <= 60
    assert 0 < int(second.headers["retry-after"]) <= 60
    assert (second.json()["error"]["code"], "x-request-id" in second.headers) == ("RATE_LIMITED", True)
    assert "http.inference_per_minute" in second.json()["error"]["message"]
    assert len([call for call in port.session.calls if call[0] == "chat"]) == 2


async def test_liveness_and_refused_keys_cost_nothing() -> None:
    port = Port(reads_per_minute=1)
    async with port.client() as client:
        for _ in range(3):
            assert (await client.get("/api/health/live")).status_code == 200
            assert (await client.get("/v1/models", headers={"authorization": "Bearer no"})).status_code == 401
        assert [(await client.get("/v1/models")).status_code for _ in range(2)] == [200, 429]


async def test_no_limit_where_none_is_set() -> None:
    async with Port(reads_per_minute=0).client() as client:
        answers = await asyncio.gather(*(client.get("/v1/models") for _ in range(150)))
    assert {answer.status_code for answer in answers} == {200}
    assert "x-ratelimit-limit" not in answers[0].headers


async def test_a_store_that_is_away_refuses_nobody(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(Port(limits_url="redis://127.0.0.1:1/0").settings.http)
    assert await limits.take("key", "read") is None
    assert "http.limits_url" in caplog.text


async def test_keys_in_pages_and_without_secrets() -> None:
    port = Port()
    for number in range(4):
        port.keys.create(f"key {number}", "readonly")
    async with port.client() as client:
        names: list[str] = []
        after: dict[str, str] = {}
        while True:
            answered = await client.get("/api/keys", params={"limit": 2, **after})
            assert port.key not in answered.text and "digest" not in answered.text
            page = answered.json()
            names += [entry["name"] for entry in page["data"]]
            if not page["has_more"]:
                break
            after = {"after": page["last_id"]}
        assert names == [key.name for key in port.keys.all()]
        lost = await client.get("/api/keys", params={"after": "none"})
        many = await client.get("/api/keys", params={"limit": 101})
        events = (await client.get("/api/keys/events")).json()
    assert (lost.status_code, lost.json()["error"]["param"]) == (400, "after")
    assert (many.status_code, many.json()["error"]["param"]) == (400, "limit")
    assert [event["action"] for event in events["data"]] == ["created"] * 5


async def test_the_log_names_requests_and_never_what_they_say(caplog: pytest.LogCaptureFixture) -> None:
    port = Port()
    with caplog.at_level(logging.DEBUG, "impetus"):
        async with port.client() as client:
            await client.post("/v1/chat/completions?secret=question", json=CHAT)
            await client.get("/v1/invented/by/client")
    assert "POST /v1/chat/completions 200" in caplog.text
    assert "GET none 404" in caplog.text
    for secret in ("tell nobody", "question", port.key, "invented"):
        assert secret not in caplog.text
