"""The items of a response: thoughts, text and calls, whole or as the events that make them."""

import uuid
from typing import Any

from impetus.domain.types import AnswerEvent, CallPart, Delta, Finish, Progress, Thought
from impetus.web import sse
from impetus.web.citations import flat
from impetus.web.turn import Told


def items(told: Told) -> tuple[list[dict[str, Any]], Finish]:
    output = [_reasoning(new_id("rs"), told.thought, "completed")] if told.thought else []
    if told.text or not told.calls:
        output.append(_message(new_id("msg"), _part(told.text, flat(told.text, told.cited)), "completed"))
    output += [_call(new_id("fc"), call.id, call.name, call.arguments, "completed") for call in told.calls]
    return output, told.end


class ItemStream:
    """The items of a streamed response: one at a time, each added, filled and done. `output` has those that are."""

    def __init__(self) -> None:
        self._sequence = -1
        self._open: object = None  # what the open item is of: "thought", "text", or the number of a call
        self._id = ""
        self._call = ("", "")
        self._said: list[str] = []
        self.output: list[dict[str, Any]] = []

    def event(self, kind: str, **more: Any) -> str:
        self._sequence += 1
        return sse.named(kind, {"type": kind, "sequence_number": self._sequence, **more})

    def take(self, each: AnswerEvent, told: Told) -> list[str]:
        match each:
            case Progress(done, total):
                return [sse.comment(f"keepalive {done}/{total}")]
            case Thought(text):
                return [*self._begin("thought", told), *self._more("response.reasoning_text.delta", text)]
            case Delta(text) if text:
                return [*self._begin("text", told), *self._more("response.output_text.delta", text, logprobs=[])]
            case CallPart(index, arguments, id, name):
                if self._open != index:
                    opened = self._end(told)
                    self._call = (id, name)
                    return [*opened, *self._begin(index, told), *self._arguments(arguments)]
                return self._arguments(arguments)
            case Finish():
                # An answer without a word is an empty message, as clients expect one.
                return [*([] if self._open is not None else self._begin("text", told)), *self._end(told)]
        return []

    def _begin(self, of: object, told: Told) -> list[str]:
        if self._open == of:
            return []
        frames = self._end(told)
        self._open, self._said = of, []
        self._id = new_id({"thought": "rs", "text": "msg"}.get(str(of), "fc"))
        item = self._item("in_progress", None)
        frames.append(self.event("response.output_item.added", output_index=len(self.output), item=item))
        if of in ("thought", "text"):
            frames.append(self.event("response.content_part.added", **self._place(), part=self._content("", told)))
        return frames

    def _more(self, kind: str, text: str, **more: Any) -> list[str]:
        self._said.append(text)
        return [self.event(kind, **self._place(), delta=text, **more)]

    def _arguments(self, text: str) -> list[str]:
        if not text:
            return []
        self._said.append(text)
        place = {"item_id": self._id, "output_index": len(self.output)}
        return [self.event("response.function_call_arguments.delta", **place, delta=text)]

    def _end(self, told: Told) -> list[str]:
        if self._open is None:
            return []
        said = "".join(self._said)
        frames: list[str] = []
        place = self._place()
        if self._open == "thought":
            frames.append(self.event("response.reasoning_text.done", **place, text=said))
        elif self._open == "text":
            part = self._content(said, told)
            for number, annotation in enumerate(part["annotations"]):
                frames.append(
                    self.event(
                        "response.output_text.annotation.added",
                        **place,
                        annotation_index=number,
                        annotation=annotation,
                    )
                )
            frames.append(self.event("response.output_text.done", **place, text=said, logprobs=[]))
        else:
            place = {"item_id": self._id, "output_index": len(self.output)}
            name = self._call[1]
            frames.append(self.event("response.function_call_arguments.done", **place, name=name, arguments=said))
        part = self._content(said, told)
        if self._open in ("thought", "text"):
            frames.append(self.event("response.content_part.done", **place, part=part))
        item = self._item("completed", part)
        frames.append(self.event("response.output_item.done", output_index=len(self.output), item=item))
        self.output.append(item)
        self._open = None
        return frames

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": len(self.output), "content_index": 0}

    def _content(self, said: str, told: Told) -> dict[str, Any]:
        if self._open == "thought":
            return {"type": "reasoning_text", "text": said}
        cited = told.cited if told.finish is not None else ()
        return _part(said, flat(said, cited))

    def _item(self, status: str, part: dict[str, Any] | None) -> dict[str, Any]:
        said = "".join(self._said)
        if self._open == "thought":
            return _reasoning(self._id, said, status)
        if self._open == "text":
            return _message(self._id, part, status)
        return _call(self._id, *self._call, said, status)


def _message(number: str, part: dict[str, Any] | None, status: str) -> dict[str, Any]:
    content = [] if part is None else [part]
    return {"id": number, "type": "message", "role": "assistant", "status": status, "content": content}


def _part(text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def _reasoning(number: str, text: str, status: str) -> dict[str, Any]:
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {"id": number, "type": "reasoning", "summary": [], "content": content, "status": status}


def _call(number: str, call_id: str, name: str, arguments: str, status: str) -> dict[str, Any]:
    call = {"call_id": call_id, "name": name, "arguments": arguments}
    return {"id": number, "type": "function_call", "status": status, **call}


def new_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"
