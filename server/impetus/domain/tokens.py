"""Identifiers and their parts: the terms of lexical search and of the static embedder.

`terms("HTTPServer.parse_url")` → `httpserver http server parse_url parse url`. Deliberately no stemming:
code is searched by the words that stand in it.
"""

import re
from functools import lru_cache

WORD = re.compile(r"[^\W\d]\w*|\d+")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")

#: Longer "words" are data (hashes, base64, minified code), not names.
MAX_WORD = 64


@lru_cache(maxsize=65_536)
def parts(word: str) -> tuple[str, ...]:
    """Split one identifier at case changes, digits and underscores; lower case. `getURLPath2` → `get url path 2`."""
    return tuple(map(str.lower, _PART.findall(word)))


@lru_cache(maxsize=65_536)
def _word_terms(word: str) -> tuple[str, ...]:
    if len(word) > MAX_WORD:
        return ()
    whole = word.lower()
    split = parts(word)
    return (whole, *split) if len(split) > 1 else (whole,)


def terms(text: str) -> list[str]:
    """Every identifier of `text` in lower case, followed by its parts where it has several."""
    out: list[str] = []
    for word in WORD.findall(text):
        out.extend(_word_terms(word))
    return out


def words(text: str) -> list[str]:
    """Only the parts (`parse url`, not `parse_url`): what the static embedder averages."""
    out: list[str] = []
    for word in WORD.findall(text):
        if len(word) <= MAX_WORD:
            out.extend(parts(word))
    return out
