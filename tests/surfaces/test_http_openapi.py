"""The OpenAPI document is complete, and the port keeps to it whatever it is sent."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.support.http import Port
from tests.support.scripted_session import Script
from tests.surfaces.test_http_grounding import CITED
from tests.surfaces.test_http_pull import STEPS, FakePull

from impetus.domain.types import CallPart, End, FinishReason, Piece, Thought, Usage
from impetus.web.app import routes
from impetus.web.metrics import Metrics

#: So many requests for each operation and phase.
EXAMPLES = 30
#: Names of models that exist, so that requests get through; what does not exist is tested elsewhere.
MODELS = ["impetus", "impetus-plain", "impetus-complete", "impetus-embed"]
ASKED = [{"role": "user", "content": "how?"}]
#: A request for each operation that takes more than guessing to get an answer.
GOOD: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "impetus", "messages": ASKED, "conversation": "new", "n": 1},
    "/v1/completions": {"model": "impetus-complete", "prompt": "x"},
    "/v1/fim/completions": {"prompt": "x"},
    "/infill": {"input_prefix": "x"},
    "/v1/responses": {"model": "impetus", "input": "how?", "conversation": "new"},
    "/v1/messages": {"model": "impetus", "messages": ASKED, "max_tokens": 9},
    "/v1/embeddings": {"model": "impetus-embed", "input": ["x"]},
    "/v1/rerank": {"query": "x", "documents": ["y"], "return_documents": True},
    "/v1/rag/search": {"query": "x"},
    "/v1/rag/index": {},
    "/v1/conversations": {"metadata": {"a": "b"}},
    "/api/models/load": {"model": "impetus"},
    "/api/models/unload": {"model": "impetus"},
    "/api/models/pull": {"model": "qwen"},
}
STREAMED = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/fim/completions",
    "/infill",
    "/v1/responses",
    "/v1/messages",
)
#: Of everything that an answer can have.
EVENTS = [CITED[0], Thought("hm"), CITED[1], CallPart(0, "{}", "call_1", "wait"), CITED[2]]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


class Served:
    """A port of its own thread and loop, because schemathesis blocks."""

    def __init__(self) -> None:
        self.url = ""
        self.key = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        port = Port(
            Script(steps=(Piece("pass"), End(FinishReason.STOP, Usage(3, 1)))),
            inference_per_minute=0,
            reads_per_minute=0,
        )
        port.session.engine.pull = FakePull(*STEPS)
        async with port.served() as self.url:
            self.key = port.key
            self._ready.set()
            await self._end.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.close()


def described(served: Served) -> Any:
    schema = httpx.get(f"{served.url}/openapi.json", headers={"authorization": f"Bearer {served.key}"}).json()
    for each in schema["components"]["schemas"].values():
        properties = each.get("properties", {})
        if each.get("title", "").endswith("Request") and "model" in properties:
            properties["model"] = {"enum": MODELS} if "pattern" not in properties["model"] else properties["model"]
        if each.get("title") in ("ChatMessage", "Item"):
            properties["role"] = {"enum": ["user", "assistant", "system"]}
        if "conversation" in properties and "messages" in properties:
            properties["conversation"] = {"enum": ["new"]}
    return schema


def operations() -> list[tuple[str, str]]:
    port = Port()
    metrics = Metrics(port.session.engine.models.memory)
    app = routes(port.session, port.settings, port.keys, metrics)  # type: ignore[arg-type]
    return [(method, path) for path, methods in app.openapi()["paths"].items() for method in methods]


@pytest.mark.parametrize(("method", "path"), operations())
def test_no_failure_and_no_undocumented_answer(served: Served, method: str, path: str) -> None:
    headers = {"authorization": f"Bearer {served.key}"}
    schema = schemathesis.openapi.from_dict(described(served))

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def sent(case: Any) -> None:
        case.call_and_validate(base_url=served.url, headers=headers, checks=CHECKS, timeout=60)

    sent()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", GOOD)
def test_good_requests_are_answered_as_described(served: Served, path: str, stream: bool) -> None:
    if stream and path not in STREAMED:
        return
    schema = schemathesis.openapi.from_dict(described(served))
    body = GOOD[path] | ({"stream": True} if stream else {})
    case = schema[path]["post"].Case(body=body, media_type="application/json")
    headers = {"authorization": f"Bearer {served.key}"}
    assert case.call_and_validate(base_url=served.url, headers=headers, checks=CHECKS, timeout=60).status_code < 300


@pytest.mark.parametrize(("method", "path"), operations())
def test_every_operation_says_who_may_and_asks_for_a_key(served: Served, method: str, path: str) -> None:
    schema = described(served)
    answered = httpx.request(method, f"{served.url}{path}", json={} if method == "post" else None)
    if path == "/api/health/live":
        assert answered.status_code == 200
    else:
        assert answered.status_code == 401
        assert schema["paths"][path][method]["security"]
