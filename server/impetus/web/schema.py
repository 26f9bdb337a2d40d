"""The OpenAI requests we take, as pydantic models, and what of them the services need.

Harmless fields we do not know are ignored; a field that would change the answer and that we cannot honor is refused by
name, because an ignored `tools` or `response_format` breaks the caller later and worse.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from impetus.domain.types import ANY_OBJECT, JsonSchema, Message, Role, Sampling
from impetus.errors import BadRequest
from impetus.web.token_ids import Decode

MAX_INPUTS = 2048
MAX_STOPS = 16
MAX_TOKENS = 1_000_000

#: Parameter → whether its value asks for nothing that we lack.
_HARMLESS: dict[str, Callable[[Any], bool]] = {
    "n": lambda value: value == 1,
    "best_of": lambda value: value == 1,
    "echo": lambda value: value is False,
    "logprobs": lambda value: value in (False, 0),
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


class RequestBody(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1)]

    def refuse_unsupported(self) -> None:
        for name, value in (self.model_extra or {}).items():
            harmless = _HARMLESS.get(name)
            if harmless is not None and value is not None and not harmless(value):
                raise BadRequest(f"The parameter {name!r} with this value is not supported here", parameter=name)


class Generation(RequestBody):
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


def asked(messages: Sequence[Message], parameter: str) -> tuple[Message, ...]:
    """The messages as they are. Raises BadRequest where nobody asks anything."""
    if not any(
        message.role is Role.TOOL or (message.role is Role.USER and message.content.strip()) for message in messages
    ):
        raise BadRequest("There is no user message with text to answer", parameter=parameter)
    return tuple(messages)


def grammar_of(format: Mapping[str, Any] | None, parameter: str) -> JsonSchema | None:
    """What `response_format`, or `text.format` of the Responses form, asks for. Raises BadRequest."""
    kind = (format or {}).get("type", "text")
    if format is None or kind == "text":
        return None
    if kind == "json_object":
        return ANY_OBJECT
    if kind != "json_schema":
        raise BadRequest(
            f"{parameter}.type is {str(kind)[:40]!r}; use text, json_object or json_schema", parameter=parameter
        )
    # Chat wraps the schema once more than Responses does.
    holder = format.get("json_schema", format)
    schema = holder.get("schema") if isinstance(holder, dict) else None
    if not isinstance(schema, dict):
        raise BadRequest(f"{parameter} has no JSON schema", parameter=parameter)
    return JsonSchema(json.dumps(schema))


class CompletionRequest(Generation):
    prompt: Text | list[str] | list[int] | list[list[int]]
    suffix: Text | None = None

    def single_prompt(self) -> str:
        self.refuse_unsupported()
        if isinstance(self.prompt, str):
            return self.prompt
        if len(self.prompt) == 1 and isinstance(self.prompt[0], str):
            return self.prompt[0]
        raise BadRequest("Send one prompt, as text; several prompts or token ids are not supported", parameter="prompt")


class EmbeddingRequest(RequestBody):
    input: Text | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None

    def texts(self, decode: Decode | None) -> list[str]:
        """`decode`: token ids to text, where that can be done here."""
        self.refuse_unsupported()
        if isinstance(self.input, str):
            texts: list[str] = [self.input]
        elif self.input and isinstance(self.input[0], int):
            texts = [_decoded(self.input, decode)]
        else:
            inputs = cast(list[str] | list[list[int]], self.input)
            texts = [each if isinstance(each, str) else _decoded(each, decode) for each in inputs[: MAX_INPUTS + 1]]
        if not texts or len(texts) > MAX_INPUTS:
            raise BadRequest(f"Send 1 to {MAX_INPUTS} texts at a time", parameter="input")
        if not all(texts):
            raise BadRequest("An empty text cannot be embedded", parameter="input")
        return texts


def _decoded(tokens: Sequence[int], decode: Decode | None) -> str:
    if decode is None:
        raise BadRequest(
            "Token ids can be embedded only where tiktoken and its cl100k_base file are on this machine; send text. In "
            "LangChain, set check_embedding_ctx_length=False",
            parameter="input",
        )
    try:
        return decode(tokens)
    except (KeyError, OverflowError, ValueError) as error:
        raise BadRequest("These are not token ids of cl100k_base; send text", parameter="input") from error
