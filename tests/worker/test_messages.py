"""What travels between engine and worker comes out as it went in, and nothing else is let in."""

import msgspec
import pytest

from impetus.domain.ports import Counters, HeldModel
from impetus.domain.types import (
    CallPart,
    ChatPrompt,
    ContextFile,
    End,
    FinishReason,
    InfillPrompt,
    Message,
    Piece,
    Prefill,
    Priority,
    Prompt,
    Role,
    Sampling,
    Step,
    TextPrompt,
    Thought,
    Tool,
    ToolCall,
    ToolUse,
    Usage,
)
from impetus.errors import BadRequest, Busy, ContextOverflow, ImpetusError, InsufficientMemory, ModelUnavailable
from impetus.worker import frames, messages


def bodies(data: bytes) -> list[bytes]:
    found = []
    while data:
        end = frames.HEAD_BYTES + frames.length(data[: frames.HEAD_BYTES])
        found.append(data[frames.HEAD_BYTES : end])
        data = data[end:]
    return found


@pytest.mark.parametrize(
    "prompt",
    [
        ChatPrompt((Message(Role.SYSTEM, "be brief"), Message(Role.USER, "höflich, 漢字, 🎈"))),
        ChatPrompt(
            (
                Message(Role.ASSISTANT, "", (ToolCall("c", "look", "{}"),), reasoning="hm"),
                Message(Role.TOOL, "a wall", tool_call_id="c"),
            ),
            ToolUse((Tool("look", "At a place"),), "named", "look", parallel=False),
            "high",
        ),
        TextPrompt(""),
        InfillPrompt("before", "after", "a.py", (ContextFile("b.py", "x"),)),
    ],
)
def test_prompts(prompt: Prompt) -> None:
    sampling = Sampling(max_tokens=3, temperature=0.0, seed=2**60, stop=("\n\n", "END"))
    sent = messages.start(7, "/models/a", prompt, sampling, Priority.TYPING)
    (body,) = bodies(frames.encode(sent))
    received = messages.for_worker(body)
    assert isinstance(received, messages.Start)
    assert (received.prompt.prompt, received.sampling, received.priority) == (prompt, sampling, Priority.TYPING)


@pytest.mark.parametrize(
    "step",
    [
        Prefill(3, 9),
        Thought("hm"),
        Piece("", None),
        Piece("é", -0.25),
        CallPart(1, '{"at"', "c", "look"),
        End(FinishReason.LENGTH, Usage(1, 2, 3)),
    ],
)
def test_steps(step: Step) -> None:
    (body,) = bodies(frames.encode(messages.stepped(4, step)))
    received = messages.for_engine(body)
    assert isinstance(received, messages.Stepped)
    assert (received.number, received.step) == (4, step)


@pytest.mark.parametrize(
    "error",
    [
        ContextOverflow(100, 200),
        BadRequest("no", parameter="prompt"),
        Busy("later", retry_after=2.5),
        ModelUnavailable("none"),
        InsufficientMemory("big", 3, 2),
    ],
)
def test_errors(error: ImpetusError) -> None:
    (body,) = bodies(frames.encode(messages.failed(1, error)))
    received = messages.for_engine(body)
    assert isinstance(received, messages.Failed)
    again = messages.error_of(received)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_several_messages_are_several_frames() -> None:
    held = messages.Held({"/m": HeldModel("ready", "fine", 12, Counters(1, 2, 3))})
    sent = [held, messages.Working("/m"), messages.Embedded(3, 2, b"\0" * 8)]
    assert [messages.for_engine(body) for body in bodies(frames.encode(*sent))] == sent


@pytest.mark.parametrize("body", [b"", b"junk", msgspec.msgpack.encode({"type": "Start", "number": "seven"})])
def test_what_has_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        messages.for_worker(body)
