"""The values every layer speaks in. Frozen, without behaviour beyond what follows from their fields.

Conventions: `path` is POSIX and relative to a workspace root unless the name says `absolute`; lines are 1-based and
ranges of lines inclusive; byte and character offsets are 0-based and half-open; vectors are float32 of unit length.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Literal, NamedTuple

# -- source structure ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Definition:
    """A named thing that a file defines. `kind` uses the tags vocabulary: function, class, method, type, module …"""

    name: str
    kind: str
    start: int  # bytes, of the whole definition, doc comment and decorators included
    end: int
    start_line: int
    end_line: int
    name_line: int  # the line that holds the name
    scope: tuple[str, ...] = ()  # names of the enclosing definitions, outermost first
    signature: str = ""  # one line
    doc: str = ""  # first paragraph of the documentation, plain text


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of a name. `kind` uses the tags vocabulary: call, type, class, import …"""

    name: str
    kind: str
    line: int
    within: str = ""  # dotted name of the enclosing definition, "" at the top level


@dataclass(frozen=True, slots=True)
class Outline:
    """What tree-sitter found in one file. Empty for plain text; partial, never absent, for broken code."""

    definitions: tuple[Definition, ...] = ()
    references: tuple[Reference, ...] = ()


class Chunk(NamedTuple):
    """A verbatim byte slice of a file. The chunks of a file, joined in order, are the file.

    A tuple, because a query makes hundreds and a scan all, which costs a quarter of what a frozen dataclass does.
    `id` is the content address: blake2b over slice, header, language and chunker version (no path), 32 hex digits.
    `header` is the context that is searched and embedded with the slice and never stored in it.
    """

    id: str
    start: int
    end: int
    start_line: int
    end_line: int
    scope: tuple[str, ...] = ()
    signature: str = ""  # of the innermost definition that the slice continues, "" when the slice shows it itself
    symbols: tuple[str, ...] = ()  # names of the definitions that begin in the slice
    kind: str = "text"  # kind of the first definition that begins in the slice, else "code" or "text"

    @property
    def header(self) -> str:
        """`Outer.Inner` and the signature, one per line; empty at the top level."""
        return "\n".join(filter(None, (".".join(self.scope), self.signature)))


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything the index keeps of one file's content; depends on the bytes and the language alone."""

    blob: str  # content address of the file: blake2b over bytes, language and chunker version, 32 hex digits
    language: str  # a folder of grammars/, or "text"
    size: int
    chunks: tuple[Chunk, ...]
    outline: Outline


# -- positions and documents -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """A text as a client has it open; wins over the file on disk. `key` is an absolute path, or a URI without one."""

    key: str
    text: str
    version: int
    language: str = "text"
    dirty: bool = False  # differs from what was last saved


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two characters. `offset` counts characters (code points) of `document.text`."""

    document: Document
    offset: int


@dataclass(frozen=True, slots=True)
class Selection:
    """A range of lines of a document; a bare cursor selects its one line."""

    document: Document
    start_line: int
    end_line: int


# -- retrieval -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchQuery:
    text: str
    limit: int = 10
    paths: tuple[str, ...] = ()  # gitignore-style globs; empty means everywhere
    languages: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()  # empty means every root of the session
    per_file: int = 2  # at most so many hits of one file


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage as it stands in the text now (unsaved text included): `text` is lines `start_line` to `end_line`."""

    root: Path
    path: str
    start_line: int
    end_line: int
    score: float  # in (0, 1], comparable within one result only
    text: str
    language: str = "text"
    symbol: str = ""  # dotted name of what the passage defines or lies in
    kind: str = "text"

    @property
    def absolute_path(self) -> Path:
        return self.root / self.path


@dataclass(frozen=True, slots=True)
class Related:
    """Code that has to do with a place, and how. Scores compare within one relation."""

    relation: Literal["callee", "caller", "test", "similar"]
    hit: Hit


@dataclass(frozen=True, slots=True)
class SymbolHit:
    """A definition found by name or meaning."""

    root: Path
    path: str
    definition: Definition
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class ReferenceHit:
    """A use of a symbol. `text` is the line, stripped."""

    root: Path
    path: str
    reference: Reference
    text: str = ""


# -- ask, explain, chat ----------------------------------------------------------------------------------------------


class Role(Enum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"  # what a tool returned


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's request to run a tool of the client. `arguments` is a JSON object as text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """`tool_calls` and `reasoning` are an assistant's; `tool_call_id` says which call a tool's message answers."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    history: tuple[Message, ...] = ()
    selection: Selection | None = None  # what the person is looking at
    limit: int = 8  # passages offered to the answer
    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A numbered passage of an answer: `[number]` in the text cites it.

    One that is `given` is no file of the workspace: the client sent it, or a collection of documents holds it. Its text
    stands as it is, and `hit.path` is its name.
    """

    number: int
    hit: Hit
    given: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class FinishReason(Enum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"  # the client runs the tools and comes back with what they return


@dataclass(frozen=True, slots=True)
class Sources:
    """First event of every answer, before any text."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Indexing:
    """Files indexed so far, before Sources: the folder was never indexed, and the answer waits for what it needs."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Prompt tokens read so far; comes between Sources and the first Delta."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Delta:
    """`scores` as in `Piece`, where the sampling asked for them; the text may then be empty."""

    text: str
    scores: "tuple[TokenScore, ...]" = ()


@dataclass(frozen=True, slots=True)
class Thought:
    """Text of what a model says to itself before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class CallPart:
    """A part of the tool call number `index`. Its first part has `id` and `name`; `arguments` join to a JSON object."""

    index: int
    arguments: str
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """Last event. `model` names what wrote the answer; "extractive" when no model did.

    `cited` lists the sources whose citation was checked against the text as it is now; `unverified` the numbers that
    the answer cites but that name no source or one that changed meanwhile.
    """

    reason: FinishReason
    model: str
    usage: Usage = Usage()
    cited: tuple[Source, ...] = ()
    unverified: tuple[int, ...] = ()


AnswerEvent = Indexing | Sources | Progress | Thought | Delta | CallPart | Finish


# -- generation ------------------------------------------------------------------------------------------------------


class Priority(IntEnum):
    """Who may use the model next; lower goes first."""

    TYPING = 0
    CHAT = 1
    INDEX = 2


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The answer is one JSON value that the schema allows; `text` is the schema as JSON."""

    text: str


#: OpenAI's `json_object`: any object.
ANY_OBJECT = JsonSchema('{"type": "object"}')


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Penalties as OpenAI defines them; `repetition_penalty` also looks at the prompt's end."""

    max_tokens: int = 1024
    temperature: float = 0.2
    top_p: float = 0.95
    top_k: int = 0  # 0: off
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()  # text ends before the first of these
    logit_bias: tuple[tuple[int, float], ...] = ()  # (token, what is added to its logit)
    top_logprobs: int | None = None  # None: pieces have no scores; else with so many alternatives
    grammar: JsonSchema | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a client can run. `parameters` is the JSON schema of its arguments, as JSON."""

    name: str
    description: str = ""
    parameters: str = '{"type": "object", "properties": {}}'


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Tools that an answer may call. `choice`: "auto", "required", or "named" for the tool `name`."""

    tools: tuple[Tool, ...]
    choice: Literal["auto", "required", "named"] = "auto"
    name: str = ""
    parallel: bool = True  # more than one call in an answer


#: How long a model may think, as OpenAI names it. Models that only have a switch know "none" from the rest.
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """Messages; the generator applies its model's own chat template.

    Raises BadRequest for tools, or an `effort` other than "none", where the model's family has none of it.
    """

    messages: tuple[Message, ...]
    tool_use: ToolUse | None = None
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """Raw continuation: no template, no special tokens."""

    text: str


@dataclass(frozen=True, slots=True)
class ContextFile:
    """Another file's text offered to a completion."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class InfillPrompt:
    """Fill in the middle; the generator renders its model family's own format (see `domain/fim.py`)."""

    prefix: str
    suffix: str
    path: str = ""
    context: tuple[ContextFile, ...] = ()  # stable parts first


Prompt = ChatPrompt | TextPrompt | InfillPrompt


@dataclass(frozen=True, slots=True)
class Grounding:
    """What an answer is given to read beside the conversation.

    `limit` counts the passages that are searched for, None: chat.passages. Documents that are `given` are all read.
    """

    workspace: bool = True  # passages of the folders `roots`; none of them: of every open one
    roots: tuple[Path, ...] = ()
    collection: str = ""  # of documents; "*": all of them
    limit: int | None = None
    given: tuple[ContextFile, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """The next turn of a conversation and how it is to be answered."""

    messages: tuple[Message, ...]
    sampling: Sampling
    grounding: Grounding | None = None
    tool_use: ToolUse | None = None
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class Prefill:
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TokenScore:
    """A token's bytes, perhaps a part of a character, and its log-probability."""

    data: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Decoded text of one step; may be empty while a character is incomplete or a stop string may have begun."""

    text: str
    #: How sure the model was of it: the log-probability of its token as the model saw it, before any setting of
    #: Sampling, where the generator knows that.
    logprob: float | None = None
    #: When asked for by `Sampling.top_logprobs`: this step's token, then the most likely ones, best first.
    scores: tuple[TokenScore, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    reason: FinishReason
    usage: Usage


Step = Prefill | Thought | Piece | CallPart | End


# -- completion ------------------------------------------------------------------------------------------------------


class Shape(Enum):
    """How much a completion may write."""

    NONE = "none"
    LINE = "line"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Completion:
    """Text to put in place of the characters `start` to `end` of the document at `version`."""

    text: str
    start: int
    end: int
    version: int
    model: str
    id: int = 0  # by which the editor tells what became of it; 0 while it is not offered


class Outcome(Enum):
    """What became of a completion."""

    OFFERED = "offered"  # sent to the editor
    SHOWN = "shown"
    ACCEPTED = "accepted"
    PARTLY = "partly"  # a word or a line of it was taken
    REJECTED = "rejected"  # dismissed by the person, or typed over


@dataclass(frozen=True, slots=True)
class FollowUp:
    """An edit that another edit asks for: `text` in place of the characters `start` to `end` of `document`."""

    document: Document
    start: int
    end: int
    text: str
    reason: str  # for the person: what it follows from


# -- state shown to people -------------------------------------------------------------------------------------------


class Health(Enum):
    OK = "ok"
    WARNING = "warning"  # works, degraded; `message` says how
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that went wrong and was survived: which file or part, and a sentence that says what to do."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """Counts of one root. `total` is 0 until the scan has counted; `rate` is files per second."""

    root: Path
    phase: str  # "scanning", "indexing", "storing", "ready", "failed"
    done: int = 0
    total: int = 0
    rate: float = 0.0
    files: int = 0
    chunks: int = 0
    skipped: int = 0  # left out by rules or content, once ready; a folder left out counts once
    failed: int = 0
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelState:
    """One configured model. `state`: "ready", "not loaded", "loading", "filling", "missing", "failed", "none"."""

    role: str  # "chat", "completion", "embedding"
    id: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    health: Health
    message: str
    indexes: tuple[IndexProgress, ...] = ()
    models: tuple[ModelState, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is left out of the index and the reason, as shown by `impetus index --dry-run`."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What one walk over a root found. `files` maps paths to (size in bytes, modification time in ns)."""

    root: Path
    files: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    skipped: tuple[SkippedFile, ...] = ()
    problems: tuple[Problem, ...] = ()
