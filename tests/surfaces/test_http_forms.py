"""The same answers in other forms: Responses, Messages, Mistral's and llama.cpp's fill-in-the-middle."""

import json
from typing import Any

import pytest
from tests.support.http import Port, frames, post, refusal
from tests.support.scripted_session import ROOT, Script, answer

from impetus import errors
from impetus.domain.types import (
    ANY_OBJECT,
    ContextFile,
    Delta,
    End,
    Finish,
    FinishReason,
    Grounding,
    InfillPrompt,
    Message,
    Piece,
    Prefill,
    Progress,
    Role,
    TokenScore,
    Usage,
)

STEPS = (Prefill(5, 10), Piece("re"), Piece(""), Piece("turn"), End(FinishReason.LENGTH, Usage(10, 2, 4)))


def named(text: str) -> list[tuple[str, dict[str, Any]]]:
    """(event, data) of each named event."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block.startswith("event: ")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


# -- responses -------------------------------------------------------------------------------------------------------


async def test_a_response() -> None:
    port = Port()
    status, body = await post(
        port,
        "/v1/responses",
        {
            "model": "impetus-plain",
            "instructions": "Be brief",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
                {"role": "user", "content": "c"},
            ],
            "max_output_tokens": 9,
            "text": {"format": {"type": "json_object"}},
            "store": True,
            "reasoning": {"effort": "low"},
            "tools": [],
        },
    )
    assert status == 200, body
    assert (body["object"], body["status"], body["store"]) == ("response", "completed", False)
    (item,) = body["output"]
    assert (item["type"], item["role"], item["content"][0]["type"]) == ("message", "assistant", "output_text")
    assert item["content"][0]["text"] == "It runs [1]."
    assert body["usage"] == {
        "input_tokens": 7, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 10,
    }  # fmt: skip
    turn = port.session.calls[0][1]
    messages, sampling, retrieval = turn.messages, turn.sampling, turn.grounding is not None
    assert messages == (
        Message(Role.SYSTEM, "Be brief"), Message(Role.USER, "a"), Message(Role.ASSISTANT, "b"),
        Message(Role.USER, "c"),
    )  # fmt: skip
    assert (sampling.max_tokens, sampling.grammar, retrieval) == (9, ANY_OBJECT, False)


async def test_a_response_in_events() -> None:
    events = [Progress(1, 2), Delta("It"), Delta(""), Delta(" runs"), Finish(FinishReason.LENGTH, "m", Usage(1, 2))]
    _, text = await post(Port(Script(events=events)), "/v1/responses", {
        "model": "impetus-plain", "input": "how?", "stream": True
    })  # fmt: skip
    got = named(text)
    assert [name for name, _ in got] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.incomplete",
    ]  # fmt: skip
    assert [data["sequence_number"] for _, data in got] == list(range(len(got)))
    assert all(data["type"] == name for name, data in got)
    assert [data["delta"] for name, data in got if name.endswith("delta")] == ["It", " runs"]
    last = got[-1][1]["response"]
    assert last["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["output"][0]["content"][0]["text"] == "It runs"
    assert last["id"] == got[0][1]["response"]["id"]


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0]"),
        ({"input": [{"type": "computer_call", "call_id": "1"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://x"}]}]}, "input[0]"),
        ({"input": ""}, "input"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
async def test_responses_refuse_by_name(more: dict[str, Any], parameter: str) -> None:
    port = Port()
    error = await refusal(port, "/v1/responses", {"model": "impetus-plain", "input": "x", **more})
    assert (error["param"], port.session.calls) == (parameter, [])


# -- messages --------------------------------------------------------------------------------------------------------

ASK = {"model": "impetus-plain", "max_tokens": 9, "messages": [{"role": "user", "content": "how?"}]}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/v1/messages"])
async def test_a_message(path: str) -> None:
    port = Port()
    system = [{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}]
    status, body = await post(port, path, {**ASK, "system": system, "stop_sequences": ["END"], "top_k": 3})
    assert status == 200, body
    assert (body["type"], body["role"], body["stop_reason"]) == ("message", "assistant", "end_turn")
    assert body["content"] == [{"type": "text", "text": "It runs [1]."}]
    assert (body["usage"]["input_tokens"], body["usage"]["cache_read_input_tokens"]) == (5, 2)
    turn = port.session.calls[0][1]
    messages, sampling = turn.messages, turn.sampling
    assert messages == (Message(Role.SYSTEM, "Be brief"), Message(Role.USER, "how?"))
    assert (sampling.max_tokens, sampling.stop, sampling.top_k) == (9, ("END",), 3)


async def test_a_message_in_events() -> None:
    script = Script(events=[Progress(1, 2), *answer()[1:]])
    _, text = await post(Port(script), "/v1/messages", {**ASK, "stream": True})
    got = named(text)
    assert [name for name, _ in got] == [
        "message_start", "ping", "content_block_start", *["content_block_delta"] * 3, "content_block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip
    assert "".join(data["delta"]["text"] for name, data in got if name == "content_block_delta") == "It runs [1]."
    assert got[-2][1]["usage"]["output_tokens"] == 3


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"tools": [{"name": "web_search", "type": "web_search_20250305"}]}, "tools"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"thinking": {"type": "forced"}}, "thinking"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "messages[0]"),
    ],
)
async def test_messages_refuse_by_name_in_their_own_form(more: dict[str, Any], parameter: str) -> None:
    status, body = await post(Port(), "/v1/messages", {**ASK, **more})
    assert (status, body["type"], body["error"]["param"]) == (400, "error", parameter)


# -- fill in the middle ----------------------------------------------------------------------------------------------


async def test_fim_completions() -> None:
    port = Port(Script(steps=STEPS))
    body = {"model": "impetus-complete", "prompt": "a", "suffix": "b", "random_seed": 3, "max_tokens": 5}
    status, got = await post(port, "/v1/fim/completions", body)
    assert (status, got["choices"][0]["message"]["content"]) == (200, "return")
    assert got["choices"][0]["finish_reason"] == "length"
    prompt, sampling, role = port.session.calls[0][1]
    assert (prompt, sampling.seed, sampling.max_tokens, role) == (InfillPrompt("a", "b"), 3, 5, "completion")
    _, text = await post(port, "/v1/fim/completions", {**body, "stream": True})
    *chunks, done = frames(text)
    assert done == "[DONE]"
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "return"
    assert chunks[-1]["usage"]["completion_tokens"] == 2


async def test_fim_refuses_by_name() -> None:
    error = await refusal(Port(), "/v1/fim/completions", {"prompt": "a", "min_tokens": 3})
    assert error["param"] == "min_tokens"
    await refusal(Port(), "/v1/fim/completions", {"prompt": "a", "model": "impetus"}, 404)


async def test_infill() -> None:
    port = Port(Script(steps=STEPS))
    body = {
        "input_prefix": "a\n", "prompt": "  b", "input_suffix": "\nc", "n_predict": 7, "stop": ["\n\n"],
        "input_extra": [{"filename": "x.py", "text": "X = 1"}], "t_max_predict_ms": 500, "samplers": ["top_k"],
    }  # fmt: skip
    status, got = await post(port, "/infill", body)
    assert (status, got["content"], got["stop"], got["stop_type"]) == (200, "return", True, "limit")
    assert (got["tokens_evaluated"], got["tokens_predicted"], got["tokens_cached"]) == (10, 2, 4)
    prompt, sampling, _ = port.session.calls[0][1]
    assert prompt == InfillPrompt("a\n  b", "\nc", context=(ContextFile("x.py", "X = 1"),))
    assert (sampling.max_tokens, sampling.stop) == (7, ("\n\n",))
    _, text = await post(port, "/infill", {**body, "stream": True})
    assert [(frame["content"], frame["stop"]) for frame in frames(text)] == [
        ("re", False), ("turn", False), ("", True)
    ]  # fmt: skip


async def test_infill_that_only_wants_its_context_read() -> None:
    port = Port(Script(steps=STEPS))
    _, got = await post(port, "/infill", {"input_prefix": "a", "n_predict": 0})
    assert (got["content"], port.session.calls[0][1][1].max_tokens) == ("", 1)


# -- chat: choices, scores, JSON -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_several_choices_draw_with_seeds_of_their_own(stream: bool) -> None:
    port = Port()
    body = {"model": "impetus-plain", "messages": ASK["messages"], "n": 3, "seed": 5, "stream": stream}
    body["stream_options"] = {"include_usage": True}
    _, got = await post(port, "/v1/chat/completions", body)
    if stream:
        chunks = frames(got)[:-1]
        usage = chunks.pop()["usage"]
        texts = ["", "", ""]
        for chunk in chunks:
            (choice,) = chunk["choices"]
            texts[choice["index"]] += choice["delta"].get("content", "")
    else:
        usage = got["usage"]
        assert [choice["index"] for choice in got["choices"]] == [0, 1, 2]
        texts = [choice["message"]["content"] for choice in got["choices"]]
    assert texts == ["It runs [1]."] * 3
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (7, 9)
    assert [call[1].sampling.seed for call in port.session.calls] == [5, 6, 7]


async def test_one_failed_choice_is_an_error_of_its_own_kind() -> None:
    port = Port(Script(events=[errors.Busy("Too much is waiting")]))
    error = await refusal(port, "/v1/chat/completions", {**ASK, "n": 2}, 429)
    assert error["message"] == "Too much is waiting"


async def test_scores_of_tokens() -> None:
    scores = (TokenScore(b"It", -0.5), TokenScore(b"It", -0.5), TokenScore(b"\xe2\x82", -1.5))
    events = [Delta("It", scores), Delta("", scores[:1]), Finish(FinishReason.STOP, "m", Usage(1, 2))]
    port = Port(Script(events=events))
    body = {**ASK, "logprobs": True, "top_logprobs": 2}
    _, got = await post(port, "/v1/chat/completions", body)
    first, second = got["choices"][0]["logprobs"]["content"]
    assert (first["token"], first["logprob"], first["bytes"]) == ("It", -0.5, [73, 116])
    assert [each["bytes"] for each in first["top_logprobs"]] == [[73, 116], [226, 130]]
    assert second["top_logprobs"] == []
    assert port.session.calls[0][1].sampling.top_logprobs == 2
    _, text = await post(port, "/v1/chat/completions", {**body, "stream": True})
    told = [frame["choices"][0]["logprobs"] for frame in frames(text)[:-1]]
    assert [len(each["content"]) for each in told if each] == [1, 1]
    assert (await refusal(port, "/v1/chat/completions", {**ASK, "top_logprobs": 2}))["param"] == "top_logprobs"


async def test_biases_and_json() -> None:
    port = Port()
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    _, got = await post(
        port, "/v1/chat/completions", {**ASK, "model": "impetus", "logit_bias": {"7": -100}, "response_format": wanted}
    )
    sampling = port.session.calls[0][1].sampling
    assert (sampling.logit_bias, json.loads(sampling.grammar.text)) == (((7, -100.0),), schema)
    assert got["choices"][0]["message"]["content"] == "It runs [1]."  # no list of sources behind JSON


@pytest.mark.parametrize(
    "more", [{"response_format": {"type": "json_object"}}, {"logprobs": True}, {"logit_bias": {"1": 1}}]
)
async def test_quotations_are_no_json(more: dict[str, Any]) -> None:
    port = Port(Script(chat_context=None))
    error = await refusal(port, "/v1/chat/completions", {**ASK, "model": "impetus", **more}, 503)
    assert (error["code"], port.session.calls) == ("MODEL_NOT_LOADED", [])


async def test_a_workspace_of_its_own() -> None:
    port = Port()
    await port.session.open_root(ROOT)
    await post(port, "/v1/chat/completions", {**ASK, "model": "impetus/project"})
    assert port.session.calls[0][1].grounding == Grounding(roots=(ROOT,))
    await refusal(port, "/v1/chat/completions", {**ASK, "model": "impetus/other"}, 404)
