"""What a request in the form of OpenAI's Responses says, and what of it the services need."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from impetus.config import Settings
from impetus.domain.types import ChatTurn, Effort, Message, Role, Sampling, ToolUse
from impetus.errors import BadRequest
from impetus.web.chat_request import ROLES
from impetus.web.grounds import GroundingFields
from impetus.web.models import ChatModel
from impetus.web.schema import MAX_TOKENS, ContentPart, RequestBody, Text, asked, grammar_of
from impetus.web.tools import MAX_TOOLS, Name, ToolChoice, called, chosen, declared

#: Parameter → whether its value asks for nothing that we lack.
_HARMLESS: dict[str, Callable[[Any], bool]] = {
    "previous_response_id": lambda value: False,
    "prompt": lambda value: False,
    "background": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "max_tool_calls": lambda value: False,
}

_PARTS = ("input_text", "output_text", "text")

#: What chat completions call a parameter → what it is called here.
NAMES = {"reasoning_effort": "reasoning", "response_format": "text"}


class Item(BaseModel):
    """A message, a thought, a call or what it returned; which of the fields it has follows from `type`."""

    type: Annotated[str, Field(max_length=100)] = "message"
    role: Annotated[str, Field(max_length=100)] = ""
    content: Text | list[ContentPart] | None = None
    call_id: Annotated[str, Field(max_length=200)] | None = None
    name: Name | None = None
    arguments: Text | None = None
    output: Text | list[ContentPart] | None = None


class TextFormat(BaseModel):
    format: dict[str, Any] | None = None


class ResponseTool(BaseModel):
    type: Annotated[str, Field(max_length=100)]
    name: Name | None = None
    description: Annotated[str, Field(max_length=100_000)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Reasoning(BaseModel):
    effort: Effort | None = None


class ConversationId(BaseModel):
    id: Annotated[str, Field(min_length=1, max_length=200)]


class ResponsesRequest(RequestBody, GroundingFields):
    input: Text | list[Item]
    instructions: Text | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    text: TextFormat | None = None
    stream: bool | None = None
    metadata: dict[str, str] | None = None
    truncation: Literal["disabled", "auto"] | None = None
    tools: Annotated[list[ResponseTool], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    conversation: Annotated[str, Field(min_length=1, max_length=200)] | ConversationId | None = None

    @property
    def conversation_id(self) -> str | None:
        return self.conversation.id if isinstance(self.conversation, ConversationId) else self.conversation

    def turn(self, model: ChatModel, settings: Settings) -> ChatTurn:
        for name, value in (self.model_extra or {}).items():
            if name in _HARMLESS and value is not None and not _HARMLESS[name](value):
                raise BadRequest(f"The parameter {name!r} with this value is not supported here", parameter=name)
        items = [Item(role="user", content=self.input)] if isinstance(self.input, str) else self.input
        messages = [Message(Role.SYSTEM, self.instructions)] if self.instructions else []
        messages += _messages(items)
        sampling = Sampling(
            max_tokens=self.max_output_tokens or settings.chat.max_tokens,
            temperature=self.temperature if self.temperature is not None else settings.chat.temperature,
            grammar=grammar_of(self.text.format if self.text else None, "text"),
        )
        if self.top_p is not None:
            sampling = replace(sampling, top_p=self.top_p)
        told = self.reasoning.effort if self.reasoning else None
        return ChatTurn(asked(messages, "input"), sampling, self.grounding(model), self._tool_use(), told)

    def _tool_use(self) -> ToolUse | None:
        read = []
        for position, tool in enumerate(self.tools or ()):
            if tool.type != "function" or tool.name is None:
                raise BadRequest(
                    f"tools[{position}] is of type {tool.type[:40]!r}; only functions are supported here",
                    parameter="tools",
                )
            read.append(declared(tool.name, tool.description, tool.parameters))
        choice = self.tool_choice
        if isinstance(choice, dict):
            name = choice.get("name") if choice.get("type") == "function" else None
            return chosen(read, "named", name, parallel=self.parallel_tool_calls)
        return chosen(read, choice, None, parallel=self.parallel_tool_calls)


def _messages(items: Sequence[Item]) -> list[Message]:
    """Calls that stand beside each other are one turn of the assistant, with the text before them."""
    read: list[Message] = []
    for position, item in enumerate(items):
        where = f"input[{position}]"
        if item.type == "message":
            role = ROLES.get(item.role)
            if role is None or role is Role.TOOL:
                raise BadRequest(
                    f"{where} has the role {item.role[:40]!r}; use system, developer, user or assistant",
                    parameter=where,
                )
            read.append(Message(role, _text(item.content, where)))
        elif item.type == "function_call":
            call = called(item.call_id or "", item.name or "", item.arguments or "", where)
            if read and read[-1].role is Role.ASSISTANT:
                read[-1] = replace(read[-1], tool_calls=(*read[-1].tool_calls, call))
            else:
                read.append(Message(Role.ASSISTANT, "", (call,)))
        elif item.type == "function_call_output":
            if not item.call_id:
                raise BadRequest(f"{where} answers no call; it needs call_id", parameter=where)
            read.append(Message(Role.TOOL, _text(item.output, where), tool_call_id=item.call_id))
        elif item.type != "reasoning":  # what the model thought then is not read again
            raise BadRequest(
                f"{where} is of type {item.type!r}; messages, function calls and their outputs are supported here",
                parameter=where,
            )
    return read


def _text(content: str | Sequence[ContentPart] | None, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if part.type not in _PARTS or part.text is None:
            raise BadRequest(
                f"{where} has content of type {part.type[:40]!r}; only text is supported here", parameter=where
            )
    return "".join(part.text or "" for part in content)
