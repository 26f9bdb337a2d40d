"""`/v1/conversations`: those that are remembered, in OpenAI's form, and how an answer continues one.

A conversation is of the key that began it; `workspace` is the model id that it was begun with.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from impetus.domain.conversations import Conversation, Item
from impetus.domain.types import ChatTurn, Message, Role
from impetus.errors import BadRequest
from impetus.services.conversations import Conversations, Memory
from impetus.web.measured import Measured
from impetus.web.models import WORKSPACE, chat_model
from impetus.web.tools import call_json

#: Asks for a conversation that does not exist yet.
NEW = "new"

Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class ConversationRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=500)] = WORKSPACE
    metadata: Metadata | None = None


def owner(request: Request) -> str:
    key: str = request.state.key.id
    return key


async def continued(
    conversations: Conversations, request: Request, asked: str | None, model: str, turn: ChatTurn
) -> tuple[ChatTurn, Memory | None]:
    """The turn behind what was said before, and where it is remembered. Raises NotFound."""
    if asked is None:
        return turn, None
    # Instructions belong to a request, not to the conversation.
    standing = tuple(message for message in turn.messages if message.role is Role.SYSTEM)
    said = tuple(message for message in turn.messages if message.role is not Role.SYSTEM)
    if asked == NEW:
        return turn, conversations.memory(conversations.draft(owner(request), model), said, draft=True)
    known = await conversations.get(owner(request), asked)
    history = await conversations.history(owner(request), asked)
    return replace(turn, messages=(*standing, *history, *said)), conversations.memory(known, said)


async def begin(session: Measured, request: Request, body: ConversationRequest) -> dict[str, Any]:
    model = chat_model(session, body.model).id
    return entry(await session.conversations.begin(owner(request), model, body.metadata))


async def listing(
    session: Measured, request: Request, model: str | None, limit: int, after: str | None
) -> dict[str, Any]:
    found, more = await session.conversations.page(owner(request), model, limit, after)
    return _page([entry(each) for each in found], more)


async def items(session: Measured, request: Request, id: str, limit: int, after: str | None) -> dict[str, Any]:
    if after is not None and not (after.isascii() and after.removeprefix("item_").isdecimal() and len(after) < 24):
        raise BadRequest("`after` is not the id of an item; begin again without it", parameter="after")
    start = int(after.removeprefix("item_")) if after is not None else None
    found, more = await session.conversations.items(owner(request), id, limit, start)
    return _page([_item(each) for each in found], more)


def entry(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created),
        "updated_at": int(conversation.updated),
        "workspace": conversation.model,
        "metadata": dict(conversation.metadata),
    }


def deleted(id: str) -> dict[str, Any]:
    return {"id": id, "object": "conversation.deleted", "deleted": True}


def _item(item: Item) -> dict[str, Any]:
    message = item.message
    kind = "output_text" if message.role is Role.ASSISTANT else "input_text"
    return {
        "id": f"item_{item.id}",
        "type": "message",
        "status": "completed",
        "role": message.role.value,
        "content": [{"type": kind, "text": message.content}],
        **_calls(message),
    }


def _calls(message: Message) -> dict[str, Any]:
    calls = {"tool_calls": [call_json(call) for call in message.tool_calls]} if message.tool_calls else {}
    return calls | ({"tool_call_id": message.tool_call_id} if message.tool_call_id else {})


def _page(entries: Sequence[dict[str, Any]], more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": list(entries),
        "first_id": entries[0]["id"] if entries else None,
        "last_id": entries[-1]["id"] if entries else None,
        "has_more": more,
    }
