"""What an answer is given to read, and how it tells what it cites."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.http import Port, frames, post, refusal
from tests.support.scripted_session import HIT, ROOT, Script, answer

from impetus.domain.types import ContextFile, Delta, Finish, FinishReason, Grounding, Hit, Source, Sources, Usage

DOCUMENT = Source(2, Hit(Path(), "guide.pdf", 1, 4, 0.5, "text", symbol="page 3", kind="document"), given=True)


def ask(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "how?"}], **more}


@pytest.mark.parametrize(
    ("model", "fields", "grounding"),
    [
        ("impetus", {}, Grounding()),
        ("impetus-plain", {}, None),
        ("impetus", {"use_rag": False}, None),
        ("impetus-plain", {"use_rag": True}, Grounding()),
        ("impetus-plain", {"rag_top_k": 3}, Grounding(limit=3)),
        ("impetus/project", {"rag_top_k": 3}, Grounding(roots=(ROOT,), limit=3)),
        ("impetus-plain", {"rag_collection": "manuals"}, Grounding(False, collection="manuals")),
        ("impetus", {"rag_collection": "manuals"}, Grounding(collection="manuals")),
        ("impetus", {"rag_mode": "documents"}, Grounding(False, collection="*")),
        ("impetus", {"rag_mode": "workspace"}, Grounding()),
        ("impetus-plain", {"rag_mode": "both"}, Grounding(collection="*")),
        (
            "impetus-plain",
            {"context_documents": ["one", {"text": "two", "title": "notes.md"}]},
            Grounding(False, given=(ContextFile("document 1", "one"), ContextFile("notes.md", "two"))),
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
async def test_what_is_read(path: str, model: str, fields: dict[str, Any], grounding: Grounding | None) -> None:
    port = Port()
    port.session.roots = (ROOT,)
    body: dict[str, Any] = ask(model, **fields)
    if path == "/v1/responses":
        body["input"] = "how?"
    if path == "/v1/messages":
        body["max_tokens"] = 9
    status, _ = await post(port, path, body)
    assert status == 200
    assert port.session.calls[0][1].grounding == grounding


async def test_a_collection_that_contradicts_the_mode_is_refused() -> None:
    body = ask("impetus", rag_mode="workspace", rag_collection="x")
    assert (await refusal(Port(), "/v1/chat/completions", body))["param"] == "rag_collection"


CITED = [
    Sources((Source(1, HIT), DOCUMENT)),
    Delta("See `x[1]` and [2], then [1]."),
    Finish(FinishReason.STOP, "scripted", Usage(7, 3), (Source(1, HIT), DOCUMENT)),
]
FILE = {
    "url": "file:///project/src/app.py#L3-L5",
    "title": "src/app.py:3-5",
    "start_index": 25,
    "end_index": 28,
    "number": 1,
    "path": "src/app.py",
    "root": "/project",
    "start_line": 3,
    "end_line": 5,
    "symbol": "run",
}
PAGE = {
    "url": "document:guide.pdf",
    "title": "guide.pdf",
    "start_index": 15,
    "end_index": 18,
    "number": 2,
    "path": "guide.pdf",
    "root": None,
    "start_line": None,
    "end_line": None,
    "symbol": "page 3",
}
LIST = "\n\n**Sources**\n\n- [1] `src/app.py:3-5` (run)\n- [2] `guide.pdf` (page 3)\n"


async def test_citations_are_annotations_and_a_closing_list() -> None:
    _, body = await post(Port(Script(events=CITED)), "/v1/chat/completions", ask("impetus"))
    message = body["choices"][0]["message"]
    assert message["annotations"] == [{"type": "url_citation", "url_citation": each} for each in (FILE, PAGE)]
    assert message["content"].endswith(LIST)
    assert message["content"][25:28] == "[1]" and message["content"][15:18] == "[2]"


async def test_annotations_come_before_the_end_of_a_stream() -> None:
    _, text = await post(Port(Script(events=CITED)), "/v1/chat/completions", ask("impetus", stream=True))
    *_, annotated, last, _ = frames(text)
    assert [each["url_citation"]["number"] for each in annotated["choices"][0]["delta"]["annotations"]] == [1, 2]
    assert last["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
async def test_annotations_of_responses_are_flat(stream: bool) -> None:
    body = {"model": "impetus", "input": "how?", "stream": stream}
    _, got = await post(Port(Script(events=CITED)), "/v1/responses", body)
    if stream:
        events = [json.loads(line[6:]) for line in got.splitlines() if line.startswith("data: ")]
        added = [event["annotation"] for event in events if event["type"] == "response.output_text.annotation.added"]
        assert [each["number"] for each in added] == [1, 2]
        got = events[-1]["response"]
    (part,) = got["output"][-1]["content"]
    assert part["annotations"] == [{"type": "url_citation", **each} for each in (FILE, PAGE)]


async def test_calls_are_followed_by_no_list() -> None:
    finish = Finish(FinishReason.TOOL_CALLS, "scripted", Usage())
    _, body = await post(Port(Script(events=[*answer()[:2], finish])), "/v1/chat/completions", ask("impetus"))
    assert body["choices"][0]["message"]["content"] == "It"
