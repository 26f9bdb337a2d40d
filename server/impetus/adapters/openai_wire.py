"""What OpenAI-compatible servers are told and tell, as values; no I/O."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from impetus.domain.types import CallPart, ChatPrompt, Message

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def on_this_machine(url: str) -> bool:
    """A proxy of the environment must not come between this machine and itself."""
    return urlsplit(url).hostname in _LOOPBACK


def message(value: Any) -> str:
    """The sentence in an error body; servers disagree about its place."""
    if isinstance(value, dict):
        for key in ("error", "message", "detail"):
            if value.get(key):
                return message(value[key])
    return value if isinstance(value, str) else json.dumps(value)[:200]


def parameter(body: Any) -> str | None:
    """The parameter that an error body names."""
    error = body.get("error") if isinstance(body, dict) else None
    name = error.get("param") if isinstance(error, dict) else None
    return name if isinstance(name, str) else None


#: vLLM, llama.cpp, Ollama and OpenAI say it in these words; not all of them give a code.
_OVERFLOW = re.compile(r"context[ _](?:length|size|window)", re.IGNORECASE)


def is_overflow(body: Any) -> bool:
    """Whether an error body says that the prompt does not fit."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code == "context_length_exceeded" or _OVERFLOW.search(message(body)) is not None


def model_entry(response: httpx.Response, model: str) -> dict[str, Any]:
    """What a list of models says of one; empty when it says nothing."""
    try:
        listed = response.json()
    except ValueError:
        return {}
    entries = listed.get("data") if isinstance(listed, dict) else None
    found = (entry for entry in entries or () if isinstance(entry, dict) and entry.get("id") == model)
    return next(found, {})


def context_length(entry: dict[str, Any]) -> int | None:
    """In tokens; vLLM, LM Studio and llama.cpp have a name for it each."""
    meta = entry.get("meta")
    sizes = [entry.get(name) for name in ("max_model_len", "context_length", "loaded_context_length")]
    sizes += [meta.get(name) for name in ("n_ctx", "n_ctx_train")] if isinstance(meta, dict) else []
    return next((size for size in sizes if isinstance(size, int) and size > 0), None)


def conversation(prompt: ChatPrompt) -> dict[str, Any]:
    """Messages, tools and effort as parameters of /chat/completions."""
    body: dict[str, Any] = {"messages": [_turn(message) for message in prompt.messages]}
    if prompt.effort is not None:
        body["reasoning_effort"] = prompt.effort
    use = prompt.tool_use
    if use is None:
        return body
    body["tools"] = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": json.loads(tool.parameters),
            },
        }
        for tool in use.tools
    ]
    named = {"type": "function", "function": {"name": use.name}}
    body["tool_choice"] = named if use.choice == "named" else use.choice
    if not use.parallel:
        body["parallel_tool_calls"] = False
    return body


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role.value, "content": message.content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    if message.reasoning:
        turn["reasoning_content"] = message.reasoning
    return turn


class Calls:
    """The tool calls of one answer; servers leave out ids and numbers that clients need."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}  # their number → ours

    def parts(self, told: Any) -> Iterator[CallPart]:
        """`told` is `tool_calls` of a delta or of a message."""
        for position, call in enumerate(told if isinstance(told, list) else ()):
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                continue
            theirs = call.get("index")
            if not isinstance(theirs, int):
                theirs = len(self._known) if function.get("name") else position
            arguments = function.get("arguments") or ""
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            if theirs in self._known:
                yield CallPart(self._known[theirs], text)
                continue
            self._known[theirs] = index = len(self._known)
            number = str(call.get("id") or f"call_{uuid.uuid4().hex[:24]}")
            yield CallPart(index, text, number, str(function.get("name") or ""))
