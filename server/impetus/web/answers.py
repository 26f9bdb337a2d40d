"""The bodies of answers as the OpenAPI document describes them. Handlers build plain JSON; a test compares the two."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from impetus.web.document_schema import PassageBody


class ErrorBody(BaseModel):
    message: str
    type: str
    param: str | None
    code: str


class ErrorAnswer(BaseModel):
    """`type` is there in the form of Messages only."""

    error: ErrorBody
    type: Literal["error"] = "error"


# -- answers of models -------------------------------------------------------------------------------------------------


class PromptDetails(BaseModel):
    cached_tokens: int


class TokenUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class FunctionCall(BaseModel):
    name: str
    arguments: str = Field(description="A JSON object as text.")


class Call(BaseModel):
    id: str
    type: Literal["function"]
    function: FunctionCall


class Citation(BaseModel):
    """`start_index` and `end_index` are characters of the content."""

    url: str
    title: str
    start_index: int
    end_index: int
    number: int
    path: str
    root: str | None
    start_line: int | None
    end_line: int | None
    symbol: str | None


class Annotation(BaseModel):
    type: Literal["url_citation"]
    url_citation: Citation


class AnswerMessage(BaseModel):
    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[Call] = []
    annotations: list[Annotation] = []
    reasoning_content: str = ""
    reasoning: str = ""


class ChatChoice(BaseModel):
    index: int
    message: AnswerMessage
    logprobs: dict[str, Any] | None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ConversationRef(BaseModel):
    id: str


class ChatAnswer(BaseModel):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: TokenUsage
    conversation: ConversationRef | None = None


class TextChoice(BaseModel):
    index: int
    text: str
    logprobs: None
    finish_reason: Literal["stop", "length"]


class TextAnswer(BaseModel):
    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: TokenUsage


class FimMessage(BaseModel):
    role: Literal["assistant"]
    content: str
    tool_calls: None


class FimChoice(BaseModel):
    index: int
    message: FimMessage
    finish_reason: Literal["stop", "length"]


class FimAnswer(BaseModel):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[FimChoice]
    usage: TokenUsage


class InfillAnswer(BaseModel):
    content: str
    stop: bool
    stop_type: Literal["limit", "eos"]
    model: str
    tokens_predicted: int
    tokens_evaluated: int
    tokens_cached: int
    truncated: bool


class ResponseAnswer(BaseModel):
    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete"]
    model: str
    output: list[dict[str, Any]]
    conversation: ConversationRef | None
    usage: dict[str, Any]


class MessageAnswer(BaseModel):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[dict[str, Any]]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use"]
    stop_sequence: None
    usage: dict[str, int]


# -- vectors and passages ----------------------------------------------------------------------------------------------


class Embedding(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(description="Numbers, or base64 of little-endian float32.")


class EmbeddingUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingAnswer(BaseModel):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class Ranked(BaseModel):
    index: int
    relevance_score: float
    document: dict[str, str] | None = None


class RerankAnswer(BaseModel):
    object: Literal["list"]
    model: str
    results: list[Ranked]
    data: list[Ranked]


class PassageEntry(BaseModel):
    object: Literal["rag.passage"]
    index: int
    score: float
    root: str
    path: str
    start_line: int
    end_line: int
    language: str
    symbol: str | None
    kind: str
    text: str


class SearchAnswer(BaseModel):
    object: Literal["list"]
    data: list[PassageEntry | PassageBody] = Field(description="Those of documents where a collection is asked.")
    model: str


class IndexEntry(BaseModel):
    root: str
    phase: str
    done: int
    total: int
    files: int
    chunks: int
    skipped: int
    failed: int


class IndexAnswer(BaseModel):
    object: Literal["rag.status"]
    health: str
    message: str
    indexes: list[IndexEntry]
