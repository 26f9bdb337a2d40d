"""A model server behind the port: retrieval on our side, its stream passed through, its failures told as ours."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.http import Port, frames, post, refusal, send
from tests.support.upstream import Upstream

from impetus.app import create_engine
from impetus.config import resolve
from impetus.services.session import Session

DEADLINE = 30
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.close()


@pytest.fixture
async def port(upstream: Upstream, tmp_path: Path, root: Path) -> AsyncIterator[Port]:
    (root / "gate.py").write_text("def open_gate(name):\n    return f'{name} is open'\n", "utf-8")
    chat = {"base_url": upstream.url, "model": "scripted"}
    settings, _ = resolve({"chat": chat, "index": {"watch": False, "processes": 1}, "http": {"port": 0}})
    engine = await create_engine(settings, home=tmp_path / "home")
    session = Session(engine)
    await session.open_root(root)
    await session.indexed()
    made = Port()
    made.session = session  # type: ignore[assignment]
    yield made
    await session.close()
    await engine.close()


def ask(text: str, model: str = "impetus-plain", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


async def test_passages_are_added_here_and_cited(port: Port, upstream: Upstream) -> None:
    _, body = await post(port, "/v1/chat/completions", ask("Where is open_gate? [1]", "impetus"))
    message = body["choices"][0]["message"]
    assert message["content"].startswith("You asked: Where is open_gate? [1]")
    assert message["annotations"][0]["url_citation"]["path"] == "gate.py"
    assert "def open_gate(name):" in upstream.requests[0]["messages"][-1]["content"]
    assert body["usage"]["prompt_tokens"] == 5


async def test_documents_of_a_collection_are_added_and_cited_too(port: Port, upstream: Upstream) -> None:
    document = {"name": "manual.md", "content": "# Gates\n\nA gate is oiled every month.\n"}
    status, added = await post(port, "/api/documents/ingest", {"collection": "manuals", "documents": [document]})
    assert status == 200, added
    body = ask("How often is a gate oiled? [1]", rag_collection="manuals")
    _, got = await post(port, "/v1/chat/completions", body)
    citation = got["choices"][0]["message"]["annotations"][0]["url_citation"]
    assert (citation["path"], citation["root"], citation["symbol"]) == ("manual.md", None, "Gates")
    assert "oiled every month" in upstream.requests[0]["messages"][-1]["content"]
    error = await refusal(port, "/v1/chat/completions", ask("x", rag_collection="nothing"), 404)
    assert error["code"] == "NOT_FOUND"


async def test_deltas_are_passed_through_as_they_come(port: Port, upstream: Upstream) -> None:
    upstream.hold()
    async with asyncio.timeout(DEADLINE), port.served() as url:
        reader, writer = await send(url, port.key, "/v1/chat/completions", ask("one two", stream=True))
        assert b'"You "' in await reader.readuntil(b'"You "')  # while the upstream has not gone on
        upstream.let_go()
        assert b"[DONE]" in await reader.readuntil(b"[DONE]")
        writer.close()


async def test_calls_go_through_whole_and_streamed(port: Port) -> None:
    _, body = await post(port, "/v1/chat/completions", ask("weather", tools=TOOLS))
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert (call["function"], body["choices"][0]["finish_reason"]) == (
        {"name": "weather", "arguments": '{"city": "Paris"}'}, "tool_calls",
    )  # fmt: skip
    _, text = await post(port, "/v1/chat/completions", ask("weather", tools=TOOLS, stream=True))
    calls = [call for chunk in frames(text)[:-1] for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city": "Paris"}'
    assert [call["index"] for call in calls] == [0, 0, 0]


async def test_thoughts_go_through(port: Port) -> None:
    _, body = await post(port, "/v1/chat/completions", ask("x", reasoning_effort="low"))
    message = body["choices"][0]["message"]
    assert (message["reasoning"], message["content"]) == ("hm", "You asked: x")


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (400, {"error": {"message": "maximum context length is 9 tokens"}}, 400, "context_length_exceeded"),
        (400, {"error": {"message": "no", "param": "tools"}}, 400, "INVALID_REQUEST"),
        (401, {"error": {"message": "no key"}}, 500, "INFERENCE_ERROR"),
        (429, {"error": {"message": "slow down"}}, 429, "RATE_LIMITED"),
        (500, {"error": {"message": "broken"}}, 500, "INFERENCE_ERROR"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True])
async def test_its_failures_are_told_as_ours(
    port: Port, upstream: Upstream, status: int, body: Any, expected: int, code: str, stream: bool
) -> None:
    upstream.fails = (status, json.dumps(body))
    error = await refusal(port, "/v1/chat/completions", ask("x", stream=stream), expected)
    assert error["code"] == code


async def test_the_status_says_whether_it_is_there(port: Port, upstream: Upstream) -> None:
    async def chat_state() -> dict[str, Any]:
        async with port.client() as client:
            models = (await client.get("/api/health/status")).json()["models"]
            listed = (await client.get("/v1/models/impetus")).json()
        state = next(model for model in models if model["role"] == "chat")
        return {"state": state["state"], "detail": state["detail"], "context": listed["context_length"]}

    assert await chat_state() == {"state": "ready", "detail": upstream.url, "context": 32768}
    upstream.close()
    gone = await chat_state()
    assert gone["state"] == "failed" and "start it" in gone["detail"]
