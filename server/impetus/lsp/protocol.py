"""Our own methods on the wire: names, parameters and results, as docs/protocol.md describes them.

Attribute names turn into camelCase; an optional attribute that is None is left out. Nothing here knows the engine.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, cast, get_args, get_origin

import attrs
import cattrs
from lsprotocol.types import Position, Range, TextDocumentIdentifier
from pygls.protocol import default_converter

ASK: Final = "impetus/ask"
EXPLAIN: Final = "impetus/explain"
COMPLETE: Final = "impetus/complete"
SEARCH: Final = "impetus/search"
RELATED: Final = "impetus/related"
STATUS: Final = "impetus/status"
REINDEX: Final = "impetus/reindex"
FEEDBACK: Final = "impetus/feedback"
NEXT_EDIT: Final = "impetus/nextEdit"
STATUS_CHANGED: Final = "impetus/statusChanged"

Token = int | str


def _check_token(_params: object, field: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
        raise ValueError(f"{field.name} is neither an integer nor a string")


# -- parameters ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ChatMessage:
    role: str  # "user" or "assistant"
    content: str


@attrs.frozen(kw_only=True)
class AskParams:
    question: str
    text_document: TextDocumentIdentifier | None = None  # what the person is looking at
    range: Range | None = None  # the selected part of it
    history: tuple[ChatMessage, ...] = ()  # earlier turns, oldest first
    limit: int | None = None  # passages offered to the answer
    paths: tuple[str, ...] = ()  # gitignore-style globs; empty means everywhere
    languages: tuple[str, ...] = ()
    work_done_token: Token | None = attrs.field(default=None, validator=_check_token)
    partial_result_token: Token | None = attrs.field(default=None, validator=_check_token)


@attrs.frozen(kw_only=True)
class ExplainParams:
    text_document: TextDocumentIdentifier
    range: Range | None = None
    position: Position | None = None  # instead of a range: the symbol at the cursor
    work_done_token: Token | None = attrs.field(default=None, validator=_check_token)
    partial_result_token: Token | None = attrs.field(default=None, validator=_check_token)


@attrs.frozen(kw_only=True)
class CompleteParams:
    text_document: TextDocumentIdentifier
    position: Position
    explicit: bool = False  # the person asked for it


@attrs.frozen(kw_only=True)
class SearchParams:
    query: str
    limit: int | None = None
    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()  # URIs of workspace folders; empty means all
    per_file: int | None = None


@attrs.frozen(kw_only=True)
class RelatedParams:
    text_document: TextDocumentIdentifier
    range: Range | None = None
    position: Position | None = None  # instead of a range: the symbol at the cursor


@attrs.frozen(kw_only=True)
class StatusParams:
    pass


@attrs.frozen(kw_only=True)
class ReindexParams:
    roots: tuple[str, ...] = ()
    full: bool = False  # forget the index and build it anew


@attrs.frozen(kw_only=True)
class NextEditParams:
    text_document: TextDocumentIdentifier
    position: Position


@attrs.frozen(kw_only=True)
class FeedbackParams:
    id: int  # of the completion
    outcome: str  # "shown", "accepted", "partly" or "rejected"
    characters: int | None = None  # accepted so far; all by default


# -- results ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Passage:
    uri: str
    path: str  # relative to its workspace folder, with /
    range: Range
    score: float
    text: str
    language: str
    symbol: str
    kind: str


@attrs.frozen(kw_only=True)
class Source:
    number: int  # `[number]` in the answer cites it
    passage: Passage


@attrs.frozen(kw_only=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


@attrs.frozen(kw_only=True)
class AnswerResult:
    """Of ask and explain. With a partialResultToken the text has been sent already and is left out here."""

    sources: tuple[Source, ...]
    cited: tuple[int, ...]
    unverified: tuple[int, ...]
    model: str
    finish_reason: str
    usage: Usage
    text: str | None = None


@attrs.frozen(kw_only=True)
class CompleteResult:
    text: str
    range: Range
    version: int
    model: str
    id: int  # for impetus/feedback


@attrs.frozen(kw_only=True)
class NextEdit:
    uri: str
    range: Range
    text: str
    reason: str
    version: int | None = None  # of the document, where it is open


@attrs.frozen(kw_only=True)
class NextEditResult:
    edits: tuple[NextEdit, ...]


@attrs.frozen(kw_only=True)
class SearchResult:
    hits: tuple[Passage, ...]


@attrs.frozen(kw_only=True)
class RelatedPassage:
    relation: str  # "callee", "caller", "test" or "similar"
    passage: Passage


@attrs.frozen(kw_only=True)
class RelatedResult:
    related: tuple[RelatedPassage, ...]


@attrs.frozen(kw_only=True)
class Problem:
    subject: str
    message: str


@attrs.frozen(kw_only=True)
class IndexState:
    root: str  # URI
    phase: str
    done: int
    total: int
    rate: float
    files: int
    chunks: int
    failed: int
    problems: tuple[Problem, ...]


@attrs.frozen(kw_only=True)
class ModelState:
    role: str
    id: str
    state: str
    detail: str


@attrs.frozen(kw_only=True)
class StatusResult:
    """Also the parameters of impetus/statusChanged."""

    health: str
    message: str
    indexes: tuple[IndexState, ...]
    models: tuple[ModelState, ...]
    problems: tuple[Problem, ...]


# -- values of $/progress on a partialResultToken --------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class IndexingPart:
    kind: str
    done: int
    total: int


@attrs.frozen(kw_only=True)
class SourcesPart:
    kind: str
    sources: tuple[Source, ...]


@attrs.frozen(kw_only=True)
class DeltaPart:
    kind: str
    text: str


@attrs.frozen(kw_only=True)
class ProgressPart:
    kind: str
    done: int
    total: int


# -- registration ----------------------------------------------------------------------------------------------------

#: method → class of its parameters, class of its result (None: the result is null)
METHODS: Final[dict[str, tuple[type[Any], type[Any] | None]]] = {
    ASK: (AskParams, AnswerResult),
    EXPLAIN: (ExplainParams, AnswerResult),
    COMPLETE: (CompleteParams, CompleteResult),
    SEARCH: (SearchParams, SearchResult),
    RELATED: (RelatedParams, RelatedResult),
    STATUS: (StatusParams, StatusResult),
    REINDEX: (ReindexParams, None),
    FEEDBACK: (FeedbackParams, None),
    NEXT_EDIT: (NextEditParams, NextEditResult),
}

#: Values streamed on the partialResultToken of ask and explain, by their `kind`.
PARTS: Final[dict[str, type[Any]]] = {
    "indexing": IndexingPart,
    "sources": SourcesPart,
    "progress": ProgressPart,
    "delta": DeltaPart,
}


def command_of(method: str) -> str:
    """`impetus/ask` → `impetus.ask`, its name for workspace/executeCommand."""
    return method.replace("/", ".")


def _request_type(params: type[Any]) -> type[Any]:
    """The message class that pygls structures a request of ours into."""
    return attrs.make_class(
        f"{params.__name__.removesuffix('Params')}Request",
        {
            "id": attrs.field(type=cast(type, int | str)),
            "params": attrs.field(type=params),
            "method": attrs.field(type=str),
            "jsonrpc": attrs.field(type=str),
        },
    )


REQUEST_TYPES: Final = {method: _request_type(params) for method, (params, _result) in METHODS.items()}


@cache
def converter() -> cattrs.Converter:
    """One converter for all sessions: of lsprotocol's types and ours, without silent conversions of JSON types."""
    made: cattrs.Converter = default_converter()  # type: ignore[no-untyped-call]
    for primitive in (str, int, bool):
        made.register_structure_hook(primitive, _exactly)
    made.register_structure_hook_func(_is_array, _array(made))
    return made


def _exactly(value: Any, kind: type[Any]) -> Any:
    if kind not in (str, int, bool):
        return kind(value)  # an enumeration built on one of them
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def _is_array(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is tuple or origin is Sequence


def _array(made: cattrs.Converter) -> Any:
    """A JSON array; without this a string would pass as the list of its characters."""

    def structure(value: Any, kind: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise TypeError(f"expected an array, got {type(value).__name__}")
        return tuple(made.structure(item, get_args(kind)[0]) for item in value)

    return structure
