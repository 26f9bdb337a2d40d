"""What a request for a chat completion says, and what of it the services need."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from impetus.domain.types import ChatTurn, Effort, Message, Role
from impetus.errors import BadRequest
from impetus.web.grounds import GroundingFields
from impetus.web.models import ChatModel
from impetus.web.schema import MAX_TOKENS, ContentPart, Generation, Text, asked, grammar_of
from impetus.web.tools import MAX_CALLS, MAX_TOOLS, CallBody, ToolBody, ToolChoice, called, tool_use

ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}

MAX_CHOICES = 4

TokenId = Annotated[str, Field(pattern="^[0-9]{1,9}$")]


class ChatMessage(BaseModel):
    """`reasoning` and `reasoning_content` are two names of one thing."""

    role: Annotated[str, Field(max_length=100)]
    content: Text | list[ContentPart] | None = None
    tool_calls: Annotated[list[CallBody], Field(max_length=MAX_CALLS)] | None = None
    tool_call_id: Annotated[str, Field(max_length=200)] | None = None
    reasoning_content: Text | None = None
    reasoning: Text | None = None

    def message(self, position: int) -> Message:
        where = f"messages[{position}]"
        role = ROLES.get(self.role)
        if role is None:
            raise BadRequest(
                f"{where} has the role {self.role[:40]!r}; {', '.join(ROLES)} are supported here",
                parameter=f"{where}.role",
            )
        if role is Role.TOOL and not self.tool_call_id:
            raise BadRequest(f"{where} answers no call; it needs tool_call_id", parameter=f"{where}.tool_call_id")
        parts = [ContentPart(type="text", text=self.content)] if isinstance(self.content, str) else self.content or []
        for part in parts:
            if part.type != "text" or part.text is None:
                raise BadRequest(
                    f"{where} has content of type {part.type[:40]!r}; only text is supported here",
                    parameter=f"{where}.content",
                )
        calls = [
            called(call.id, call.function.name, call.function.arguments, f"{where}.tool_calls")
            for call in self.tool_calls or ()
        ]
        text = "".join(part.text or "" for part in parts)
        thought = self.reasoning_content or self.reasoning or ""
        return Message(role, text, tuple(calls), self.tool_call_id or "", thought)


class TemplateFields(BaseModel):
    """How vLLM and llama.cpp switch a model's reasoning."""

    model_config = ConfigDict(extra="forbid")

    enable_thinking: bool | None = None


class ChatRequest(Generation, GroundingFields):
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    logit_bias: Annotated[dict[TokenId, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=1024)] | None = None
    response_format: dict[str, Any] | None = None
    tools: Annotated[list[ToolBody], Field(max_length=MAX_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    chat_template_kwargs: TemplateFields | None = None
    conversation: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    def turn(self, model: ChatModel, *, max_tokens: int, temperature: float) -> ChatTurn:
        self.refuse_unsupported()
        messages = asked([each.message(position) for position, each in enumerate(self.messages)], "messages")
        limit = self.max_completion_tokens or self.max_tokens or max_tokens
        if self.top_logprobs is not None and not self.logprobs:
            raise BadRequest("top_logprobs needs logprobs to be true", parameter="top_logprobs")
        request = self.model_copy(update={"max_tokens": limit})
        sampling = replace(
            request.sampling(max_tokens=limit, temperature=temperature),
            logit_bias=self._biases(),
            top_logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            grammar=grammar_of(self.response_format, "response_format"),
        )
        use = tool_use(self.tools, self.tool_choice, parallel=self.parallel_tool_calls)
        return ChatTurn(messages, sampling, self.grounding(model), use, self._effort())

    def _effort(self) -> Effort | None:
        thinks = self.chat_template_kwargs.enable_thinking if self.chat_template_kwargs else None
        if self.reasoning_effort is None and thinks is not None:
            return "medium" if thinks else "none"
        return self.reasoning_effort

    def _biases(self) -> tuple[tuple[int, float], ...]:
        return tuple((int(token), bias) for token, bias in (self.logit_bias or {}).items())
