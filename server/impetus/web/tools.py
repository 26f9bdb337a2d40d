"""Tools and calls in the form of chat completions, read and written."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from impetus.domain.types import CallPart, Tool, ToolCall, ToolUse
from impetus.errors import BadRequest

MAX_TOOLS = 128
MAX_CALLS = 128

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.:-]{1,128}$")]


ToolChoice = Literal["none", "auto", "required"] | dict[str, Any]


class FunctionBody(BaseModel):
    """`strict` is held where a call is demanded; elsewhere the model writes arguments as it was trained to."""

    name: Name
    description: Annotated[str, Field(max_length=100_000)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolBody(BaseModel):
    type: Annotated[str, Field(max_length=100)]
    function: FunctionBody | None = None


class CalledFunction(BaseModel):
    name: Name
    arguments: Annotated[str, Field(max_length=16_000_000)]


class CallBody(BaseModel):
    """A call of an earlier turn, as the client sends it back."""

    id: Annotated[str, Field(max_length=200)]
    function: CalledFunction


def tool_use(tools: Sequence[ToolBody] | None, choice: ToolChoice | None, *, parallel: bool | None) -> ToolUse | None:
    """None where no tool may be called. Raises BadRequest."""
    read = []
    for position, tool in enumerate(tools or ()):
        if tool.type != "function" or tool.function is None:
            raise BadRequest(
                f"tools[{position}] is of type {tool.type[:40]!r}; only functions are supported here", parameter="tools"
            )
        read.append(declared(tool.function.name, tool.function.description, tool.function.parameters))
    if isinstance(choice, dict):
        function = choice.get("function")
        name = function.get("name") if choice.get("type") == "function" and isinstance(function, dict) else None
        return chosen(read, "named", name, parallel=parallel)
    return chosen(read, choice, None, parallel=parallel)


def declared(name: str, description: str | None, parameters: dict[str, Any] | None) -> Tool:
    schema = {"type": "object", "properties": {}} | (parameters or {})
    if schema["type"] != "object":
        raise BadRequest(f"The parameters of the tool {name} are no JSON schema of an object", parameter="tools")
    return Tool(name, description or "", json.dumps(schema))


def chosen(tools: Sequence[Tool], choice: str | None, name: Any, *, parallel: bool | None) -> ToolUse | None:
    """`choice`: none, auto, required, or named for the tool `name`. Raises BadRequest."""
    if choice == "named" and not isinstance(name, str):
        raise BadRequest("tool_choice is none, auto, required or the name of a function", parameter="tool_choice")
    known = [tool.name for tool in tools]
    if len(set(known)) < len(known):
        raise BadRequest("Two tools have the same name", parameter="tools")
    if choice == "none" or (not tools and choice in (None, "auto")):
        return None
    if not tools or (choice == "named" and name not in known):
        raise BadRequest("tool_choice asks for a tool that is not among tools", parameter="tool_choice")
    demanded = choice if choice in ("required", "named") else "auto"
    return ToolUse(tuple(tools), demanded, name or "", parallel=parallel is not False)  # type: ignore[arg-type]


def called(call_id: str, name: str, arguments: str, where: str) -> ToolCall:
    """A call of the history. Raises BadRequest: a template writes its arguments, so they must be an object."""
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequest(f"{where} has arguments that are no JSON object", parameter=where)
    return ToolCall(call_id, name, json.dumps(value, ensure_ascii=False))


def call_json(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def part_json(part: CallPart) -> dict[str, Any]:
    """One entry of a delta's `tool_calls`: id and name come once."""
    if not part.id:
        return {"index": part.index, "function": {"arguments": part.arguments}}
    return {"index": part.index, **call_json(ToolCall(part.id, part.name, part.arguments))}
