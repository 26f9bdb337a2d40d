"""What clients of OpenAI-compatible servers share: whose machine it is, and the sentence in an error body."""

import json
from typing import Any
from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def on_this_machine(url: str) -> bool:
    """A proxy of the environment must not come between this machine and itself."""
    return urlsplit(url).hostname in _LOOPBACK


def message(value: Any) -> str:
    """The sentence in an error body; servers disagree about its place."""
    if isinstance(value, dict):
        for key in ("error", "message", "detail"):
            if value.get(key):
                return message(value[key])
    return value if isinstance(value, str) else json.dumps(value)[:200]
