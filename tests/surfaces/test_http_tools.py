"""Tools, calls and thoughts over HTTP, in the three forms."""

import asyncio
import json
from typing import Any

import anthropic
import openai
import pytest
from tests.support.http import Port, frames, post, refusal
from tests.support.scripted_session import Script

from impetus.domain.types import (
    CallPart,
    Delta,
    Finish,
    FinishReason,
    Message,
    Role,
    Sources,
    Thought,
    Tool,
    ToolCall,
    ToolUse,
    Usage,
)
from impetus.errors import BadRequest

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Of a city", "parameters": SCHEMA}}]
TOOL = Tool("weather", "Of a city", json.dumps(SCHEMA))
EVENTS = (
    Sources(()),
    Thought("which "),
    Thought("city?"),
    Delta("I look."),
    CallPart(0, "", "call_a", "weather"),
    CallPart(0, '{"city": "Pa'),
    CallPart(0, 'ris"}'),
    CallPart(1, "{}", "call_b", "wait"),
    Finish(FinishReason.TOOL_CALLS, "scripted", Usage(7, 9)),
)
CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}},
    {"id": "call_b", "type": "function", "function": {"name": "wait", "arguments": "{}"}},
]
BROKEN = {"id": "1", "function": {"name": "f", "arguments": "3"}}
DEADLINE = 20


def openai_client(url: str, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def anthropic_client(url: str, key: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0)


def port() -> Port:
    return Port(Script(events=EVENTS))


def ask(**more: Any) -> dict[str, Any]:
    return {"model": "impetus-plain", "messages": [{"role": "user", "content": "weather?"}], "tools": TOOLS, **more}


# -- chat completions ------------------------------------------------------------------------------------------------


async def test_calls_and_thoughts_in_one_body() -> None:
    _, body = await post(port(), "/v1/chat/completions", ask())
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant", "content": "I look.", "refusal": None, "tool_calls": CALLS,
        "reasoning_content": "which city?", "reasoning": "which city?",
    }  # fmt: skip


async def test_an_answer_of_calls_alone_has_no_content() -> None:
    script = Script(events=[event for event in EVENTS if not isinstance(event, Delta | Thought)])
    _, body = await post(Port(script), "/v1/chat/completions", ask())
    assert body["choices"][0]["message"]["content"] is None


async def test_calls_and_thoughts_in_chunks() -> None:
    _, text = await post(port(), "/v1/chat/completions", ask(stream=True))
    *chunks, done = frames(text)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "which ", "reasoning": "which "},
        {"reasoning_content": "city?", "reasoning": "city?"},
        {"content": "I look."},
        {"tool_calls": [{"index": 0, **CALLS[0], "function": {"name": "weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Pa'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'ris"}'}}]},
        {"tool_calls": [{"index": 1, **CALLS[1]}]},
        {},
    ]  # fmt: skip
    assert (chunks[-1]["choices"][0]["finish_reason"], done) == ("tool_calls", "[DONE]")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolUse((TOOL,))),
        ("auto", ToolUse((TOOL,))),
        ("none", None),
        ("required", ToolUse((TOOL,), "required")),
        ({"type": "function", "function": {"name": "weather"}}, ToolUse((TOOL,), "named", "weather")),
    ],
)
async def test_which_tools_may_be_called(choice: Any, expected: ToolUse | None) -> None:
    made = port()
    await post(made, "/v1/chat/completions", ask(tool_choice=choice))
    assert made.session.calls[0][1].tool_use == expected


async def test_calls_one_at_a_time_and_history_of_calls() -> None:
    made = port()
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": None, "reasoning": "hm", "tool_calls": CALLS[:1]},
        {"role": "tool", "content": "sunny", "tool_call_id": "call_a"},
    ]
    await post(made, "/v1/chat/completions", ask(messages=messages, parallel_tool_calls=False))
    turn = made.session.calls[0][1]
    assert turn.messages[1:] == (
        Message(Role.ASSISTANT, "", (ToolCall("call_a", "weather", '{"city": "Paris"}'),), reasoning="hm"),
        Message(Role.TOOL, "sunny", tool_call_id="call_a"),
    )
    assert turn.tool_use == ToolUse((TOOL,), parallel=False)


@pytest.mark.parametrize(
    ("more", "parameter"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "no blanks"}}]}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]}, "tools"),
        ({"tools": TOOLS * 2}, "tools"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"tool_choice": "required", "tools": []}, "tool_choice"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"chat_template_kwargs": {"custom": 1}}, "chat_template_kwargs"),
        ({"messages": [{"role": "assistant", "tool_calls": [BROKEN]}]}, "messages[0].tool_calls"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_by_name(more: dict[str, Any], parameter: str) -> None:
    made = port()
    assert (await refusal(made, "/v1/chat/completions", ask(**more)))["param"] == parameter
    assert made.session.calls == []


@pytest.mark.parametrize(
    ("more", "effort"),
    [
        ({}, None),
        ({"reasoning_effort": "high"}, "high"),
        ({"chat_template_kwargs": {"enable_thinking": True}}, "medium"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "none"),
    ],
)
async def test_how_long_it_may_think(more: dict[str, Any], effort: str | None) -> None:
    made = port()
    await post(made, "/v1/chat/completions", ask(**more))
    assert made.session.calls[0][1].effort == effort


async def test_a_model_without_tools_refuses_them_by_name_before_the_stream() -> None:
    made = Port(Script(events=[Sources(()), BadRequest("no tools", parameter="tools")]))
    assert (await refusal(made, "/v1/chat/completions", ask(stream=True)))["param"] == "tools"


async def test_without_a_chat_model_no_tool_can_be_called() -> None:
    made = Port(Script(chat_context=None))
    error = await refusal(made, "/v1/chat/completions", ask(model="impetus"), 503)
    assert error["code"] == "MODEL_NOT_LOADED"


# -- responses -------------------------------------------------------------------------------------------------------

FUNCTION = {"type": "function", "name": "weather", "description": "Of a city", "parameters": SCHEMA, "strict": True}


async def test_a_response_with_calls() -> None:
    made = port()
    history = [
        {"role": "user", "content": "weather?"},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    ]
    body = {"model": "impetus-plain", "input": history, "tools": [FUNCTION], "reasoning": {"effort": "low"}}
    _, got = await post(made, "/v1/responses", body)
    assert [item["type"] for item in got["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert got["output"][0]["content"] == [{"type": "reasoning_text", "text": "which city?"}]
    call = got["output"][2]
    assert (call["call_id"], call["name"], call["arguments"]) == ("call_a", "weather", '{"city": "Paris"}')
    turn = made.session.calls[0][1]
    assert turn.messages[1:] == (
        Message(Role.ASSISTANT, "", (ToolCall("c1", "weather", '{"city": "Rome"}'),)),
        Message(Role.TOOL, "rain", tool_call_id="c1"),
    )
    assert (turn.tool_use, turn.effort) == (ToolUse((TOOL,)), "low")


async def test_the_openai_client_reads_calls_from_both_forms() -> None:
    made = port()
    messages: Any = [{"role": "user", "content": "weather?"}]
    tools: Any = TOOLS
    function: Any = FUNCTION
    async with asyncio.timeout(DEADLINE), made.served() as url, openai_client(url, made.key) as client:
        async with client.chat.completions.stream(model="impetus-plain", messages=messages, tools=tools) as stream:
            final = await stream.get_final_completion()
        streamed = await client.responses.create(model="impetus-plain", input="weather?", tools=[function], stream=True)
        events = [event async for event in streamed]
    calls = final.choices[0].message.tool_calls or []
    assert [(call.id, call.function.arguments) for call in calls] == [("call_a", '{"city": "Paris"}'), ("call_b", "{}")]
    kinds = [event.type for event in events]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    arguments = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert arguments == ['{"city": "Pa', 'ris"}', "{}"]
    assert events[-1].type == "response.completed"
    output = events[-1].response.output
    assert [item.type for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert [event.output_index for event in events if event.type == "response.output_item.done"] == [0, 1, 2, 3]


# -- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, ToolUse((TOOL,))),
        ({"type": "any"}, ToolUse((TOOL,), "required")),
        ({"type": "tool", "name": "weather"}, ToolUse((TOOL,), "named", "weather")),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolUse((TOOL,), parallel=False)),
        ({"type": "none"}, None),
    ],
)
async def test_tools_of_messages(choice: dict[str, Any], expected: ToolUse | None) -> None:
    made = port()
    history = [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Rome"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}]},
                {"type": "text", "text": "and now?"},
            ],
        },
    ]
    tools = [{"name": "weather", "description": "Of a city", "input_schema": SCHEMA}]
    body = {"model": "impetus-plain", "max_tokens": 9, "messages": history, "tools": tools, "tool_choice": choice}
    await post(made, "/v1/messages", {**body, "thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}})
    turn = made.session.calls[0][1]
    assert turn.messages == (
        Message(Role.USER, "weather?"),
        Message(Role.ASSISTANT, "", (ToolCall("t1", "weather", '{"city": "Rome"}'),), reasoning="hm"),
        Message(Role.TOOL, "rain", tool_call_id="t1"),
        Message(Role.USER, "and now?"),
    )
    assert (turn.tool_use, turn.effort) == (expected, "max")


async def test_a_model_that_does_not_think_refuses_by_the_name_of_this_form() -> None:
    made = Port(Script(events=[Sources(()), BadRequest("no", parameter="reasoning_effort")]))
    body = {"model": "impetus-plain", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    status, got = await post(made, "/v1/messages", {**body, "thinking": {"type": "enabled", "budget_tokens": 2000}})
    assert (status, got["error"]["param"]) == (400, "thinking")


async def test_the_anthropic_client_reads_thoughts_and_calls() -> None:
    made = port()
    messages: Any = [{"role": "user", "content": "weather?"}]
    async with asyncio.timeout(DEADLINE), made.served() as url, anthropic_client(url, made.key) as client:
        whole = await client.messages.create(model="impetus-plain", max_tokens=9, messages=messages)
        async with client.messages.stream(model="impetus-plain", max_tokens=9, messages=messages) as stream:
            final = await stream.get_final_message()
    for message in (whole, final):
        thought, said, one, two = message.content
        assert thought.type == "thinking" and thought.thinking == "which city?"
        assert said.type == "text" and said.text == "I look."
        assert one.type == "tool_use" and (one.id, one.input) == ("call_a", {"city": "Paris"})
        assert two.type == "tool_use" and two.input == {}
        assert message.stop_reason == "tool_use"
