"""The requests on a scripted session: what reaches the session, what reaches the editor, and in which form."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.lsp_client import LspClient, LspError, ScriptedHost, connected
from tests.support.scripted_session import HIT, Script, ScriptedEngine, answer

from impetus.config import resolve
from impetus.domain.types import (
    Completion,
    Definition,
    Delta,
    Document,
    Finish,
    FinishReason,
    FollowUp,
    Indexing,
    Message,
    Outcome,
    Progress,
    Question,
    Role,
    SearchQuery,
    Source,
    Sources,
    SymbolHit,
    Usage,
)

URI = "file:///project/src/app.py"
TEXT = "import os\n\ndef run():\n    start()\n    😋 = stop()\n"
CANCELLED, PARAMS, FAILED = -32800, -32602, -32803


def scripted(settings: dict[str, Any] | None = None, **script: Any) -> ScriptedHost:
    return ScriptedHost(ScriptedEngine(Script(**script), resolve(settings or {})[0]))


async def started(client: LspClient, capabilities: dict[str, Any] | None = None) -> None:
    await client.initialize(capabilities, workspaceFolders=[{"uri": "file:///project", "name": "project"}])
    client.open(URI, TEXT)
    await client.barrier()


async def failure(client: LspClient, method: str, params: Any) -> LspError:
    with pytest.raises(LspError) as caught:
        await client.request(method, params)
    return caught.value


def span(start: tuple[int, int], end: tuple[int, int]) -> dict[str, Any]:
    return {
        "start": {"line": start[0], "character": start[1]},
        "end": {"line": end[0], "character": end[1]},
    }


# -- ask and explain -------------------------------------------------------------------------------------------------


async def test_ask_without_a_token_answers_in_one_piece() -> None:
    async with connected(scripted()) as client:
        await started(client)
        result = await client.request("impetus/ask", {"question": "what runs?"})
        passage = {
            "uri": URI,
            "path": "src/app.py",
            "range": span((2, 0), (4, 10)),
            "score": 0.9,
            "text": "def run():\n    start()\n    stop()",
            "language": "python",
            "symbol": "run",
            "kind": "function",
        }
        assert result == {
            "text": "It runs [1].",
            "sources": [{"number": 1, "passage": passage}],
            "cited": [1],
            "unverified": [],
            "model": "scripted",
            "finishReason": "stop",
            "usage": {"promptTokens": 7, "completionTokens": 3, "cachedTokens": 2},
        }
        assert [m for m in client.notifications if m["method"] == "$/progress"] == []
        await client.leave()


async def test_ask_with_a_token_streams_and_does_not_say_it_twice() -> None:
    events = [Indexing(3, 40), Sources((Source(1, HIT),)), Progress(64, 128), *answer("It runs [1]. Twice.")[1:]]
    async with connected(scripted(events=events)) as client:
        await started(client)
        result = await client.request("impetus/ask", {"question": "what runs?", "partialResultToken": "part"})
        assert "text" not in result
        assert result["cited"] == [1]
        values = client.progress("part")
        assert [value["kind"] for value in values[:3]] == ["indexing", "sources", "progress"]
        assert values[0] == {"kind": "indexing", "done": 3, "total": 40}
        assert values[1]["sources"] == result["sources"]
        assert values[2] == {"kind": "progress", "done": 64, "total": 128}
        deltas = values[3:]
        assert {value["kind"] for value in deltas} == {"delta"}
        assert "".join(value["text"] for value in deltas) == "It runs [1]. Twice."
        assert len(deltas) < 4  # words that come at once go out together
        await client.leave()


async def test_the_first_words_do_not_wait_for_the_last() -> None:
    host = scripted(stall_after=2)
    async with connected(host) as client:
        await started(client)
        asked = client.start("impetus/ask", {"question": "what runs?", "partialResultToken": 5})
        await client.notification("$/progress", lambda params: params["value"].get("kind") == "delta")
        assert client.progress(5)[-1] == {"kind": "delta", "text": "It"}
        client.cancel(asked)
        with pytest.raises(LspError) as caught:
            await client.response(asked)
        assert caught.value.code == CANCELLED
        assert host.current.ended.is_set()
        sent = len(client.notifications)
        await client.barrier()
        assert len(client.notifications) == sent
        await client.leave()


async def test_a_cited_source_that_moved_is_shown_where_it_is_now() -> None:
    from dataclasses import replace

    moved = Source(1, replace(HIT, start_line=13, end_line=15))
    other = Source(2, replace(HIT, path="other.py"))
    events = [
        Sources((Source(1, HIT), other)),
        Delta("x"),
        Finish(FinishReason.LENGTH, "m", Usage(), (moved,), (7,)),
    ]
    async with connected(scripted(events=events)) as client:
        await started(client)
        result = await client.request("impetus/ask", {"question": "what runs?"})
        starts = [source["passage"]["range"]["start"]["line"] for source in result["sources"]]
        assert (starts, result["cited"], result["unverified"]) == ([12, 2], [1], [7])
        assert result["finishReason"] == "length"
        await client.leave()


async def test_what_is_asked_reaches_the_session() -> None:
    host = scripted({"chat": {"passages": 5}})
    async with connected(host) as client:
        await started(client)
        await client.request("impetus/ask", {"question": "why?"})
        await client.request(
            "impetus/ask",
            {
                "question": "and\ud83d then?",
                "textDocument": {"uri": URI},
                "range": span((2, 0), (4, 0)),
                "history": [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}],
                "limit": 3,
                "paths": ["src/**"],
                "languages": ["python"],
            },
        )
        plain, full = host.current.told("ask")
        assert plain == Question("why?", limit=5)
        assert full.text == "and\ufffd then?"
        assert (full.selection.start_line, full.selection.end_line, full.selection.document.text) == (3, 4, TEXT)
        assert full.history == (Message(Role.USER, "why?"), Message(Role.ASSISTANT, "so"))
        assert (full.limit, full.paths, full.languages) == (3, ("src/**",), ("python",))
        await client.leave()


@pytest.mark.parametrize(
    ("method", "params", "code", "parameter"),
    [
        ("impetus/ask", {"question": "  "}, PARAMS, "question"),
        ("impetus/ask", {"question": "x", "limit": 0}, PARAMS, "limit"),
        ("impetus/ask", {"question": "x", "limit": 201}, PARAMS, "limit"),
        ("impetus/ask", {"question": "x", "textDocument": {"uri": URI}}, PARAMS, "range"),
        ("impetus/ask", {"question": "x", "range": span((0, 0), (0, 0))}, PARAMS, "range"),
        ("impetus/ask", {"question": "x", "history": [{"role": "system", "content": "y"}]}, PARAMS, "history"),
        ("impetus/explain", {"textDocument": {"uri": URI}}, PARAMS, "range"),
        (
            "impetus/explain",
            {"textDocument": {"uri": URI}, "position": {"line": 6, "character": 0}},
            PARAMS,
            "position",
        ),
        ("impetus/explain", {"textDocument": {"uri": URI}, "range": span((0, 0), (9, 0))}, PARAMS, "position"),
        ("impetus/explain", {"textDocument": {"uri": URI}, "range": span((2, 0), (1, 0))}, PARAMS, "range"),
        (
            "impetus/explain",
            {"textDocument": {"uri": "file:///nobody"}, "position": {"line": 0, "character": 0}},
            FAILED,
            None,
        ),
        (
            "impetus/complete",
            {"textDocument": {"uri": URI}, "position": {"line": 6, "character": 0}},
            PARAMS,
            "position",
        ),
        ("impetus/complete", {"textDocument": {"uri": "x"}, "position": {"line": 0, "character": 0}}, FAILED, None),
        ("impetus/search", {"query": ""}, PARAMS, "query"),
        ("impetus/search", {"query": "x", "limit": -1}, PARAMS, "limit"),
        ("impetus/search", {"query": "x", "perFile": 0}, PARAMS, "perFile"),
        ("impetus/search", {"query": "x", "roots": ["file:///elsewhere"]}, FAILED, None),
        ("impetus/reindex", {"roots": ["untitled:x"]}, FAILED, None),
        (
            "textDocument/inlineCompletion",
            {"textDocument": {"uri": URI}, "position": {"line": 6, "character": 0}, "context": {"triggerKind": 2}},
            PARAMS,
            "position",
        ),
        (
            "textDocument/inlineCompletion",
            {"textDocument": {"uri": "x"}, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 2}},
            FAILED,
            None,
        ),
        ("workspace/executeCommand", {"command": "impetus.unknown"}, PARAMS, None),
        ("workspace/executeCommand", {"command": "impetus.search", "arguments": [{"query": "x"}, 2]}, PARAMS, None),
        ("workspace/executeCommand", {"command": "impetus.search", "arguments": ["x"]}, PARAMS, None),
        ("workspace/executeCommand", {"command": "impetus.search"}, PARAMS, None),
    ],
)
async def test_bad_requests_say_what_is_wrong(method: str, params: Any, code: int, parameter: str | None) -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        caught = await failure(client, method, params)
        assert caught.code == code
        if parameter is not None:
            assert caught.data["parameter"] == parameter
        assert str(caught)[-1] not in ".\n"
        assert [name for name, _what in host.current.calls if name not in ("note", "close")] == []
        await client.leave()


@pytest.mark.parametrize(
    ("where", "lines"), [({"position": {"line": 3, "character": 4}}, (4, 4)), ({"range": span((2, 0), (4, 0))}, (3, 4))]
)
async def test_explain(where: dict[str, Any], lines: tuple[int, int]) -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        result = await client.request("impetus/explain", {"textDocument": {"uri": URI}, **where})
        assert result["text"] == "It runs [1]."
        (selection,) = host.current.told("explain")
        assert (selection.start_line, selection.end_line) == lines
        await client.leave()


async def test_related() -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        where = {"textDocument": {"uri": URI}, "position": {"line": 3, "character": 4}}
        found = (await client.request("impetus/related", where))["related"]
        assert [one["relation"] for one in found] == ["caller", "similar"]
        assert (found[0]["passage"]["path"], found[0]["passage"]["range"]) == ("src/app.py", span((2, 0), (4, 10)))
        (selection,) = host.current.told("related")
        assert (selection.start_line, selection.end_line) == (4, 4)
        assert (await failure(client, "impetus/related", {"textDocument": {"uri": URI}})).code == PARAMS
        await client.leave()


async def test_work_done_progress_of_an_answer() -> None:
    async with connected(scripted(events=[Sources(()), Progress(1, 4), *answer()[1:]])) as client:
        await started(client)
        await client.request("impetus/ask", {"question": "what runs?", "workDoneToken": "work"})
        values = client.progress("work")
        assert [value["kind"] for value in values] == ["begin", "report", "report", "end"]
        assert values[2]["percentage"] == 25
        await client.leave()


async def test_work_done_progress_ends_when_the_answer_fails() -> None:
    async with connected(scripted(events=[Sources(()), ValueError()])) as client:
        await started(client)
        await failure(client, "impetus/ask", {"question": "what runs?", "workDoneToken": "work"})
        assert [value["kind"] for value in client.progress("work")] == ["begin", "report", "end"]
        await client.leave()


async def test_an_answer_without_an_end_is_an_error() -> None:
    async with connected(scripted(events=[Sources(()), Delta("half")])) as client:
        await started(client)
        caught = await failure(client, "impetus/ask", {"question": "what runs?", "partialResultToken": "part"})
        assert caught.code == FAILED
        await client.leave()


# -- the others of ours ----------------------------------------------------------------------------------------------


async def test_search() -> None:
    host = scripted({"search": {"limit": 7, "per_file": 3}})
    async with connected(host) as client:
        await started(client)
        result = await client.request("impetus/search", {"query": "run"})
        assert [hit["symbol"] for hit in result["hits"]] == ["run"]
        params = {
            "query": "run",
            "limit": 2,
            "paths": ["a"],
            "languages": ["b"],
            "roots": ["file:///project"],
            "perFile": 1,
        }
        await client.request("impetus/search", params)
        assert host.current.told("search") == [
            SearchQuery("run", 7, per_file=3),
            SearchQuery("run", 2, ("a",), ("b",), (Path("/project"),), 1),
        ]
        await client.leave()


async def test_reindex() -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        assert await client.request("impetus/reindex") is None
        assert await client.request("impetus/reindex", {"roots": ["file:///project"], "full": True}) is None
        assert host.current.told("reindex") == [((), False), ((Path("/project"),), True)]
        await client.leave()


@pytest.mark.parametrize("params", [None, {}, []])
async def test_status_takes_any_form_of_no_parameters(params: Any) -> None:
    async with connected(scripted()) as client:
        await started(client)
        status = await client.request("impetus/status", params)
        assert (status["health"], status["message"]) == ("ok", "Ready")
        assert status["models"][1] == {"role": "completion", "id": "scripted-fim", "state": "not loaded", "detail": ""}
        await client.leave()


async def test_every_request_is_a_command_too() -> None:
    host = scripted(completion=Completion("x", 0, 0, 1, "m"))
    async with connected(host) as client:
        await started(client)
        position = {"textDocument": {"uri": URI}, "position": {"line": 2, "character": 3}}
        for name, params in (
            ("ask", {"question": "what runs?"}),
            ("explain", position),
            ("complete", position),
            ("search", {"query": "run"}),
            ("status", {}),
            ("reindex", {}),
        ):
            asked = await client.request(f"impetus/{name}", params)
            told = {"command": f"impetus.{name}", "arguments": [params]}
            assert await client.request("workspace/executeCommand", told) == asked
        assert await client.request("workspace/executeCommand", {"command": "impetus.reindex"}) is None
        await client.leave()


async def test_a_command_streams_too_and_can_be_cancelled() -> None:
    host = scripted(stall_after=2)
    async with connected(host) as client:
        await started(client)
        arguments = [{"question": "what runs?", "partialResultToken": "part"}]
        told = {"command": "impetus.ask", "arguments": arguments, "workDoneToken": "work"}
        asked = client.start("workspace/executeCommand", told)
        await client.notification("$/progress", lambda params: params["value"].get("kind") == "delta")
        client.cancel(asked)
        with pytest.raises(LspError) as caught:
            await client.response(asked)
        assert caught.value.code == CANCELLED
        assert host.current.ended.is_set()
        assert [value["kind"] for value in client.progress("work")] == ["begin", "report", "end"]
        await client.leave()


# -- completion ------------------------------------------------------------------------------------------------------


async def complete(client: LspClient, line: int, character: int, **context: Any) -> Any:
    params = {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2, **context},
    }
    return await client.request("textDocument/inlineCompletion", params)


def accepting(number: int) -> dict[str, Any]:
    arguments = [{"id": number, "outcome": "accepted"}]
    return {"title": "Accepted", "command": "impetus.feedback", "arguments": arguments}


@pytest.mark.parametrize(("encoding", "character"), [("utf-8", 9), ("utf-16", 7), ("utf-32", 6)])
async def test_completion_at_a_position(encoding: str, character: int) -> None:
    host = scripted(completion=Completion("= 1", 0, 0, 0, "fim", 7))
    async with connected(host) as client:
        await started(client, {"general": {"positionEncodings": [encoding]}})
        place = span((4, character), (4, character))
        assert await complete(client, 4, character) == {
            "items": [{"insertText": "= 1", "range": place, "command": accepting(7)}]
        }
        params = {"textDocument": {"uri": URI}, "position": place["start"], "explicit": True}
        assert await client.request("impetus/complete", params) == {
            "text": "= 1",
            "range": place,
            "version": 1,
            "model": "fim",
            "id": 7,
        }
        await complete(client, 4, character, triggerKind=1)
        asked = host.current.told("complete")
        assert {cursor.offset for cursor, _explicit in asked} == {TEXT.index("😋") + 2}
        assert [explicit for _cursor, explicit in asked] == [False, True, True]
        await client.leave()


async def test_who_asks_explicitly_may_choose() -> None:
    same, other = Completion("= 1", 0, 0, 0, "fim", 8), Completion("= 2", 0, 0, 0, "fim", 9)
    host = scripted(completion=Completion("= 1", 0, 0, 0, "fim", 7), others=(same, other))
    async with connected(host) as client:
        await started(client)
        found = await complete(client, 0, 0, triggerKind=1)
        assert [(item["insertText"], item["command"]) for item in found["items"]] == [
            ("= 1", accepting(7)),
            ("= 2", accepting(9)),
        ]
        assert [number for _cursor, number in host.current.told("others")] == [2]
        await client.leave()


async def test_what_became_of_a_completion_is_told_by_request_and_by_command() -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        params = {"id": 7, "outcome": "partly", "characters": 3}
        assert await client.request("impetus/feedback", params) is None
        command = {"command": "impetus.feedback", "arguments": [{"id": 8, "outcome": "rejected"}]}
        assert await client.request("workspace/executeCommand", command) is None
        assert host.current.told("tell") == [(7, Outcome.PARTLY, 3), (8, Outcome.REJECTED, None)]
        for wrong in ({"id": 7, "outcome": "liked"}, {"id": 7, "outcome": "shown", "characters": -1}):
            with pytest.raises(LspError) as caught:
                await client.request("impetus/feedback", wrong)
            assert caught.value.data["kind"] == "BadRequest"
        await client.leave()


FOLLOW_UP = FollowUp(
    Document(str(Path("/other/b.py")), "a\ntotal(1)\n", 0, "python"), 2, 7, "sum_of", "total is now sum_of"
)


async def test_next_edits_may_lie_in_files_that_are_not_open() -> None:
    async with connected(scripted(follow_ups=(FOLLOW_UP,))) as client:
        await started(client)
        params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}}
        edit = {"uri": "file:///other/b.py", "range": span((1, 0), (1, 5)), "text": "sum_of"}
        assert await client.request("impetus/nextEdit", params) == {
            "edits": [{**edit, "reason": "total is now sum_of"}]
        }
        await client.leave()


async def test_follow_ups_are_one_code_action_when_asked_for() -> None:
    async with connected(scripted(follow_ups=(FOLLOW_UP,))) as client:
        await started(client)
        params = {"textDocument": {"uri": URI}, "range": span((0, 0), (0, 0))}
        automatic = {**params, "context": {"diagnostics": [], "triggerKind": 2}}
        assert await client.request("textDocument/codeAction", automatic) == []
        asked = {**params, "context": {"diagnostics": [], "triggerKind": 1, "only": ["quickfix"]}}
        (action,) = await client.request("textDocument/codeAction", asked)
        assert (action["title"], action["kind"]) == ("Follow up: total is now sum_of (1)", "quickfix")
        edits = action["edit"]["changes"]["file:///other/b.py"]
        assert edits == [{"range": span((1, 0), (1, 5)), "newText": "sum_of"}]
        await client.leave()


async def test_nothing_to_complete_takes_away_what_is_shown() -> None:
    """Neovim keeps a suggestion, and lets it be accepted at its old place, until a list says otherwise."""
    async with connected(scripted()) as client:
        await started(client)
        assert await complete(client, 0, 0) == {"items": []}
        position = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}}
        assert await client.request("impetus/complete", position) is None
        await client.leave()


async def test_a_request_that_a_newer_one_overtook_leaves_what_is_shown() -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        host.current.may_complete.clear()
        params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 2}}
        older, newer = (client.start("textDocument/inlineCompletion", params) for _ in range(2))
        await client.barrier()
        host.current.may_complete.set()
        assert await client.response(older) is None
        assert await client.response(newer) == {"items": []}
        await client.leave()


@pytest.mark.parametrize("event", ["change", "close"])
async def test_a_completion_that_the_person_has_typed_past_is_null(event: str) -> None:
    host = scripted(completion=Completion("x", 0, 0, 0, "fim"))
    async with connected(host) as client:
        await started(client)
        host.current.may_complete.clear()
        params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 2}}
        asked = client.start("textDocument/inlineCompletion", params)
        if event == "change":
            change = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": "new"}]}
            client.notify("textDocument/didChange", change)
        else:
            client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await client.barrier()
        ((cursor, _explicit),) = host.current.told("complete")
        assert cursor.document.text == TEXT  # as it was when the request came
        host.current.may_complete.set()
        assert await client.response(asked) is None
        await client.leave()


async def test_a_cancelled_completion_stops_and_is_answered_once() -> None:
    host = scripted(completion=Completion("x", 0, 0, 0, "fim"))
    async with connected(host) as client:
        await started(client)
        host.current.may_complete.clear()
        params = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}, "context": {"triggerKind": 2}}
        asked = client.start("textDocument/inlineCompletion", params)
        client.cancel(asked)
        client.cancel(asked)
        with pytest.raises(LspError) as caught:
            await client.response(asked)
        assert (caught.value.code, host.current.cancelled) == (CANCELLED, 1)
        await client.barrier()
        assert [response["id"] for response in client.responses].count(asked) == 1
        await client.leave()


async def test_completion_goes_on_from_the_item_chosen_in_the_suggestion_list() -> None:
    host = scripted(completion=Completion("(1)", 0, 0, 0, "fim"))
    async with connected(host) as client:
        await started(client)
        chosen = {"range": span((3, 4), (3, 6)), "text": "start_all"}
        result = await complete(client, 3, 6, selectedCompletionInfo=chosen)
        assert result == {
            "items": [{"insertText": "start_all(1)", "range": span((3, 4), (3, 6)), "command": accepting(0)}]
        }
        ((cursor, _explicit),) = host.current.told("complete")
        assert cursor.document.text[: cursor.offset].endswith("    start_all")
        assert cursor.document.text[cursor.offset :].startswith("art()")
        await client.leave()


# -- symbols and actions ---------------------------------------------------------------------------------------------


async def test_workspace_symbols() -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        definition = Definition("run", "function", 0, 9, 3, 5, name_line=3)
        host.current.found_symbols = [SymbolHit(Path("/project"), "src/app.py", definition)]
        assert await client.request("workspace/symbol", {"query": "start things"}) == [
            {
                "name": "run",
                "kind": 12,
                "containerName": "src/app.py",
                "location": {"uri": URI, "range": span((2, 0), (2, 0))},
            }
        ]
        assert await client.request("workspace/symbol", {"query": " "}) == []
        assert host.current.told("symbols") == ["start things"]
        await client.leave()


async def test_code_actions_are_commands_that_work() -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        params = {"textDocument": {"uri": URI}, "range": span((2, 0), (4, 0)), "context": {"diagnostics": []}}
        actions = await client.request("textDocument/codeAction", params)
        assert [(action["title"], action["kind"]) for action in actions] == [
            ("Explain with Impetus", "impetus.explain"),
            ("Ask Impetus about this", "impetus.ask"),
        ]
        for action in actions:
            told = {"command": action["command"]["command"], "arguments": action["command"]["arguments"]}
            assert (await client.request("workspace/executeCommand", told))["text"] == "It runs [1]."
        (question,) = host.current.told("ask")
        explained = host.current.told("explain")[0]
        # Whether the document is saved is found out meanwhile.
        document = replace(question.selection.document, dirty=explained.document.dirty)
        assert replace(question.selection, document=document) == explained
        await client.leave()


@pytest.mark.parametrize(
    ("where", "context", "kinds"),
    [
        (span((2, 0), (2, 0)), {"triggerKind": 2}, []),
        (span((2, 0), (2, 0)), {"triggerKind": 1}, ["impetus.explain", "impetus.ask"]),
        (span((2, 0), (2, 4)), {"triggerKind": 2}, ["impetus.explain", "impetus.ask"]),
        (span((2, 0), (2, 4)), {"only": ["quickfix"]}, []),
        (span((2, 0), (2, 4)), {"only": ["source", "impetus.ask"]}, ["impetus.ask"]),
        (span((2, 0), (2, 4)), {"only": ["impetus"]}, ["impetus.explain", "impetus.ask"]),
        (span((2, 0), (2, 4)), {"only": [""]}, ["impetus.explain", "impetus.ask"]),
    ],
)
async def test_when_code_actions_are_offered(where: Any, context: dict[str, Any], kinds: list[str]) -> None:
    async with connected(scripted()) as client:
        await started(client)
        params = {"textDocument": {"uri": URI}, "range": where, "context": {"diagnostics": [], **context}}
        assert [action["kind"] for action in await client.request("textDocument/codeAction", params)] == kinds
        params["textDocument"] = {"uri": "file:///nobody"}
        assert await client.request("textDocument/codeAction", params) == []
        await client.leave()


async def test_where_the_cursor_stays_the_completion_model_gets_ready() -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client)
        params = {"textDocument": {"uri": URI}, "range": span((3, 4), (3, 4)), "context": {"diagnostics": []}}
        await client.request("textDocument/codeAction", {**params, "context": {"diagnostics": [], "triggerKind": 1}})
        assert [call for call in host.sessions[0].calls if call[0] == "rest"] == []
        await client.request("textDocument/codeAction", {**params, "context": {"diagnostics": [], "triggerKind": 2}})
        ((_, (cursor,)),) = [call for call in host.sessions[0].calls if call[0] == "rest"]
        assert cursor.document.text[cursor.offset :].startswith("start()")
        await client.leave()


@pytest.mark.parametrize(("capabilities", "loads"), [({"textDocument": {"inlineCompletion": {}}}, True), ({}, False)])
async def test_an_editor_that_shows_completions_has_the_model_loaded(capabilities: dict[str, Any], loads: bool) -> None:
    host = scripted()
    async with connected(host) as client:
        await started(client, capabilities)
        await client.barrier()
        assert (("load_completion", ()) in host.sessions[0].calls) is loads
        await client.leave()
