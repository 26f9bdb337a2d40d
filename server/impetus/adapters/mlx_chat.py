"""A conversation in a model family's own form: its chat template, how it thinks, how it is told of tools and calls
them.

Marks of thoughts, marks of calls and the parsers of calls are mlx-lm's (`tokenizer_utils.py` and `tool_parsers`,
0.32.2). Llama's calls have no marks and harmony's channels are more than marks: neither is known here.
"""

import importlib
import json
import re
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from impetus.adapters import mlx_loader
from impetus.domain import tool_choice
from impetus.domain.answer_parts import AnswerForm, Marks
from impetus.domain.types import ChatPrompt, Effort, Message, Tool, ToolCall, ToolUse
from impetus.errors import BadRequest, ModelError

_THOUGHTS = (
    Marks("<think>", "</think>"),
    Marks("<longcat_think>", "</longcat_think>"),
    Marks("[THINK]", "[/THINK]"),
)

#: Parser → texts that the chat template of its families has, all of them; the first parser that fits counts.
_PARSERS = (
    ("minimax_m2", ("<minimax:tool_call>",)),
    ("gemma4", ("<|tool_call>", "<tool_call|>")),
    ("function_gemma", ("<start_function_call>",)),
    ("longcat", ("<longcat_tool_call>",)),
    ("glm47", ("<arg_key>",)),
    ("pythonic", ("<|tool_list_start|>",)),
    ("pythonic", ("<|tool_call_start|>",)),
    ("qwen3_coder", ("<tool_call>\\n<function=",)),
    ("qwen3_coder", ("<tool_call>\n<function=",)),
    ("kimi_k2", ("<|tool_calls_section_begin|>",)),
    ("minicpm5", ('<function name="', '<param name="')),
    ("mistral", ("[TOOL_CALLS]",)),
    ("json_tools", ("<tool_call>", "tool_call.name")),
)


@dataclass(frozen=True, slots=True)
class Laid:
    """A prompt in pieces: (text, whether the template wrote it). Only those of the template may be control tokens."""

    pieces: list[tuple[str, bool]]
    form: AnswerForm


class ChatForm:
    """`template` is the folder's, `control` finds control tokens in a text, `tokens` are names of special tokens."""

    def __init__(
        self, template: str, name: str, knows: Callable[[str], bool], control: re.Pattern[str] | None, tokens: Any
    ) -> None:
        self._template = template
        self._name = name
        self._control = control
        self._tokens = tokens
        self._thought = next((marks for marks in _THOUGHTS if knows(marks.start) and knows(marks.end)), None)
        self._parser = next((parser for parser, texts in _PARSERS if all(text in template for text in texts)), None)
        self._switched = any(name in template for name in ("enable_thinking", "reasoning_effort", "thinking"))

    def lay_out(self, prompt: ChatPrompt, *, kept_to_grammar: bool) -> Laid:
        """Raises BadRequest for what the template or the family has not."""
        from impetus.adapters import chat_template

        mark = f"IMPETUS{secrets.token_hex(8)}"
        texts: list[str] = []

        def apart(text: str) -> str:
            """A place for text that is never a control token."""
            texts.append(text)
            return f"{mark}N{len(texts) - 1}E" if text else ""

        def harmless(value: Any) -> Any:
            """JSON of the client whose control tokens are cut; the template may look into it, so it stays in place."""
            if isinstance(value, str):
                return (
                    value
                    if self._control is None
                    else self._control.sub(lambda m: f"{m[0][0]}{mark}X{m[0][1:]}", value)
                )
            if isinstance(value, list):
                return [harmless(each) for each in value]
            return {harmless(k): harmless(v) for k, v in value.items()} if isinstance(value, dict) else value

        turns = [_turn(message, apart, harmless) for message in prompt.messages]
        names: dict[str, Any] = {**self._tokens, **self._thinking(prompt.effort)}
        if prompt.tool_use is not None:
            names["tools"] = harmless([_declared(tool) for tool in prompt.tool_use.tools])
        text = chat_template.render(self._template, turns, names)
        pieces: list[tuple[str, bool]] = []
        for i, piece in enumerate(re.split(f"{mark}(?:N(\\d+)E|X)", text)):
            if i % 2 == 0:
                pieces.append((piece, True))
            elif piece is not None:
                pieces.append((texts[int(piece)], False))
        return Laid(pieces, self._form(prompt.tool_use, pieces[-1][0], kept_to_grammar))

    def _form(self, use: ToolUse | None, end: str, kept_to_grammar: bool) -> AnswerForm:
        """`end` is the end of the prompt: it may have opened the thought."""
        if use is not None and use.choice != "auto":
            everything = Marks("", "")
            return AnswerForm(call=everything, parse=_read_demanded, begins="call", parallel=use.parallel)
        if kept_to_grammar:
            return AnswerForm()
        thought = self._thought
        begins: Literal["text", "thought"] = "text"
        if thought is not None and end.rfind(thought.start) > end.rfind(thought.end):
            begins = "thought"
        if use is None:
            return AnswerForm(thought, begins=begins)
        call, parse = self._calls(use.tools)
        return AnswerForm(thought, call, parse, begins, use.parallel)

    def _calls(self, tools: Sequence[Tool]) -> tuple[Marks, Callable[[str], list[ToolCall]]]:
        mlx_loader.prepare()
        family = importlib.import_module(f"mlx_lm.tool_parsers.{self._parser}")
        declared = [_declared(tool) for tool in tools]

        def parse(text: str) -> list[ToolCall]:
            read = family.parse_tool_call(text, declared)
            return [_call(each) for each in (read if isinstance(read, list) else [read])]

        return Marks(family.tool_call_start, family.tool_call_end), parse

    def check(self, prompt: ChatPrompt) -> None:
        """Raises BadRequest for tools or thinking that the family has not."""
        if prompt.tool_use is not None and self._parser is None:
            raise BadRequest(
                f"{self._name} is of no family whose tool calls are known here; leave tools out, or use another one",
                parameter="tools",
            )
        thinks = prompt.effort not in (None, "none")
        if thinks and self._thought is None:
            raise BadRequest(
                f"{self._name} does not reason before it answers; leave reasoning_effort out",
                parameter="reasoning_effort",
            )
        if prompt.effort == "none" and self._thought is not None and not self._switched:
            raise BadRequest(
                f"{self._name} always reasons before it answers; leave reasoning_effort out",
                parameter="reasoning_effort",
            )

    def _thinking(self, effort: Effort | None) -> dict[str, Any]:
        # Off unless asked for: a small local model's hidden reasoning costs more waiting than it gains.
        thinks = effort not in (None, "none")
        return {"enable_thinking": thinks, "thinking": thinks} | ({"reasoning_effort": effort} if thinks else {})


def _turn(message: Message, apart: Callable[[str], str], harmless: Callable[[Any], Any]) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role.value, "content": apart(message.content)}
    if message.reasoning:
        turn["reasoning_content"] = apart(message.reasoning)
    if message.tool_calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                # Templates write the arguments themselves, so they want the object.
                "function": {"name": harmless(call.name), "arguments": harmless(json.loads(call.arguments))},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        turn["tool_call_id"] = harmless(message.tool_call_id)
    return turn


def _declared(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": json.loads(tool.parameters)}
    return {"type": "function", "function": function}


def _call(read: Any) -> ToolCall:
    """Raises ValueError for what has no name or whose arguments are no object."""
    name, arguments = read["name"], read.get("arguments", {})
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise ValueError(f"not a call: {str(read)[:80]}")
    return ToolCall(str(read.get("id") or _new_id()), name, json.dumps(arguments, ensure_ascii=False))


def _read_demanded(text: str) -> list[ToolCall]:
    return tool_choice.read_demanded(text, _new_id)


def _new_id() -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


def no_template(name: str) -> ModelError:
    return ModelError(
        f"{name} has no chat template, so it cannot answer questions; set chat.model to an instruction-tuned model"
    )
