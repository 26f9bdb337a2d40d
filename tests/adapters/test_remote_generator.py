"""The remote generator against a real HTTP server on this machine, scripted per test."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from impetus.adapters.remote_generator import RemoteGenerator
from impetus.domain.types import (
    CallPart,
    ChatPrompt,
    End,
    FinishReason,
    InfillPrompt,
    JsonSchema,
    Message,
    Piece,
    Prompt,
    Role,
    Sampling,
    Step,
    TextPrompt,
    Thought,
    Tool,
    ToolCall,
    ToolUse,
    Usage,
)
from impetus.errors import BadRequest, Busy, ContextOverflow, ModelError

CHAT = ChatPrompt((Message(Role.SYSTEM, "s"), Message(Role.USER, "u")))


class Server:
    """Answers every request with `status`, `headers` and `body`; keeps what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.headers = {"Content-Type": "text/event-stream"}
        self.body: list[bytes] = []
        self.paths: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.hold: threading.Event | None = None
        self.broken_pipe = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.paths.append(self.path)
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b"".join(outer.body))

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.paths.append(self.path)
                outer.requests.append(json.loads(self.rfile.read(length)))
                outer.keys.append(self.headers["Authorization"])
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for part in outer.body:
                        self.wfile.write(part)
                        self.wfile.flush()
                    if outer.hold is not None:
                        outer.hold.wait(10)
                        while True:
                            self.wfile.write(b": still here\n\n" * 1000)
                except OSError:
                    outer.broken_pipe.set()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def events(self, *values: Any, done: bool = True) -> None:
        lines = [f"data: {json.dumps(value)}\n\n" for value in values]
        self.body = [line.encode() for line in [*lines, *(["data: [DONE]\n\n"] if done else [])]]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
async def generator(server: Server) -> AsyncIterator[RemoteGenerator]:
    made = RemoteGenerator(server.url, "big", "secret")
    yield made
    await made.close()


def delta(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}]}


async def run(generator: RemoteGenerator, prompt: Prompt = CHAT, sampling: Sampling | None = None) -> tuple[str, End]:
    async with aclosing(generator.stream(prompt, sampling or Sampling())) as stream:
        steps = [step async for step in stream]
    assert isinstance(steps[-1], End)
    return "".join(step.text for step in steps if isinstance(step, Piece)), steps[-1]


async def test_chat_streams_and_counts(server: Server, generator: RemoteGenerator) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}
    server.events(delta("Hel"), delta("lo é", "stop"), {"choices": [], "usage": usage})
    assert await run(generator, sampling=Sampling(seed=1, stop=("X",))) == (
        "Hello é",
        End(FinishReason.STOP, Usage(7, 2, 3)),
    )
    assert server.paths == ["/v1/chat/completions"]
    assert server.keys == ["Bearer secret"]
    body = server.requests[0]
    assert body["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    assert (body["model"], body["stream"], body["seed"], body["stop"]) == ("big", True, 1, ["X"])
    assert "top_k" not in body
    assert generator.state == "ready"


async def test_biases_and_a_schema_are_handed_on(server: Server, generator: RemoteGenerator) -> None:
    server.events(delta("{}", "stop"))
    await run(generator, sampling=Sampling(logit_bias=((7, -1.5),), grammar=JsonSchema('{"type": "object"}')))
    body = server.requests[0]
    assert body["logit_bias"] == {"7": -1.5}
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


async def test_scores_are_refused_and_not_left_out(server: Server, generator: RemoteGenerator) -> None:
    with pytest.raises(BadRequest, match="leave logprobs out"):
        await run(generator, sampling=Sampling(top_logprobs=0))
    assert server.requests == []


async def test_infill_sends_prefix_and_suffix(server: Server, generator: RemoteGenerator) -> None:
    server.events({"choices": [{"text": "mid", "finish_reason": "length"}]})
    found, end = await run(generator, InfillPrompt("pre", "suf", "a.py"), Sampling(top_k=5))
    assert (found, end.reason) == ("mid", FinishReason.LENGTH)
    assert server.paths == ["/v1/completions"]
    body = server.requests[0]
    assert (body["prompt"], body["suffix"], body["top_k"]) == ("pre", "suf", 5)


async def test_text_has_no_suffix(server: Server, generator: RemoteGenerator) -> None:
    server.events({"choices": [{"text": "more"}]})
    assert (await run(generator, TextPrompt("some")))[0] == "more"
    assert "suffix" not in server.requests[0]


async def test_events_may_be_cut_anywhere_and_end_without_a_mark(server: Server, generator: RemoteGenerator) -> None:
    data = f": ping\n\ndata: {json.dumps(delta('a'))}\r\n\r\ndata:{json.dumps(delta('é'))}".encode()
    server.body = [data[i : i + 3] for i in range(0, len(data), 3)]
    assert (await run(generator))[0] == "aé"


async def test_an_answer_in_one_piece_is_taken(server: Server, generator: RemoteGenerator) -> None:
    server.headers = {"Content-Type": "application/json"}
    server.body = [json.dumps({"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]}).encode()]
    assert (await run(generator))[0] == "whole"


async def test_stop_strings_hold_even_where_the_server_ignores_them(server: Server, generator: RemoteGenerator) -> None:
    server.events(delta("one E"), delta("ND two"), delta(" three"))
    assert (await run(generator, sampling=Sampling(stop=("END",))))[0] == "one "


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, {"error": {"message": "no such key"}}, "no such key.*chat.api_key_env"),
        (404, {"error": "unknown model"}, "unknown model.*chat.model"),
        (500, "<html>oops</html>", "oops.*server's log"),
        (503, "", "Service Unavailable"),
    ],
)
async def test_a_refusal_carries_the_servers_words_and_what_to_do(
    server: Server, generator: RemoteGenerator, status: int, body: Any, says: str
) -> None:
    server.status = status
    server.body = [(body if isinstance(body, str) else json.dumps(body)).encode()]
    with pytest.raises(ModelError, match=f"{status}.*{says}"):
        await run(generator)
    assert generator.state == "failed"
    server.status = 200
    server.events(delta("fine"))
    assert (await run(generator))[0] == "fine"
    assert generator.state == "ready"


async def test_a_busy_server_says_when_to_come_back(server: Server, generator: RemoteGenerator) -> None:
    server.status, server.headers = 429, {"Retry-After": "7"}
    server.body = [b'{"error": {"message": "slow down"}}']
    with pytest.raises(Busy, match="slow down") as refused:
        await run(generator)
    assert refused.value.retry_after == 7


@pytest.mark.parametrize("event", [b"data: {broken\n\n", b"data: 5\n\n", b'data: {"error": {"message": "gone"}}\n\n'])
async def test_a_broken_stream_is_an_error(server: Server, generator: RemoteGenerator, event: bytes) -> None:
    server.events(delta("begun"), done=False)
    server.body.append(event)
    with pytest.raises(ModelError):
        await run(generator)


async def test_something_that_is_no_such_server(server: Server, generator: RemoteGenerator) -> None:
    server.headers, server.body = {"Content-Type": "text/html"}, [b"<html>"]
    with pytest.raises(ModelError, match="/v1"):
        await run(generator)


async def test_nobody_at_the_address() -> None:
    spare = Server()
    spare.close()
    generator = RemoteGenerator(spare.url, "m", setting="completion")
    with pytest.raises(ModelError, match=r"start it, or change completion\.base_url"):
        await run(generator)
    await generator.close()


async def test_a_url_that_is_none() -> None:
    generator = RemoteGenerator("localhost:8080/v1", "m")
    with pytest.raises(ModelError, match=r"chat\.base_url"):
        await run(generator)
    await generator.close()


async def test_a_server_that_falls_silent_is_given_up(server: Server) -> None:
    server.hold = threading.Event()
    server.events(delta("begun"), done=False)
    generator = RemoteGenerator(server.url, "m", timeout=httpx.Timeout(5.0, read=0.05))
    with pytest.raises(ModelError, match="cannot be used"):
        await run(generator)
    server.hold.set()
    await generator.close()


async def test_leaving_the_stream_closes_the_connection(server: Server, generator: RemoteGenerator) -> None:
    server.hold = threading.Event()
    server.events(delta("one"), done=False)
    async with aclosing(generator.stream(CHAT, Sampling())) as stream:
        assert await anext(stream) == Piece("one")
    server.hold.set()
    assert await asyncio.to_thread(server.broken_pipe.wait, 10)


async def test_a_request_can_be_left_while_the_server_is_silent(server: Server, generator: RemoteGenerator) -> None:
    server.hold = threading.Event()
    server.events(delta("one"), done=False)
    first = asyncio.Event()

    async def read() -> None:
        async with aclosing(generator.stream(CHAT, Sampling())) as stream:
            async for _ in stream:
                first.set()

    request = asyncio.create_task(read())
    await first.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    server.hold.set()
    assert await asyncio.to_thread(server.broken_pipe.wait, 10)


# -- tools, thoughts, health -----------------------------------------------------------------------------------------

LOOK = Tool("look", "Look at a place", '{"type": "object", "properties": {"at": {"type": "string"}}}')


async def steps(generator: RemoteGenerator, prompt: Prompt) -> list[Step]:
    async with aclosing(generator.stream(prompt, Sampling())) as stream:
        return [step async for step in stream]


def said(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta, "finish_reason": None}]}


async def test_tools_calls_and_effort_are_handed_on(server: Server, generator: RemoteGenerator) -> None:
    server.events(delta("ok", "stop"))
    call = ToolCall("call_1", "look", '{"at": "x"}')
    messages = (
        Message(Role.USER, "u"),
        Message(Role.ASSISTANT, "", (call,), reasoning="hm"),
        Message(Role.TOOL, "a wall", tool_call_id="call_1"),
    )
    await run(generator, ChatPrompt(messages, ToolUse((LOOK,), "named", "look", parallel=False), "high"))
    body = server.requests[0]
    assert body["messages"] == [
        {"role": "user", "content": "u"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "x"}'}}
            ],
            "reasoning_content": "hm",
        },
        {"role": "tool", "content": "a wall", "tool_call_id": "call_1"},
    ]
    schema = {"type": "object", "properties": {"at": {"type": "string"}}}
    function = {"name": "look", "description": "Look at a place", "parameters": schema}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert (body["parallel_tool_calls"], body["reasoning_effort"]) == (False, "high")


async def test_calls_and_thoughts_are_passed_through_as_they_come(server: Server, generator: RemoteGenerator) -> None:
    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    second = {"index": 1, "id": "call_2", "type": "function", "function": {"name": "wait", "arguments": "{}"}}
    server.events(
        said(role="assistant", reasoning_content="hm"),
        said(reasoning="so"),
        said(tool_calls=[first]),
        said(tool_calls=[{"index": 0, "function": {"arguments": '{"at"'}}]),
        said(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}, second]),
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
    )
    *given, last = await steps(generator, CHAT)
    assert given == [
        Thought("hm"), Thought("so"), CallPart(0, "", "call_1", "look"), CallPart(0, '{"at"'), CallPart(0, ": 1}"),
        CallPart(1, "{}", "call_2", "wait"),
    ]  # fmt: skip
    assert isinstance(last, End) and last.reason is FinishReason.TOOL_CALLS


async def test_calls_without_numbers_and_ids_get_them(server: Server, generator: RemoteGenerator) -> None:
    """Ollama and some others send whole calls, with objects as arguments."""
    calls = [{"function": {"name": name, "arguments": {"at": 1}}} for name in ("look", "wait")]
    server.events({"choices": [{"message": {"content": "", "tool_calls": calls}, "finish_reason": "tool_calls"}]})
    one, two, _ = await steps(generator, CHAT)
    assert isinstance(one, CallPart) and isinstance(two, CallPart)
    assert (one.index, one.name, one.arguments, two.index, two.name) == (0, "look", '{"at": 1}', 1, "wait")
    assert one.id and two.id and one.id != two.id


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "too long", "code": "context_length_exceeded"}},
        {"object": "error", "message": "This model's maximum context length is 4096 tokens."},
        {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it"}},
    ],
)
async def test_a_prompt_that_is_too_long_there_is_told_as_such(
    server: Server, generator: RemoteGenerator, body: Any
) -> None:
    server.status, server.body = 400, [json.dumps(body).encode()]
    with pytest.raises(ContextOverflow):
        await run(generator)


@pytest.mark.parametrize("status", [400, 422])
async def test_what_the_server_finds_wrong_with_a_request_is_the_callers(
    server: Server, generator: RemoteGenerator, status: int
) -> None:
    error = {"error": {"message": "no such tool form", "param": "tools", "code": None}}
    server.status, server.body = status, [json.dumps(error).encode()]
    with pytest.raises(BadRequest, match="no such tool form") as refused:
        await run(generator)
    assert refused.value.parameter == "tools"


async def test_a_check_says_whether_the_server_is_there_and_how_much_fits(
    server: Server, generator: RemoteGenerator
) -> None:
    server.body = [json.dumps({"data": [{"id": "small"}, {"id": "big", "max_model_len": 4321}]}).encode()]
    await generator.check()
    assert (server.paths, generator.state, generator.context_length) == (["/v1/models"], "ready", 4321)
    server.status = 401
    await generator.check()
    assert generator.state == "failed" and "api_key_env" in generator.detail
    server.close()
    await generator.check()
    assert generator.state == "failed" and "start it" in generator.detail
