"""What a request in the form of Anthropic's Messages says, and what of it the services need."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from impetus.config import Settings
from impetus.domain.types import ChatTurn, Effort, Message, Role, Sampling, ToolUse
from impetus.errors import BadRequest
from impetus.web.grounds import GroundingFields
from impetus.web.measured import Measured
from impetus.web.models import chat_model
from impetus.web.schema import MAX_TOKENS, RequestBody, Stop, Text, asked
from impetus.web.tools import MAX_TOOLS, Name, called, chosen, declared
from impetus.web.turn import Turn

#: Parameter → whether its value asks for nothing that we lack.
_HARMLESS: dict[str, Callable[[Any], bool]] = {
    "mcp_servers": lambda value: value == [],
    "container": lambda value: False,
    "output_format": lambda value: False,
}

#: What chat completions call a parameter → what it is called here.
_NAMES = {"reasoning_effort": "thinking"}


class Block(BaseModel):
    """Text, a thought, a call or its result; which of the fields it has follows from `type`."""

    type: Annotated[str, Field(max_length=100)]
    text: Text | None = None
    thinking: Text | None = None
    id: Annotated[str, Field(max_length=200)] | None = None
    name: Name | None = None
    input: dict[str, Any] | None = None
    tool_use_id: Annotated[str, Field(max_length=200)] | None = None
    content: "Text | list[Block] | None" = None


class PromptMessage(BaseModel):
    role: Literal["user", "assistant"]
    content: Text | list[Block]


class MessageTool(BaseModel):
    """`type` is absent, or "custom"; others are tools of Anthropic's own servers."""

    name: Name
    type: Annotated[str, Field(max_length=100)] | None = None
    description: Annotated[str, Field(max_length=100_000)] | None = None
    input_schema: dict[str, Any] | None = None


class MessageToolChoice(BaseModel):
    type: Literal["auto", "any", "tool", "none"]
    name: Name | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(BaseModel):
    """How long it may be is the model's own business here."""

    type: Literal["enabled", "adaptive", "disabled"]


class OutputConfig(BaseModel):
    effort: Effort | None = None
    format: dict[str, Any] | None = None


class MessagesRequest(RequestBody, GroundingFields):
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)]
    messages: Annotated[list[PromptMessage], Field(min_length=1, max_length=10_000)]
    system: Text | list[Block] | None = None
    stop_sequences: Stop | None = None
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    tools: Annotated[list[MessageTool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: MessageToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None

    def turn(self, session: Measured, settings: Settings) -> Turn:
        model = chat_model(session, self.model)
        for name, value in (self.model_extra or {}).items():
            if name in _HARMLESS and value is not None and not _HARMLESS[name](value):
                raise BadRequest(f"The parameter {name!r} with this value is not supported here", parameter=name)
        if self.output_config is not None and self.output_config.format:
            raise BadRequest("A format is not supported in this form; use chat completions", parameter="output_config")
        messages = [Message(Role.SYSTEM, _text(self.system, "system"))] if self.system else []
        for position, each in enumerate(self.messages):
            messages += _read(each, f"messages[{position}]")
        given = {name: getattr(self, name) for name in ("temperature", "top_p", "top_k")}
        sampling = Sampling(
            max_tokens=self.max_tokens,
            temperature=settings.chat.temperature,
            stop=tuple(self.stop_sequences or ()),
        )
        sampling = replace(sampling, **{name: value for name, value in given.items() if value is not None})
        ask = ChatTurn(asked(messages, "messages"), sampling, self.grounding(model), self._tool_use(), self._effort())
        return Turn(model.id, ask, _NAMES)

    def _tool_use(self) -> ToolUse | None:
        read = []
        for position, tool in enumerate(self.tools or ()):
            if tool.type not in (None, "custom"):
                raise BadRequest(
                    f"tools[{position}] is of type {tool.type!r}; only tools of your own are supported here",
                    parameter="tools",
                )
            read.append(declared(tool.name, tool.description, tool.input_schema))
        choice = self.tool_choice
        if choice is None:
            return chosen(read, None, None, parallel=None)
        names = {"any": "required", "tool": "named"}
        parallel = None if choice.disable_parallel_tool_use is None else not choice.disable_parallel_tool_use
        return chosen(read, names.get(choice.type, choice.type), choice.name, parallel=parallel)

    def _effort(self) -> Effort | None:
        if self.thinking is not None and self.thinking.type == "disabled":
            return "none"
        told = self.output_config.effort if self.output_config is not None else None
        if self.thinking is None:
            return None  # without thinking, effort is about how much is written
        return told or "medium"


def _read(message: PromptMessage, where: str) -> Iterator[Message]:
    """One message of theirs may hold the results of several tools beside what the person says."""
    blocks = [Block(type="text", text=message.content)] if isinstance(message.content, str) else message.content
    for block in blocks:
        if block.type == "tool_result":
            if not block.tool_use_id:
                raise BadRequest(f"{where} has a result without tool_use_id", parameter=where)
            yield Message(Role.TOOL, _text(block.content, where), tool_call_id=block.tool_use_id)
    said = [block for block in blocks if block.type not in ("tool_result", "tool_use", "thinking", "redacted_thinking")]
    text = _text(said, where)
    if message.role == "user":
        if said:
            yield Message(Role.USER, text)
        return
    calls = [
        called(block.id or "", block.name or "", json.dumps(block.input or {}), where)
        for block in blocks
        if block.type == "tool_use"
    ]
    thought = "".join(block.thinking or "" for block in blocks if block.type == "thinking")
    yield Message(Role.ASSISTANT, text, tuple(calls), reasoning=thought)


def _text(content: str | Sequence[Block] | None, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    for block in content:
        if block.type != "text" or block.text is None:
            raise BadRequest(
                f"{where} has content of type {block.type[:40]!r}; only text is supported here", parameter=where
            )
    return "".join(block.text or "" for block in content)
