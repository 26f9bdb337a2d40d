"""`GET /v1/models`: the ids that requests may name, what each means, and their OpenAI form."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from impetus.services.models import ModelRole
from impetus.web.errors import unknown_model
from impetus.web.measured import Measured

WORKSPACE = "impetus"  # chat with passages of every open workspace
PLAIN = "impetus-plain"  # the chat model alone
COMPLETE = "impetus-complete"  # fill in the middle
EMBED = "impetus-embed"

#: id → role of the model behind it.
ROLES: dict[str, Literal["chat", "completion", "embedding"]] = {
    WORKSPACE: "chat",
    PLAIN: "chat",
    COMPLETE: "completion",
    EMBED: "embedding",
}
COMPLETION_IDS = (COMPLETE, PLAIN)


@dataclass(frozen=True, slots=True)
class ChatModel:
    """What a chat id stands for. No `roots`: every open workspace."""

    id: str
    retrieval: bool
    roots: tuple[Path, ...] = ()


def chat_model(session: Measured, model: str) -> ChatModel:
    """Raises Refused with 404."""
    if model in (WORKSPACE, PLAIN):
        return ChatModel(model, model == WORKSPACE)
    ids = workspaces(session.roots)
    if model not in ids:
        raise unknown_model(model, (WORKSPACE, PLAIN, *ids))
    return ChatModel(model, True, (ids[model],))


def workspaces(roots: Sequence[Path]) -> dict[str, Path]:
    """`impetus/NAME` of each open folder; of two with one name, the second is NAME-2."""
    ids: dict[str, Path] = {}
    for root in sorted(roots):
        base = number = f"{WORKSPACE}/{root.name or 'root'}"
        count = 1
        while number in ids:
            count += 1
            number = f"{base}-{count}"
        ids[number] = root
    return ids


def require(model: str, known: tuple[str, ...]) -> str:
    if model not in known:
        raise unknown_model(model, known)
    return model


def role_of(model: str) -> ModelRole:
    """The role of the local model behind an id, to load it or give it back."""
    role = ROLES[require(model, (WORKSPACE, PLAIN, COMPLETE))]
    assert role != "embedding"
    return role


async def listing(session: Measured, created: int) -> dict[str, Any]:
    ids = (*ROLES, *workspaces(session.roots))
    return {"object": "list", "data": [await entry(session, model, created) for model in ids]}


async def entry(session: Measured, model: str, created: int) -> dict[str, Any]:
    """One model. `max_model_len` is the name that vLLM's clients read, `context_length` that of the others."""
    ids = workspaces(session.roots)
    role = "chat" if model in ids else ROLES[require(model, (*ROLES, *ids))]
    state = next((state for state in session.status().models if state.role == role), None)
    # The static embedder has no limit, and a role without a model none either.
    length = await session.context_length(role) if role != "embedding" else None
    return {
        "id": model,
        "object": "model",
        "created": created,
        "owned_by": "impetus",
        "role": role,
        "backed_by": state.id if state is not None and state.id else None,
        "state": state.state if state is not None else "none",
        "context_length": length,
        "max_model_len": length,
    }
