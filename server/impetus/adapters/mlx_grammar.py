"""Answers that can only be JSON of a given schema, through llguidance: before each token, which ones may come next.

Imports llguidance on first use: preparing a large vocabulary takes it some tenths of a second, and few need it.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.domain.types import JsonSchema
from impetus.errors import BadRequest, ModelError

#: A model may lay the JSON out, but not write white space for ever.
WHITESPACE = r"[\x20\x0A\x0D\x09]{0,32}"


class Grammar:
    """Where one sequence stands in its schema."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def allowed(self, width: int) -> NDArray[np.bool_]:
        """(width,): which tokens may come next, the end of the answer among them once the JSON is complete."""
        try:
            mask = self._matcher.compute_bitmask()
        except ValueError:  # it gave up, which `accept` tells this request without harm to the rest of its batch
            return np.ones(width, np.bool_)
        bits = np.unpackbits(np.frombuffer(mask, np.uint8), bitorder="little")[:width]
        allowed = np.zeros(width, np.bool_)
        allowed[: len(bits)] = bits
        return allowed

    def accept(self, token: int) -> None:
        """Raises ModelError where the schema is too much for the library."""
        self._matcher.consume_token(token)
        if self._matcher.is_error():
            reason = _first_line(self._matcher.get_error())
            raise ModelError(f"The answer could not be kept to its JSON schema: {reason}; simplify the schema")

    @property
    def complete(self) -> bool:
        """Nothing may follow."""
        return bool(self._matcher.is_stopped())


class Grammars:
    """The grammars of one vocabulary; `tokenizer` is a tokenizer.json, `ends` are the tokens that end an answer."""

    def __init__(self, tokenizer: str, ends: Collection[int]) -> None:
        from llguidance import LLTokenizer

        self._tokenizer = LLTokenizer(tokenizer, eos_token=sorted(ends))

    def start(self, schema: JsonSchema) -> Grammar:
        """Raises BadRequest for what is no schema, or one with parts that are not supported."""
        from llguidance import LLMatcher

        try:
            text = LLMatcher.grammar_from_json_schema(schema.text, overrides={"whitespace_pattern": WHITESPACE})
        except ValueError as error:
            raise _refused(str(error)) from error
        matcher = LLMatcher(self._tokenizer, text, log_level=0)
        if matcher.is_error():
            raise _refused(matcher.get_error())
        return Grammar(matcher)


def _refused(reason: str) -> BadRequest:
    return BadRequest(f"The JSON schema cannot be used: {_first_line(reason)}", parameter="response_format")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:200] if text.strip() else "no reason given"
