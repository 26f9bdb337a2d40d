"""Conversations that the HTTP port remembers, and the port that stores them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from impetus.domain.types import Message


@dataclass(frozen=True, slots=True)
class Conversation:
    """`owner` is the id of the key that began it, `model` the id that it was begun with; seconds since the epoch."""

    id: str
    owner: str
    model: str
    created: float
    updated: float
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a conversation. `id` grows with every message."""

    id: int
    created: float
    message: Message


class ConversationStore(Protocol):
    """Durable; a conversation is visible to its owner alone. Pages begin after the entry that `after` names."""

    def add(self, conversation: Conversation) -> None: ...

    def get(self, owner: str, id: str) -> Conversation | None: ...

    def all(self, owner: str, model: str | None, limit: int, after: str | None) -> list[Conversation]:
        """The latest begun first; of one model id, or all. Raises BadRequest when `after` is none of them."""
        ...

    def remove(self, owner: str, id: str) -> bool:
        """Whether there was such a conversation."""
        ...

    def append(self, owner: str, id: str, messages: Sequence[Message], at: float) -> bool:
        """All of them or none. False when the conversation is gone."""
        ...

    def items(self, owner: str, id: str, limit: int | None, after: int | None) -> list[Item]:
        """In the order in which they came."""
        ...
