"""What travels between the engine and the model worker.

Every request has a number, which its answers carry. Vectors travel as raw little-endian float32. Nothing here can name
code to run, and what does not have these forms is refused.
"""

from typing import Any

import msgspec

from impetus import errors
from impetus.domain.ports import HeldModel
from impetus.domain.types import (
    CallPart,
    ChatPrompt,
    End,
    InfillPrompt,
    Piece,
    Prefill,
    Priority,
    Prompt,
    Sampling,
    Step,
    TextPrompt,
    Thought,
)
from impetus.errors import ImpetusError


class _Message(msgspec.Struct, tag=True, frozen=True):
    pass


# msgspec tells the members of a union apart by their tag, and plain dataclasses have none.


class Chat(_Message, frozen=True):
    prompt: ChatPrompt


class Text(_Message, frozen=True):
    prompt: TextPrompt


class Infill(_Message, frozen=True):
    prompt: InfillPrompt


_PROMPTS: dict[type[Prompt], type[Any]] = {ChatPrompt: Chat, TextPrompt: Text, InfillPrompt: Infill}


# -- to the worker -----------------------------------------------------------------------------------------------------


class Start(_Message, frozen=True):
    """Answered by `Stepped` until its step is an `End`, or by `Failed`. `draft` names a model or nothing."""

    number: int
    model: str
    prompt: Chat | Text | Infill
    sampling: Sampling
    priority: Priority
    draft: str = ""


class Cancel(_Message, frozen=True):
    """Not answered; the request of this number is not answered any further either."""

    number: int


class Embed(_Message, frozen=True):
    number: int
    embedder: str
    texts: tuple[str, ...]


class Load(_Message, frozen=True):
    number: int
    model: str


class Unload(_Message, frozen=True):
    number: int
    model: str


class Ping(_Message, frozen=True):
    """Answered by `Pong` while the process lives, whatever the model thread is doing."""


class Stop(_Message, frozen=True):
    """Finish the step, give everything back, end."""


Request = Start | Embed | Load | Unload
ToWorker = Request | Cancel | Ping | Stop


# -- to the engine -----------------------------------------------------------------------------------------------------


class Read(_Message, frozen=True):
    number: int
    step: Prefill


class Wrote(_Message, frozen=True):
    number: int
    step: Piece


class Reasoned(_Message, frozen=True):
    number: int
    step: Thought


class Called(_Message, frozen=True):
    number: int
    step: CallPart


class Ended(_Message, frozen=True):
    number: int
    step: End


Stepped = Read | Reasoned | Wrote | Called | Ended

_STEPS: dict[type[Step], type[Any]] = {
    Prefill: Read,
    Thought: Reasoned,
    Piece: Wrote,
    CallPart: Called,
    End: Ended,
}


class Done(_Message, frozen=True):
    number: int


class Embedded(_Message, frozen=True):
    number: int
    dimensions: int
    vectors: bytes


class Failed(_Message, frozen=True):
    """`kind` is a class of `impetus.errors`, `values` its attributes."""

    number: int
    kind: str
    message: str
    values: dict[str, Any]


class Pong(_Message, frozen=True):
    """What the model thread is doing ("request": it takes one in; "load", "step", "embed", or nothing) and for how many
    seconds already.
    """

    doing: str
    seconds: float


class Working(_Message, frozen=True):
    """The model that the thread turns to, told before it does: the last word of a process that dies of it."""

    model: str


class Held(_Message, frozen=True):
    """Every model that is loaded, being loaded or failed to load."""

    models: dict[str, HeldModel]


Answer = Stepped | Done | Embedded | Failed
ToEngine = Answer | Pong | Working | Held

_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_to_engine: msgspec.msgpack.Decoder[ToEngine] = msgspec.msgpack.Decoder(ToEngine)


def for_worker(body: bytes) -> ToWorker:
    return _to_worker.decode(body)


def for_engine(body: bytes) -> ToEngine:
    return _to_engine.decode(body)


def start(number: int, model: str, prompt: Prompt, sampling: Sampling, priority: Priority, draft: str = "") -> Start:
    return Start(number, model, _PROMPTS[type(prompt)](prompt), sampling, priority, draft)


def stepped(number: int, step: Step) -> Stepped:
    message: Stepped = _STEPS[type(step)](number, step)
    return message


def failed(number: int, error: ImpetusError) -> Failed:
    return Failed(number, type(error).__name__, str(error), dict(vars(error)))


def error_of(failure: Failed) -> ImpetusError:
    """The error as it was raised in the worker."""
    kind: type[ImpetusError] = getattr(errors, failure.kind)
    error = kind.__new__(kind, failure.message)
    # msgpack has lists only.
    vars(error).update({name: tuple(v) if isinstance(v, list) else v for name, v in failure.values.items()})
    return error
