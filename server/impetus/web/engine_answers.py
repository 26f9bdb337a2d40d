"""The bodies of answers about models, conversations, keys and the engine, as the OpenAPI document describes them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from impetus.web.answers import Call

# -- models and conversations ------------------------------------------------------------------------------------------


class ModelEntry(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    role: str
    backed_by: str | None
    state: str
    context_length: int | None
    max_model_len: int | None


class ModelList(BaseModel):
    object: Literal["list"]
    data: list[ModelEntry]


class PullAnswer(BaseModel):
    model: str
    state: Literal["done"]


class ConversationEntry(BaseModel):
    id: str
    object: Literal["conversation"]
    created_at: int
    updated_at: int
    workspace: str
    metadata: dict[str, str]


class Page(BaseModel):
    object: Literal["list"]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ConversationList(Page):
    data: list[ConversationEntry]


class ItemEntry(BaseModel):
    id: str
    type: Literal["message"]
    status: str
    role: str
    content: list[dict[str, str]]
    tool_calls: list[Call] = []
    tool_call_id: str = ""


class ItemList(Page):
    data: list[ItemEntry]


class Deleted(BaseModel):
    id: str
    object: Literal["conversation.deleted"]
    deleted: bool


# -- the engine --------------------------------------------------------------------------------------------------------


class KeyEntry(BaseModel):
    id: str
    object: Literal["api_key"]
    name: str
    role: str
    created: int
    expires: int | None


class KeyList(Page):
    data: list[KeyEntry]


class KeyEventEntry(BaseModel):
    id: str
    object: Literal["api_key.event"]
    at: int
    action: str
    key_id: str
    name: str
    role: str


class KeyEventList(Page):
    data: list[KeyEventEntry]


class LiveAnswer(BaseModel):
    status: Literal["live"]


class ReadyAnswer(BaseModel):
    status: Literal["ready", "failed"]
    health: str
    message: str


class StatusAnswer(BaseModel):
    version: str
    health: str
    message: str
    indexes: list[dict[str, Any]]
    models: list[dict[str, Any]]
    problems: list[dict[str, Any]]


class CoreKind(BaseModel):
    kind: str = Field(description="The system's own word, such as Performance; empty for all.")
    count: int


class Processors(BaseModel):
    physical: int | None
    logical: int | None
    kinds: list[CoreKind]
    gpu: int | None


class CanaryVerdict(BaseModel):
    """`placed`: the share of operations on the backend; seconds are of one text."""

    reason: str
    cosine: float
    placed: float | None
    seconds: float
    other_seconds: float


class EmbeddingBackend(BaseModel):
    name: str
    state: str
    reason: str | None
    canary: CanaryVerdict | None


class HardwareAnswer(BaseModel):
    """What nobody says is null."""

    system: str
    system_version: str | None
    system_build: str | None
    release: str
    machine: str
    processor: str | None
    family: str | None
    cores: Processors
    memory: dict[str, int]
    metal: bool
    neural_engine: bool
    on_battery: bool | None
    thermal_pressure: str | None
    strain: str | None
    embedding_backends: list[EmbeddingBackend]
    python: str
