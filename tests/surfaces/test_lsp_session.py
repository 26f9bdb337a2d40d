"""One session from initialize to exit: order, exactly one answer, errors, the engine that comes and goes."""

import logging
from pathlib import Path
from typing import Any

import pytest
from tests.support.lsp_client import LspClient, LspError, ScriptedHost, connected, framed
from tests.support.scripted_session import Script, ScriptedEngine

from impetus import errors
from impetus.domain.types import EngineStatus, Health
from impetus.errors import (
    Busy,
    ContextOverflow,
    EngineStopped,
    ImpetusError,
    IndexLocked,
    InsufficientMemory,
    ModelUnavailable,
)
from impetus.lsp import protocol
from impetus.lsp.failures import from_error
from impetus.lsp.server import COMMANDS, NOTIFICATIONS, OWN_REQUESTS, REQUESTS

PARSE, REQUEST, METHOD, PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
NOT_INITIALIZED, CANCELLED, SERVER_CANCELLED, FAILED = -32002, -32800, -32802, -32803


def scripted(**script: Any) -> ScriptedHost:
    return ScriptedHost(ScriptedEngine(Script(**script)))


async def refused(client: LspClient, msg_id: int | str | None) -> LspError:
    with pytest.raises(LspError) as caught:
        await client.response(msg_id)
    return caught.value


# -- announcing ------------------------------------------------------------------------------------------------------


async def test_what_initialize_announces() -> None:
    capabilities = {
        "workspace": {"fileOperations": {"didCreate": True, "didRename": True, "didDelete": True}},
        "general": {"positionEncodings": ["utf-32", "utf-8"]},
    }
    async with connected(scripted()) as client:
        result = await client.initialize(capabilities)
        found = result["capabilities"]
        assert found["positionEncoding"] == "utf-32"
        assert found["textDocumentSync"] == {"openClose": True, "change": 2, "save": {"includeText": False}}
        assert found["inlineCompletionProvider"] == {}
        assert found["workspaceSymbolProvider"] == {"resolveProvider": False}
        assert found["codeActionProvider"]["codeActionKinds"] == ["quickfix", "impetus.explain", "impetus.ask"]
        assert found["executeCommandProvider"]["commands"] == sorted(COMMANDS, key=list(COMMANDS).index)
        assert found["workspace"]["workspaceFolders"] == {"supported": True, "changeNotifications": True}
        assert set(found["workspace"]["fileOperations"]) == {"didCreate", "didRename", "didDelete"}
        assert result["serverInfo"]["name"] == "Impetus"
        await client.leave()


def test_every_method_of_ours_is_a_request_and_a_command() -> None:
    assert set(OWN_REQUESTS) == set(protocol.METHODS)
    assert set(OWN_REQUESTS) <= set(REQUESTS)
    assert {name.replace(".", "/") for name in COMMANDS} == set(OWN_REQUESTS)
    assert not set(REQUESTS) & set(NOTIFICATIONS)


# -- exactly one answer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "msg_id", "code"),
    [
        ([], None, REQUEST),
        ([{"jsonrpc": "2.0", "id": 7, "method": "impetus/status"}], None, REQUEST),
        ("text", None, REQUEST),
        ({"jsonrpc": "2.0"}, None, REQUEST),
        ({"jsonrpc": "2.0", "id": None, "method": "impetus/status"}, None, REQUEST),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "impetus/status"}, None, REQUEST),
        ({"jsonrpc": "2.0", "id": True, "method": "shutdown"}, None, REQUEST),
        ({"jsonrpc": "2.0", "id": {}, "method": "impetus/status"}, None, REQUEST),
        ({"id": 7, "method": "impetus/status"}, 7, REQUEST),
        ({"jsonrpc": "1.0", "id": 7, "method": "impetus/status"}, 7, REQUEST),
        ({"jsonrpc": "2.0", "id": 7, "method": 5}, 7, REQUEST),
        ({"jsonrpc": "2.0", "id": 7, "method": None}, 7, REQUEST),
        ({"jsonrpc": "2.0", "id": 7, "method": "initialize", "params": {"capabilities": {}}}, 7, REQUEST),
        ({"jsonrpc": "2.0", "id": 7, "method": "nobody/knows"}, 7, METHOD),
        ({"jsonrpc": "2.0", "id": 7, "method": "exit"}, 7, METHOD),
        ({"jsonrpc": "2.0", "id": 7, "method": "textDocument/didOpen", "params": {}}, 7, METHOD),
        ({"jsonrpc": "2.0", "id": 7, "method": "$/cancelRequest", "params": {"id": 1}}, 7, METHOD),
        ({"jsonrpc": "2.0", "id": "é", "method": "impetus/search", "params": {"query": 5}}, "é", PARAMS),
        ({"jsonrpc": "2.0", "id": 7, "method": "impetus/search"}, 7, PARAMS),
        ({"jsonrpc": "2.0", "id": 7, "method": "impetus/search", "params": []}, 7, PARAMS),
        ({"jsonrpc": "2.0", "id": 7, "method": "workspace/symbol", "params": {"query": None}}, 7, PARAMS),
        ({"jsonrpc": "2.0", "id": 7, "method": "impetus/status", "params": "x"}, 7, PARAMS),
    ],
)
async def test_a_message_that_makes_no_sense_is_answered_and_harms_nothing(
    message: Any, msg_id: Any, code: int
) -> None:
    async with connected(scripted()) as client:
        await client.initialize()
        client.send(message)
        assert (await refused(client, msg_id)).code == code
        await client.request("impetus/status")
        await client.leave()
        assert [response["id"] for response in client.responses].count(msg_id) == 1


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff\xfe\x00", b"[" * 100_000, b'{"jsonrpc": "2.0", "id": ' + b"9" * 5000 + b"}"]
)
async def test_a_body_that_is_not_json(body: bytes) -> None:
    async with connected(scripted()) as client:
        await client.initialize()
        client.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        client.send_bytes(framed({"jsonrpc": "2.0", "id": 70, "method": "impetus/status"}))
        await client.response(70)
        if body:  # without a body there is nothing to answer
            assert (await refused(client, None)).code == PARSE
        await client.leave()


async def test_notifications_are_never_answered() -> None:
    async with connected(scripted()) as client:
        await client.initialize()
        for method, params in (
            ("$/unknown", {}),
            ("nobody/knows", {}),
            ("textDocument/didOpen", {"textDocument": 5}),
            ("textDocument/didChange", None),
            ("impetus/search", {"query": "a request without an id"}),
            ("initialized", {}),
            ("$/cancelRequest", {"id": "nobody"}),
            ("$/cancelRequest", {}),
        ):
            client.notify(method, params)
        client.send({"jsonrpc": "2.0", "id": "unheard of", "result": 5})
        client.send({"jsonrpc": "2.0", "id": "unheard of", "error": {"code": 1, "message": "no"}})
        await client.barrier()
        assert len(client.responses) == 2
        await client.leave()


async def test_an_id_that_is_in_use_is_refused_and_the_first_request_lives() -> None:
    host = scripted(stall_after=1)
    async with connected(host) as client:
        await client.initialize()
        await client.barrier()
        msg_id = client.start("impetus/ask", {"question": "why"})
        client.send({"jsonrpc": "2.0", "id": msg_id, "method": "impetus/status"})
        assert (await refused(client, msg_id)).code == REQUEST
        client.responses.clear()
        client.cancel(msg_id)
        assert (await refused(client, msg_id)).code == CANCELLED
        await client.leave()


# -- order -----------------------------------------------------------------------------------------------------------


async def test_requests_before_initialize_are_refused_and_notifications_ignored() -> None:
    async with connected(scripted()) as client:
        client.open("file:///p/early.py", "x")
        assert (await refused(client, client.start("impetus/status"))).code == NOT_INITIALIZED
        await client.initialize()
        params = {"textDocument": {"uri": "file:///p/early.py"}, "position": {"line": 0, "character": 0}}
        assert (await refused(client, client.start("impetus/complete", params))).code == FAILED
        await client.leave()


async def test_requests_work_without_initialized() -> None:
    async with connected(scripted()) as client:
        await client.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        assert (await client.request("impetus/search", {"query": "run"}))["hits"]
        await client.leave()


async def test_after_shutdown_requests_are_refused_and_only_exit_counts() -> None:
    host = scripted(stall_after=1)
    async with connected(host) as client:
        await client.initialize()
        await client.barrier()
        asked = client.start("impetus/ask", {"question": "why"})
        assert await client.request("shutdown") is None
        assert (await refused(client, asked)).code == CANCELLED
        assert (await refused(client, client.start("impetus/status"))).code == REQUEST
        assert (await refused(client, client.start("shutdown"))).code == REQUEST
        assert not client.closed
        client.notify("exit")
        await client.ended()
        assert host.current.told("close") == [None]


async def test_exit_ends_this_session_only() -> None:
    engine = ScriptedEngine(Script())
    host = ScriptedHost(engine)
    async with connected(host) as first, connected(host) as second:
        await first.initialize()
        await second.initialize()
        await second.barrier()
        first.notify("exit")
        await first.ended()
        await second.request("impetus/search", {"query": "run"})
        assert not engine.closed
        await second.leave()


async def test_a_client_that_vanishes_ends_the_session_and_its_work() -> None:
    host = scripted(stall_after=1)
    async with connected(host) as client:
        await client.initialize()
        await client.barrier()
        client.start("impetus/ask", {"question": "why"})
        await host.current.stalled.wait()
    assert host.current.ended.is_set()
    assert host.current.told("close") == [None]
    assert host.current.engine.listeners == []


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "data"),
    [
        (errors.BadRequest("no", parameter="limit"), PARAMS, {"kind": "BadRequest", "parameter": "limit"}),
        (errors.BadRequest("no"), PARAMS, {"kind": "BadRequest"}),
        (
            ContextOverflow(10, 20),
            PARAMS,
            {"kind": "ContextOverflow", "parameter": "messages", "limit": 10, "requested": 20},
        ),
        (errors.NotFound("no"), FAILED, {"kind": "NotFound"}),
        (Busy("no", retry_after=2.5), FAILED, {"kind": "Busy", "retryAfter": 2.5}),
        (errors.Denied("no"), FAILED, {"kind": "Denied"}),
        (errors.IndexFailed("no"), FAILED, {"kind": "IndexFailed"}),
        (IndexLocked("no"), FAILED, {"kind": "IndexLocked"}),
        (errors.ModelError("no"), FAILED, {"kind": "ModelError"}),
        (ModelUnavailable("no"), FAILED, {"kind": "ModelUnavailable"}),
        (InsufficientMemory("m", 3, 2), FAILED, {"kind": "InsufficientMemory", "needed": 3, "available": 2}),
        (EngineStopped("no"), SERVER_CANCELLED, {"kind": "EngineStopped"}),
    ],
)
async def test_our_errors_on_the_wire(error: ImpetusError, code: int, data: dict[str, Any]) -> None:
    async with connected(scripted(events=[error])) as client:
        await client.initialize()
        caught = await refused(client, client.start("impetus/ask", {"question": "why"}))
        assert (caught.code, str(caught), caught.data) == (code, str(error), data)
        await client.leave()


def test_every_error_of_ours_has_a_code() -> None:
    def all_below(kind: type[ImpetusError]) -> set[type[ImpetusError]]:
        return {kind}.union(*map(all_below, kind.__subclasses__()))

    figures = {ContextOverflow: (1, 2), InsufficientMemory: ("big", 3, 2)}
    for kind in all_below(ImpetusError):
        error = kind(*figures.get(kind, ("no",)))
        assert from_error(error).code in (PARAMS, FAILED, SERVER_CANCELLED)


async def test_a_failure_nobody_foresaw_says_little_to_the_client_and_all_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected(scripted(events=[ZeroDivisionError("secret code")])) as client:
        await client.initialize()
        caught = await refused(client, client.start("impetus/ask", {"question": "why"}))
        assert caught.code == INTERNAL
        assert "secret" not in str(client.responses)
        assert "Traceback" not in str(client.responses)
        await client.leave()
    assert "secret code" in caplog.text


# -- the engine ------------------------------------------------------------------------------------------------------


async def test_initialize_needs_no_engine_and_requests_wait_for_it() -> None:
    host = scripted()
    host.ready.clear()
    async with connected(host) as client:
        await client.initialize()
        assert (await client.request("impetus/status"))["message"] == "Starting"
        client.open("file:///p/a.py", "text of before")
        waiting = client.start("impetus/search", {"query": "run"})
        given_up = client.start("impetus/search", {"query": "run"})
        client.cancel(given_up)
        assert (await refused(client, given_up)).code == CANCELLED
        assert host.sessions == []
        host.ready.set()
        assert (await client.response(waiting))["hits"]
        document = host.current.documents.get("/p/a.py")
        assert document is not None
        assert document.text == "text of before"
        await client.leave()


async def test_leaving_while_the_engine_starts() -> None:
    host = scripted()
    host.ready.clear()
    async with connected(host) as client:
        await client.initialize()
        await client.request("shutdown")
        host.ready.set()
        client.notify("exit")
        await client.ended()


async def test_an_engine_that_cannot_start_is_said_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    host = ScriptedHost(IndexLocked("Another process owns this index; close it"))
    async with connected(host) as client:
        await client.initialize()
        shown = await client.notification("window/showMessage")
        assert (shown["type"], shown["message"]) == (1, "Impetus: Another process owns this index; close it")
        status = await client.notification("impetus/statusChanged", lambda params: params["health"] == "error")
        assert status["message"] == "Another process owns this index; close it"
        assert await client.request("impetus/status") == status
        caught = await refused(client, client.start("impetus/search", {"query": "run"}))
        assert (caught.code, caught.data) == (FAILED, {"kind": "IndexLocked"})
        await client.leave()
        assert len([m for m in client.notifications if m["method"] == "window/showMessage"]) == 1


async def test_an_engine_that_breaks_at_the_start_shows_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(ScriptedHost(RuntimeError("inner secret"))) as client:
        await client.initialize()
        await client.notification("window/showMessage")
        assert (await refused(client, client.start("impetus/search", {"query": "run"}))).code == INTERNAL
        assert "inner secret" not in str(client.responses + client.notifications)
        await client.leave()
    assert "inner secret" in caplog.text


async def test_new_settings_bring_a_new_engine_and_keep_documents_and_folders() -> None:
    old, new = ScriptedEngine(Script()), ScriptedEngine(Script())
    host = ScriptedHost(old, new)
    async with connected(host) as client:
        await client.initialize(workspaceFolders=[{"uri": "file:///p", "name": "p"}])
        client.open("file:///p/a.py", "text")
        await client.barrier()
        client.notify("workspace/didChangeConfiguration", {"settings": {"impetus": {"chat": {"model": "m"}}}})
        await client.barrier()
        await client.request("impetus/search", {"query": "run"})
        assert host.settings == [{}, {"chat": {"model": "m"}}]
        before, after = host.sessions
        assert before.told("close") == [None]
        assert old.listeners == []
        assert after.engine is new
        assert after.roots == (Path("/p"),)
        assert after.documents.get("/p/a.py") is not None
        client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///p/a.py"}})
        await client.barrier()
        assert after.documents.get("/p/a.py") is None
        await client.leave()


async def test_the_same_settings_change_nothing() -> None:
    host = scripted()
    async with connected(host) as client:
        await client.initialize(initializationOptions={"chat.model": "m"})
        await client.request("impetus/search", {"query": "run"})
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        await client.barrier()
        await client.request("impetus/search", {"query": "run"})
        assert host.settings == [{"chat": {"model": "m"}}] * 2
        assert len(host.sessions) == 1
        await client.leave()


async def test_settings_are_asked_for_where_the_editor_can_be_asked() -> None:
    host = scripted()
    capabilities = {"workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}}}
    async with connected(host) as client:
        client.answers["workspace/configuration"] = lambda _params: [{"search": {"limit": 3}, "chat.model": None}]
        await client.initialize(capabilities, initializationOptions={"search": {"limit": 9, "per_file": 1}})
        assert await client.was_asked("workspace/configuration") == {"items": [{"section": "impetus"}]}
        registered = (await client.was_asked("client/registerCapability"))["registrations"]
        assert [(r["method"], r["registerOptions"]) for r in registered] == [
            ("workspace/didChangeConfiguration", {"section": "impetus"})
        ]
        await client.request("impetus/search", {"query": "run"})
        assert host.settings == [{"search": {"limit": 3, "per_file": 1}}]
        await client.leave()


@pytest.mark.parametrize(
    "answer", [{"error": {"code": -1, "message": "no"}}, {"result": "nonsense"}, {"result": None}, {}]
)
async def test_an_editor_that_answers_nonsense_is_served_without_its_settings(answer: dict[str, Any]) -> None:
    host = scripted()
    async with connected(host) as client:
        client.answers["workspace/configuration"] = None
        await client.initialize({"workspace": {"configuration": True}})
        await client.was_asked("workspace/configuration")
        client.send({"jsonrpc": "2.0", "id": client.asked[0]["id"], **answer})
        assert (await client.request("impetus/search", {"query": "run"}))["hits"]
        assert host.settings == [{}]
        await client.leave()


async def test_what_is_wrong_with_the_settings_is_shown_once_and_stays_in_the_status() -> None:
    host = scripted(status=EngineStatus(Health.OK, "Ready"))
    host.problems = ["Unknown setting 'chatt' is ignored"]
    async with connected(host) as client:
        await client.initialize()
        shown = await client.notification("window/showMessage")
        assert shown == {"type": 2, "message": "Impetus: Unknown setting 'chatt' is ignored"}
        for _ in range(2):
            client.notify("workspace/didChangeConfiguration", {"settings": {}})
            await client.barrier()
            await client.request("impetus/search", {"query": "run"})
        status = await client.request("impetus/status")
        assert status["problems"] == [{"subject": "settings", "message": "Unknown setting 'chatt' is ignored"}]
        await client.leave()
        assert len([m for m in client.notifications if m["method"] == "window/showMessage"]) == 1


async def test_the_pygls_loggers_are_quiet() -> None:
    async with connected(scripted()) as client:
        await client.initialize()
        await client.leave()
    assert not logging.getLogger("pygls").isEnabledFor(logging.INFO)
