"""The OpenAI requests we take, as pydantic models, and what of them the services need.

Harmless fields we do not know are ignored; a field that would change the answer and that we cannot honor is refused by
name, because an ignored `tools` or `response_format` breaks the caller later and worse.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from impetus.domain.types import Message, Role, Sampling
from impetus.errors import BadRequest

ROLES = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}

MAX_INPUTS = 2048
MAX_STOPS = 16
MAX_TOKENS = 1_000_000

#: Parameter → whether its value asks for nothing that we lack.
_HARMLESS: dict[str, Callable[[Any], bool]] = {
    "n": lambda value: value == 1,
    "best_of": lambda value: value == 1,
    "echo": lambda value: value is False,
    "logprobs": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
    "logit_bias": lambda value: value == {},
    "tools": lambda value: value == [],
    "tool_choice": lambda value: value in ("none", "auto"),
    "functions": lambda value: value == [],
    "function_call": lambda value: value in ("none", "auto"),
    "response_format": lambda value: isinstance(value, dict) and value.get("type") == "text",
    "modalities": lambda value: value == ["text"],
    "audio": lambda value: False,
    "web_search_options": lambda value: False,
}

Text = Annotated[str, Field(max_length=16_000_000)]
Stop = Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(max_length=MAX_STOPS)]


class StreamOptions(BaseModel):
    include_usage: bool | None = None


class _Request(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1)]

    def refuse_unsupported(self) -> None:
        for name, value in (self.model_extra or {}).items():
            harmless = _HARMLESS.get(name)
            if harmless is not None and value is not None and not harmless(value):
                raise BadRequest(f"The parameter {name!r} with this value is not supported here", parameter=name)


class _Generation(_Request):
    """What chat and text completions have in common."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: Annotated[str, Field(max_length=1000)] | Stop | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def sampling(self, *, max_tokens: int, temperature: float) -> Sampling:
        """The request's values over these defaults and those of `Sampling`."""
        names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty")
        given: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        for name in (*names, "frequency_penalty", "seed", "max_tokens"):
            value = getattr(self, name)
            if value is not None:
                given[name] = value
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return Sampling(**given, stop=tuple(stop for stop in stops if stop))


class ContentPart(BaseModel):
    type: str
    text: str | None = None


class ChatMessage(BaseModel):
    role: str
    content: Text | list[ContentPart] | None = None

    def message(self, position: int) -> Message:
        where = f"messages[{position}]"
        role = ROLES.get(self.role)
        if role is None:
            raise BadRequest(
                f"{where} has the role {self.role[:40]!r}; system, developer, user and assistant are supported here",
                parameter=f"{where}.role",
            )
        parts = [ContentPart(type="text", text=self.content)] if isinstance(self.content, str) else self.content or []
        for part in parts:
            if part.type != "text" or part.text is None:
                raise BadRequest(
                    f"{where} has content of type {part.type[:40]!r}; only text is supported here",
                    parameter=f"{where}.content",
                )
        return Message(role, "".join(part.text or "" for part in parts))


class ChatRequest(_Generation):
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None

    def turn(self, *, max_tokens: int, temperature: float) -> tuple[tuple[Message, ...], Sampling]:
        self.refuse_unsupported()
        messages = tuple(each.message(position) for position, each in enumerate(self.messages))
        if not any(message.role is Role.USER and message.content.strip() for message in messages):
            raise BadRequest("There is no user message with text to answer", parameter="messages")
        limit = self.max_completion_tokens or self.max_tokens or max_tokens
        request = self.model_copy(update={"max_tokens": limit})
        return messages, request.sampling(max_tokens=limit, temperature=temperature)


class CompletionRequest(_Generation):
    prompt: Text | list[str] | list[int] | list[list[int]]
    suffix: Text | None = None

    def single_prompt(self) -> str:
        self.refuse_unsupported()
        if isinstance(self.prompt, str):
            return self.prompt
        if len(self.prompt) == 1 and isinstance(self.prompt[0], str):
            return self.prompt[0]
        raise BadRequest("Send one prompt, as text; several prompts or token ids are not supported", parameter="prompt")


class EmbeddingRequest(_Request):
    input: Text | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None

    def texts(self) -> list[str]:
        self.refuse_unsupported()
        texts = [self.input] if isinstance(self.input, str) else list(self.input)
        if not texts or len(texts) > MAX_INPUTS:
            raise BadRequest(f"Send 1 to {MAX_INPUTS} texts at a time", parameter="input")
        plain = [text for text in texts if isinstance(text, str)]
        if len(plain) < len(texts):
            raise BadRequest(
                "Token ids cannot be embedded here, because their tokenizer is unknown; send text. In LangChain, set "
                "check_embedding_ctx_length=False",
                parameter="input",
            )
        if not all(plain):
            raise BadRequest("An empty text cannot be embedded", parameter="input")
        return plain
