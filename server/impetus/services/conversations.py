"""Begins, lists, continues and ends conversations that are remembered. A stored answer is one that came to its end."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from impetus.domain.conversations import Conversation, ConversationStore, Item
from impetus.domain.types import Message
from impetus.errors import NotFound


class Conversations:
    """Each belongs to its `owner`, the id of a key; another one's does not exist."""

    def __init__(self, store: ConversationStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    async def begin(self, owner: str, model: str, metadata: Mapping[str, str] | None = None) -> Conversation:
        made = self.draft(owner, model, metadata)
        await asyncio.to_thread(self._store.add, made)
        return made

    def draft(self, owner: str, model: str, metadata: Mapping[str, str] | None = None) -> Conversation:
        """One that begins with its first answer; a request that fails leaves nothing."""
        now = self._clock()
        return Conversation(f"conv_{secrets.token_hex(16)}", owner, model, now, now, dict(metadata or {}))

    async def get(self, owner: str, id: str) -> Conversation:
        """Raises NotFound."""
        found = await asyncio.to_thread(self._store.get, owner, id)
        if found is None:
            raise _no_such(id)
        return found

    async def page(
        self, owner: str, model: str | None, limit: int, after: str | None
    ) -> tuple[list[Conversation], bool]:
        """The latest begun first, and whether there are more."""
        found = await asyncio.to_thread(self._store.all, owner, model, limit + 1, after)
        return found[:limit], len(found) > limit

    async def items(self, owner: str, id: str, limit: int, after: int | None) -> tuple[list[Item], bool]:
        await self.get(owner, id)
        found = await asyncio.to_thread(self._store.items, owner, id, limit + 1, after)
        return found[:limit], len(found) > limit

    async def remove(self, owner: str, id: str) -> None:
        if not await asyncio.to_thread(self._store.remove, owner, id):
            raise _no_such(id)

    async def history(self, owner: str, id: str) -> tuple[Message, ...]:
        await self.get(owner, id)
        return tuple(item.message for item in await asyncio.to_thread(self._store.items, owner, id, None, None))

    def memory(self, conversation: Conversation, asked: Sequence[Message], *, draft: bool = False) -> "Memory":
        return Memory(self._store, self._clock, conversation, asked, draft=draft)


class Memory:
    """One turn of a conversation: what was asked is kept together with its answer. A `draft` begins with it."""

    def __init__(
        self,
        store: ConversationStore,
        clock: Callable[[], float],
        conversation: Conversation,
        asked: Sequence[Message],
        *,
        draft: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._asked = asked
        self._draft = draft
        self.conversation = conversation

    async def keep(self, answer: Message) -> None:
        """Raises NotFound when the conversation was removed meanwhile."""
        await asyncio.to_thread(self._keep, answer)

    def _keep(self, answer: Message) -> None:
        if self._draft:
            self._store.add(self.conversation)
        owner, id = self.conversation.owner, self.conversation.id
        if not self._store.append(owner, id, (*self._asked, answer), self._clock()):
            raise _no_such(id)


def _no_such(id: str) -> NotFound:
    return NotFound(f"There is no conversation {id[:80]!r} of this key; begin one, or list those there are")
