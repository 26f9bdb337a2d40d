"""Thoughts, text and calls come out the same however a model's text is cut into tokens."""

import json
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.answer_parts import AnswerForm, AnswerReader, Marks, Part
from impetus.domain.types import CallPart, Thought, ToolCall

THINK = Marks("<think>", "</think>")
CALL = Marks("<tool_call>", "</tool_call>")


def parse(text: str) -> list[ToolCall]:
    call = json.loads(text)
    return [ToolCall("id", call["name"], json.dumps(call["arguments"]))]


FORM = AnswerForm(THINK, CALL, parse)


def joined(parts: Sequence[Part]) -> list[Part]:
    """Neighbors of one kind as one."""
    out: list[Part] = []
    for part in parts:
        last = out[-1] if out else None
        if isinstance(part, str) and isinstance(last, str):
            out[-1] = last + part
        elif isinstance(part, Thought) and isinstance(last, Thought):
            out[-1] = Thought(last.text + part.text)
        else:
            out.append(part)
    return [part for part in out if part != ""]


def read(text: str, form: AnswerForm = FORM, cuts: Sequence[int] = ()) -> list[Part]:
    reader = AnswerReader(form)
    parts: list[Part] = []
    bounds = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    for start, end in pairwise(bounds):
        parts += reader.feed(text[start:end])
    return joined([*parts, *reader.finish()])


def call(name: str, index: int = 0, **arguments: object) -> CallPart:
    return CallPart(index, json.dumps(arguments), "id", name)


WRITTEN = (
    '<think>\nwhich one?\n\nthe first\n</think>\n\nI look.\n<tool_call>\n{"name": "look", "arguments": {"at": "a<b"}}'
    '\n</tool_call>\n<tool_call>\n{"name": "wait", "arguments": {}}\n</tool_call>'
)


@given(st.lists(st.integers(0, 1000), max_size=30))
def test_an_answer_is_taken_apart_wherever_it_is_cut(cuts: list[int]) -> None:
    assert read(WRITTEN, cuts=cuts) == [
        Thought("which one?\n\nthe first"), "I look.\n", call("look", at="a<b"), call("wait", 1)
    ]  # fmt: skip


@given(st.text("<thinkcal/>_o ", max_size=60), st.lists(st.integers(0, 1000), max_size=10))
def test_text_without_a_whole_mark_is_left_as_it_is(text: str, cuts: list[int]) -> None:
    if "<think>" not in text and "<tool_call>" not in text:
        assert "".join(part for part in read(text, cuts=cuts) if isinstance(part, str)) == text


def test_text_is_shown_at_once_and_only_what_may_be_a_mark_is_held_back() -> None:
    reader = AnswerReader(FORM)
    assert reader.feed("a < b ") == ["a < b "]
    assert reader.feed("<to") == [""]
    assert reader.feed("day") == ["<today"]


def test_a_prompt_that_opened_the_thought() -> None:
    form = AnswerForm(THINK, begins="thought")
    assert read("hm\n</think>\n\nYes.", form) == [Thought("hm"), "Yes."]
    assert read("never ends", form) == [Thought("never ends")]


@pytest.mark.parametrize("broken", ["{", '{"name": "x"}', "[]", '"x"', "12"])
def test_what_is_no_call_is_text_after_all(broken: str) -> None:
    text = f"<tool_call>{broken}</tool_call>"
    assert read(text) == [text]
    assert AnswerReader(FORM).called == 0


def test_a_call_that_is_cut_short_is_never_told_as_one() -> None:
    text = '<tool_call>{"name": "look", "arguments": {"at"'
    assert read(text) == [text]


def test_a_call_whose_end_is_that_of_the_answer() -> None:
    form = AnswerForm(call=Marks("[TOOL_CALLS]", ""), parse=parse)
    assert read('[TOOL_CALLS]{"name": "look", "arguments": {}}', form) == [call("look")]
    assert read('<tool_call>{"name": "look", "arguments": {}}') == [call("look")]


def test_one_call_is_enough_where_only_one_is_wanted() -> None:
    reader = AnswerReader(AnswerForm(THINK, CALL, parse, parallel=False))
    parts = joined([*reader.feed(WRITTEN), *reader.finish()])
    assert [part for part in parts if isinstance(part, CallPart)] == [call("look", at="a<b")]
    assert reader.done and reader.called == 1
