"""Calls that a client insists on: the answer is kept to a JSON list of them by the grammar. Pure.

The list stands in place of the family's own form, so that every family that knows tools can be held to it.
"""

import json
from collections.abc import Callable
from typing import Any

from impetus.domain.types import JsonSchema, ToolCall, ToolUse


def demanded(use: ToolUse) -> JsonSchema | None:
    """What the answer must be; None where the model may choose."""
    if use.choice == "auto":
        return None
    tools = [tool for tool in use.tools if use.choice == "required" or tool.name == use.name]
    # References inside of a tool's schema are to its own root, which stands deeper here.
    roots = {f"tool{i}": _rebased(json.loads(tool.parameters), f"#/$defs/tool{i}") for i, tool in enumerate(tools)}
    calls = [_call(tool.name, f"#/$defs/tool{i}") for i, tool in enumerate(tools)]
    schema: dict[str, Any] = {"type": "array", "items": {"anyOf": calls}, "minItems": 1, "$defs": roots}
    if use.choice == "named" or not use.parallel:
        schema["maxItems"] = 1
    return JsonSchema(json.dumps(schema))


def read_demanded(text: str, new_id: Callable[[], str]) -> list[ToolCall]:
    """The calls of an answer that was kept to `demanded`. Raises ValueError when it was cut short."""
    return [ToolCall(new_id(), call["name"], json.dumps(call["arguments"])) for call in json.loads(text)]


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": {"$ref": arguments}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _rebased(schema: Any, root: str) -> Any:
    if isinstance(schema, list):
        return [_rebased(each, root) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: f"{root}{value[1:]}"
        if key == "$ref" and isinstance(value, str) and value.startswith("#")
        else _rebased(value, root)
        for key, value in schema.items()
    }
