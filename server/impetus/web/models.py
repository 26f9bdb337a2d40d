"""`GET /v1/models`: the ids that requests may name, what each means, and their OpenAI form."""

from typing import Any, Literal

from impetus.services.session import Session
from impetus.web.errors import unknown_model

WORKSPACE = "impetus"  # chat with passages of the workspace
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
CHAT_IDS = (WORKSPACE, PLAIN)
COMPLETION_IDS = (COMPLETE, PLAIN)


def require(model: str, known: tuple[str, ...]) -> str:
    if model not in known:
        raise unknown_model(model, known)
    return model


async def listing(session: Session, created: int) -> dict[str, Any]:
    return {"object": "list", "data": [await entry(session, model, created) for model in ROLES]}


async def entry(session: Session, model: str, created: int) -> dict[str, Any]:
    """One model. `max_model_len` is the name that vLLM's clients read, `context_length` that of the others."""
    role = ROLES[require(model, tuple(ROLES))]
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
