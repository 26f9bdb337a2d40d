import json

import jsonschema
import pytest

from impetus.domain.tool_choice import demanded, read_demanded
from impetus.domain.types import Tool, ToolUse

PLACE = {"$defs": {"Place": {"type": "string"}}, "properties": {"at": {"$ref": "#/$defs/Place"}}, "required": ["at"]}
LOOK = Tool("look", parameters=json.dumps({"type": "object", **PLACE}))
WAIT = Tool("wait")


def schema(use: ToolUse) -> dict[str, object]:
    made = demanded(use)
    assert made is not None
    return json.loads(made.text)  # type: ignore[no-any-return]


def accepted(use: ToolUse, value: object) -> bool:
    return bool(jsonschema.Draft202012Validator(schema(use)).is_valid(value))


def test_a_model_that_may_choose_is_not_held_to_anything() -> None:
    assert demanded(ToolUse((LOOK,))) is None


def test_required_takes_any_tool_with_its_own_arguments() -> None:
    use = ToolUse((LOOK, WAIT), "required")
    look, wait = {"name": "look", "arguments": {"at": "x"}}, {"name": "wait", "arguments": {}}
    assert accepted(use, [look]) and accepted(use, [wait, look])
    assert not accepted(use, [])
    assert not accepted(use, [{"name": "look", "arguments": {}}])
    assert not accepted(use, [{"name": "look", "arguments": {"at": 1}}])
    assert not accepted(use, [{"name": "other", "arguments": {}}])


def test_one_named_tool_is_called_once() -> None:
    use = ToolUse((LOOK, WAIT), "named", "wait")
    wait = {"name": "wait", "arguments": {}}
    assert accepted(use, [wait])
    assert not accepted(use, [wait, wait])
    assert not accepted(use, [{"name": "look", "arguments": {"at": "x"}}])
    assert not accepted(ToolUse((WAIT,), "required", parallel=False), [wait, wait])


def test_what_was_demanded_is_read() -> None:
    (call,) = read_demanded('[{"name": "look", "arguments": {"at": "x"}}]', lambda: "call_1")
    assert (call.id, call.name, json.loads(call.arguments)) == ("call_1", "look", {"at": "x"})
    with pytest.raises(ValueError):
        read_demanded('[{"name": "look", "argu', lambda: "call_1")
