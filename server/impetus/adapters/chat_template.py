"""A model's own chat template, rendered in a sandbox. A module of its own because jinja2 is slow to import and needed
only when somebody chats with a local model."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from impetus.errors import BadRequest

Turn = Mapping[str, Any]


def render(template: str, messages: Sequence[Turn], names: Mapping[str, Any]) -> str:
    """The prompt for `messages` (role, content, perhaps tool calls). `names` are what a template may ask for beside
    them: special tokens, tools, whether to think.

    Families that know no system role refuse it: its text then leads the first message of the person. Raises BadRequest
    when the template refuses the messages all the same.
    """
    try:
        return _render(template, messages, names)
    except TemplateError:
        pass
    try:
        return _render(template, _without_system(messages), names)
    except Exception as error:  # a template is a program of the model's author and may raise anything
        raise BadRequest(f"The model's chat template refuses these messages: {error}", parameter="messages") from error


def _render(template: str, messages: Sequence[Turn], names: Mapping[str, Any]) -> str:
    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True, **names)


def _to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    """Jinja's own escapes for HTML, which no model was trained on."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _without_system(messages: Sequence[Turn]) -> list[Turn]:
    system = [m["content"] for m in messages if m["role"] == "system"]
    rest = [dict(m) for m in messages if m["role"] != "system"]
    for message in rest:
        if message["role"] == "user":
            message["content"] = "\n\n".join([*system, message["content"]])
            break
    return list(rest)
