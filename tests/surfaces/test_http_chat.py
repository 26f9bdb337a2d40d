"""The OpenAI-compatible endpoints: shapes that clients rely on, parameters, errors."""

import json
from typing import Any

import pytest
from tests.support.http import Port, frames, post, refusal
from tests.support.scripted_session import Script, answer

from impetus import errors
from impetus.domain.types import (
    Delta,
    Grounding,
    Message,
    Progress,
    Role,
)
from impetus.web.errors import problem


def ask(model: str = "impetus-plain", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "how?"}], **more}


# -- chat ------------------------------------------------------------------------------------------------------------


async def test_chat_as_one_body() -> None:
    port = Port(Script(events=answer(cited=False)))
    status, body = await post(port, "/v1/chat/completions", ask())
    assert status == 200
    assert body["object"] == "chat.completion"
    assert body["model"] == "impetus-plain"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "It runs [1].", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert body["usage"] == {
        "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "prompt_tokens_details": {"cached_tokens": 2}
    }  # fmt: skip
    assert port.session.ended.is_set()


async def test_chat_in_chunks() -> None:
    script = Script(events=[Progress(3, 9), *answer(cited=False)[1:]])
    status, text = await post(Port(script), "/v1/chat/completions", ask(stream=True))
    assert status == 200
    assert ": keepalive 3/9\n\n" in text
    *chunks, done = frames(text)
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""}, {"content": "It"}, {"content": " runs"}, {"content": " [1]."}, {},
    ]  # fmt: skip
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, None, "stop"]
    assert all("usage" not in chunk for chunk in chunks)


async def test_usage_comes_in_a_chunk_of_its_own_when_asked_for() -> None:
    _, text = await post(Port(), "/v1/chat/completions", ask(stream=True, stream_options={"include_usage": True}))
    *chunks, last, done = frames(text)
    assert done == "[DONE]"
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 10


@pytest.mark.parametrize("stream", [False, True])
async def test_the_workspace_model_searches_and_lists_its_sources(stream: bool) -> None:
    port = Port()
    _, got = await post(port, "/v1/chat/completions", ask("impetus", stream=stream))
    if stream:
        content = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in frames(got)[:-1])
    else:
        content = got["choices"][0]["message"]["content"]
    assert content == "It runs [1].\n\n**Sources**\n\n- [1] `src/app.py:3-5` (run)\n"
    assert port.session.calls[0][1].grounding == Grounding()


async def test_an_answer_that_cites_nothing_does_not_pass_its_passages_off_as_sources() -> None:
    _, body = await post(Port(Script(events=answer(cited=False))), "/v1/chat/completions", ask("impetus"))
    assert "Passages found (none is cited)" in body["choices"][0]["message"]["content"]


async def test_what_reaches_the_session() -> None:
    port = Port()
    messages = [
        {"role": "developer", "content": "Be brief"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": None},
        {"role": "user", "content": "c", "name": "me"},
    ]
    sampling = {"temperature": 0, "top_p": 0.5, "top_k": 4, "seed": 7, "stop": "END", "max_tokens": 5, "min_p": 0.1}
    ignored = {"user": "u", "store": True, "metadata": {"a": "b"}, "n": 1, "tools": [], "logprobs": False, "unknown": 1}
    body = {"model": "impetus-plain", "messages": messages, **sampling, **ignored, "max_completion_tokens": 6}
    status, _ = await post(port, "/v1/chat/completions", body)
    assert status == 200
    turn = port.session.calls[0][1]
    got_messages, got = turn.messages, turn.sampling
    assert got_messages == (
        Message(Role.SYSTEM, "Be brief"),
        Message(Role.USER, "ab"),
        Message(Role.ASSISTANT, ""),
        Message(Role.USER, "c"),
    )
    assert (got.temperature, got.top_p, got.top_k, got.seed, got.stop, got.max_tokens, got.min_p) == (
        0, 0.5, 4, 7, ("END",), 6, 0.1,
    )  # fmt: skip
    assert turn.grounding is None


async def test_defaults_come_from_the_settings() -> None:
    port = Port()
    await post(port, "/v1/chat/completions", ask(stop=["a", "b"], temperature=None))
    sampling = port.session.calls[0][1].sampling
    assert (sampling.max_tokens, sampling.temperature, sampling.stop) == (1024, 0.2, ("a", "b"))


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"n": 5}, "n"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"logprobs": 3}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"x": 2}}, "logit_bias"),
        ({"logit_bias": {"1": 200}}, "logit_bias"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"use_rag": False, "rag_top_k": 3}, "rag_top_k"),
        ({"rag_mode": "vector"}, "rag_mode"),
        ({"rag_top_k": 51}, "rag_top_k"),
        ({"context_documents": [""]}, "context_documents"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": [1]}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stream": "maybe"}, "stream"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages"),
        ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y"}}]}]},
            "messages[0].content",
        ),
        ({"model": None}, "model"),
    ],
)
async def test_what_cannot_be_honored_is_refused_by_name(more: dict[str, Any], parameter: str) -> None:
    port = Port()
    error = await refusal(port, "/v1/chat/completions", ask(**more))
    assert error["type"] == "invalid_request_error"
    assert error["param"] == parameter
    assert port.session.calls == []


async def test_an_unknown_model_is_not_found() -> None:
    error = await refusal(Port(), "/v1/chat/completions", ask("gpt-x"), 404)
    assert (error["code"], error["param"]) == ("MODEL_NOT_FOUND", "model")
    assert "impetus-plain" in error["message"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (errors.ModelUnavailable("No chat model is configured; set chat.model"), 503, "MODEL_NOT_LOADED"),
        (errors.ContextOverflow(4096, 5000), 400, "context_length_exceeded"),
        (errors.Busy("Too much is waiting", retry_after=2.4), 429, "RATE_LIMITED"),
        (errors.EngineStopped("Impetus is stopping"), 503, "SHUTTING_DOWN"),
    ],
)
async def test_an_error_before_the_first_text_has_its_own_status(
    stream: bool, raised: Exception, status: int, code: str
) -> None:
    port = Port(Script(events=[answer()[0], raised]))
    error = await refusal(port, "/v1/chat/completions", ask("impetus", stream=stream), status)
    assert (error["code"], error["message"]) == (code, str(raised))


async def test_an_error_after_the_first_text_is_a_frame() -> None:
    events = [Delta("It"), errors.ModelError("The model failed")]
    _, text = await post(Port(Script(events=events)), "/v1/chat/completions", ask(stream=True))
    last = frames(text)[-1]
    assert last["error"]["message"] == "The model failed"
    assert "[DONE]" not in text


async def test_what_we_did_not_expect_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    port = Port(Script(events=[ValueError("secret of the workspace")]))
    error = await refusal(port, "/v1/chat/completions", ask(), 500)
    assert error["code"] == "INTERNAL_ERROR"
    assert "secret" not in json.dumps(error)
    assert "secret of the workspace" in caplog.text


# -- errors ----------------------------------------------------------------------------------------------------------


def _tree(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(each for child in kind.__subclasses__() for each in _tree(child))]


#: What those are made of that take more than a message.
FIGURES = {errors.ContextOverflow: (1, 2), errors.InsufficientMemory: ("big", 3, 2)}


@pytest.mark.parametrize("kind", _tree(errors.ImpetusError))
def test_every_error_of_ours_has_a_status_of_its_own(kind: type[Exception]) -> None:
    error = kind(*FIGURES.get(kind, ("what to do",)))
    mapped = problem(error)
    assert mapped.code != "INTERNAL_ERROR"
    assert mapped.message == str(error)
    assert mapped.status >= 400
    if kind is not errors.ImpetusError:
        assert mapped.code != "FAILED"


def test_a_lack_of_memory_is_not_tried_again() -> None:
    mapped = problem(errors.InsufficientMemory("big", 8_000_000_000, 2_000_000_000))
    assert (mapped.status, mapped.code, mapped.headers["x-should-retry"]) == (507, "INSUFFICIENT_MEMORY", "false")
    assert "8.0 GB" in mapped.message


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"model":' * 50_000, b'{"model": NaN}'],
)
async def test_bodies_that_are_no_request(body: bytes) -> None:
    async with Port().client() as client:
        for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
            got = await client.post(path, content=body, headers={"content-type": "application/json"})
            assert got.status_code == 400, got.text
            assert got.json()["error"]["type"] == "invalid_request_error"


async def test_a_lone_surrogate_is_refused() -> None:
    content = b'{"model": "impetus-plain", "messages": [{"role": "user", "content": "\\ud800"}]}'
    async with Port().client() as client:
        got = await client.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"})
    assert got.status_code == 400


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("GET", "/v1/embeddings", 405)])
async def test_unknown_places(method: str, path: str, status: int) -> None:
    async with Port().client() as client:
        got = await client.request(method, path)
    assert got.status_code == status
    assert set(got.json()["error"]) == {"message", "type", "param", "code"}
