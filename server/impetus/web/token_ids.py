"""Token ids back to text, for clients that count tokens before they embed, as LangChain does.

Such clients use OpenAI's tokenizer for models they do not know. It is read from tiktoken's cache on this machine, where
those clients have put it; nothing is fetched.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

Decode = Callable[[Sequence[int]], str]

_ENCODING = "cl100k_base"
#: tiktoken names a cached file by the address that it came from.
_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"


@cache
def decoder() -> Decode | None:
    """None where tiktoken or its file is missing."""
    if not _cached().is_file():
        return None
    try:
        import tiktoken
    except ImportError:
        return None
    encoding = tiktoken.get_encoding(_ENCODING)

    def decode(tokens: Sequence[int]) -> str:
        """Raises KeyError for an id that is none of the tokenizer's."""
        return str(encoding.decode_bytes(tokens), "utf-8", "replace")

    return decode


def _cached() -> Path:
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    name = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()
    return Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache") / name
