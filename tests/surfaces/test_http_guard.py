"""What never reaches a route: wrong Host, foreign pages, other content types, missing keys, oversized bodies."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.support.http import Port

from impetus.errors import BadRequest
from impetus.web.app import routes
from impetus.web.body import too_deep
from impetus.web.guard import Guard, GuardRules, host_allowed
from impetus.web.metrics import Metrics
from impetus.web.port import bind

CHAT = {"model": "impetus", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8551", "127.0.0.1", "127.0.0.1:80", "127.8.8.8", "[::1]", "[::1]:8551", "box.lan:1"],
)
def test_hosts_that_name_this_machine(host: str) -> None:
    assert host_allowed(host, frozenset({"box.lan"}))


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "localhost.evil.example", "evil.example:8551", "127.0.0.1.evil.example", "[::1", "::1]",
        "localhost:port", "localhost:", "192.168.0.4", "0.0.0.0", "[::]", "box.lan.", "a@localhost", "localhost#",
        "[::1]x",
    ],
)  # fmt: skip
def test_hosts_that_do_not(host: str) -> None:
    assert not host_allowed(host, frozenset({"box.lan"}))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_host_and_origin(headers: dict[str, str], status: int) -> None:
    async with Port().client(**headers) as client:
        for answer in (await client.get("/v1/models"), await client.post("/v1/chat/completions", json=CHAT)):
            assert answer.status_code == status
            if status == 403:
                assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


async def test_host_is_checked_before_the_key_and_without_a_key_too() -> None:
    port = Port()
    async with port.client(host="evil.example", authorization="") as client:
        assert (await client.get("/api/health/live")).status_code == 403
        assert (await client.get("/v1/models")).status_code == 403


async def test_a_preflight_of_a_foreign_page_is_refused() -> None:
    async with Port().client(origin="https://evil.example") as client:
        answer = await client.options("/v1/chat/completions", headers={"access-control-request-method": "POST"})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain; application/json", 415),
        ("", 415),
        (None, 415),
    ],
)
async def test_content_type(content_type: str | None, status: int) -> None:
    async with Port().client() as client:
        request = client.build_request("POST", "/v1/chat/completions", json=CHAT)
        del request.headers["content-type"]
        if content_type is not None:
            request.headers["content-type"] = content_type
        assert (await client.send(request)).status_code == status


async def test_a_wrong_content_type_is_refused_without_reading_the_body() -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"x")
        yield b"x"

    async with Port().client() as client:
        answer = await client.post("/v1/chat/completions", content=body(), headers={"content-type": "text/plain"})
    assert (answer.status_code, read) == (415, [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer {key}"}, 200),
        ({"authorization": "bearer {key}"}, 200),
        ({"authorization": "", "x-api-key": "{key}"}, 200),
        ({"authorization": "Bearer none", "api-key": "{key}"}, 200),
        ({"authorization": ""}, 401),
        ({"authorization": "Bearer imp_wrong"}, 401),
        ({"authorization": "Basic {key}"}, 401),
        ({"authorization": "{key}"}, 401),
    ],
)
async def test_key(headers: dict[str, str], status: int) -> None:
    port = Port()
    filled = {name: value.format(key=port.key) for name, value in headers.items()}
    async with port.client(**filled) as client:
        answer = await client.get("/v1/models")
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["error"]["code"] == "AUTH_REQUIRED"
        assert "impetus keys create" in answer.json()["error"]["message"]
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_only_liveness_is_open() -> None:
    async with Port().client(authorization="") as client:
        assert (await client.get("/api/health/live")).json() == {"status": "live"}
        for path in ("/api/health/ready", "/api/health/status", "/openapi.json", "/v1/models", "/nothing"):
            assert (await client.get(path)).status_code == 401


async def test_a_revoked_key_is_refused_from_the_next_request_on() -> None:
    port = Port()
    async with port.client() as client:
        assert (await client.get("/v1/models")).status_code == 200
        port.keys.revoke(port.keys.all()[0].id)
        assert (await client.get("/v1/models")).status_code == 401


async def test_without_require_key_none_is_asked_for() -> None:
    async with Port(require_key=False).client(authorization="") as client:
        assert (await client.get("/v1/models")).status_code == 200


def _small(body_seconds: float = 30.0) -> httpx.AsyncClient:
    port = Port(require_key=False)
    rules = GuardRules(frozenset(), None, max_body=100, body_seconds=body_seconds)
    app = Guard(routes(port.session, port.settings, port.keys, Metrics(dict)), rules)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost")


async def test_a_body_that_says_it_is_too_large() -> None:
    async with _small() as client:
        answer = await client.post("/v1/embeddings", json={"model": "impetus-embed", "input": "x" * 200})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "INVALID_REQUEST")
    assert answer.headers["connection"] == "close"


async def test_a_body_that_turns_out_too_large() -> None:
    sent: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b"x" * 60

    async with _small() as client:
        answer = await client.post("/v1/embeddings", content=body(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert len(sent) <= 3


async def test_a_body_that_does_not_arrive() -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        raise TimeoutError  # what asyncio.timeout makes of a body that is not there in time

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/embeddings", "headers": headers}
    guard = Guard(lambda *_: pytest.fail("reached the application"), GuardRules(frozenset(), None))  # type: ignore[arg-type]
    await guard(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 408


def test_an_address_that_others_reach_needs_keys() -> None:
    with pytest.raises(BadRequest, match="other machines can reach"):
        bind(Port(host="0.0.0.0", require_key=False).settings.http)


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    with bind(Port().settings.http) as first:
        taken = first.getsockname()[1]
        with pytest.raises(BadRequest, match="Choose another one"):
            bind(Port(port=taken).settings.http)


async def test_every_answer_carries_an_id_and_is_not_sniffed() -> None:
    async with Port().client() as client:
        answers = [await client.get("/v1/models"), await client.get("/v1/models")]
    assert answers[0].headers["x-request-id"] != answers[1].headers["x-request-id"]
    assert answers[0].headers["x-content-type-options"] == "nosniff"
    assert answers[0].headers["openai-processing-ms"].isdecimal()


async def test_an_origin_of_the_list_may_ask_and_call() -> None:
    port = Port(allowed_origins=["https://app.example"])
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-stainless-os"}
    cross = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
    async with port.client() as client:
        asked = await client.options("/v1/chat/completions", headers={**cross, **asks, "authorization": ""})
        called = await client.post("/v1/chat/completions", json=CHAT, headers=cross)
        unkeyed = await client.post("/v1/chat/completions", json=CHAT, headers={**cross, "authorization": ""})
        for near in ("https://app.example:444", "http://app.example", "https://app.example.evil", "null"):
            assert (await client.post("/v1/chat/completions", json=CHAT, headers={"origin": near})).status_code == 403
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert "x-stainless-os" in asked.headers["access-control-allow-headers"]
    assert (called.status_code, called.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert "access-control-allow-credentials" not in called.headers
    assert unkeyed.status_code == 401


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * 64 + b"]" * 64, False),
        (b"[" * 65 + b"]" * 65, True),
        (b'{"a":' * 65, True),
        (b"[{}]" * 200, False),
        (b'"' + b"[" * 500 + b'"', False),
        (b'"\\"' + b"[" * 500 + b'"', False),
        (b'"\\\\"' + b"[" * 65, True),
        (b'"' + b'\\"[' * 500_000, False),
        (b'"' + b"\\" * 500_001 + b"[" * 65, False),
    ],
)
def test_depth_counts_brackets_outside_of_strings(body: bytes, deep: bool) -> None:
    assert too_deep(body, 64) is deep


async def test_a_body_that_is_nested_too_deep() -> None:
    deep: object = 1
    for _ in range(64):
        deep = [deep]
    async with Port().client() as client:
        answer = await client.post("/v1/chat/completions", json={**CHAT, "metadata": deep})
    assert (answer.status_code, "64 levels" in answer.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize("model", ["/etc/passwd", "../models/x", "file:///etc", "https://evil.example/m", "org/model"])
async def test_a_model_is_an_id_of_the_list_and_never_a_place(model: str) -> None:
    port = Port()
    async with port.client() as client:
        for path, more in (
            ("/v1/chat/completions", CHAT),
            ("/v1/completions", {"prompt": "x"}),
            ("/v1/embeddings", {"input": "x"}),
        ):
            answer = await client.post(path, json={**more, "model": model, "adapters": model})
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "MODEL_NOT_FOUND")
    assert port.session.calls == []
