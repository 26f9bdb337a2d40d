"""The state that people see: notifications on change, progress bars by consent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.lsp_client import LspClient, ScriptedHost, connected
from tests.support.scripted_session import Script, ScriptedEngine

from impetus.domain.types import EngineStatus, Health, IndexProgress, ModelState, Problem
from impetus.errors import IndexFailed
from impetus.lsp.status import message_of, summary_of

SCANNING = IndexProgress(Path("/p/my project"), "scanning")
INDEXING = replace(SCANNING, phase="indexing", done=1204, total=5310, rate=350.4, failed=2)
READY = replace(
    SCANNING,
    phase="ready",
    done=5310,
    total=5310,
    files=5308,
    chunks=30123,
    failed=2,
    problems=(Problem("a.py", "it cannot be read"),),
)


class Indexing:
    """An engine whose index the test moves along."""

    def __init__(self, *indexes: IndexProgress) -> None:
        self.engine = ScriptedEngine(Script())
        self.host = ScriptedHost(self.engine)
        self.set(*indexes)

    def set(self, *indexes: IndexProgress, message: str = "Indexing") -> None:
        self.engine.script.status = EngineStatus(Health.OK, message, indexes)

    def tell(self, *indexes: IndexProgress, message: str = "Indexing") -> None:
        self.set(*indexes, message=message)
        for listener in list(self.engine.listeners):
            listener(self.engine.script.status)


def changes(client: LspClient) -> list[Any]:
    return [m["params"] for m in client.notifications if m["method"] == "impetus/statusChanged"]


def bars(client: LspClient) -> dict[Any, list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    for message in client.notifications:
        if message["method"] == "$/progress":
            found.setdefault(message["params"]["token"], []).append(message["params"]["value"])
    return found


async def started(client: LspClient, *, bars: bool = True) -> None:
    await client.initialize({"window": {"workDoneProgress": bars}})
    await client.request("impetus/search", {"query": "x"})


async def test_a_folder_that_cannot_be_opened_stays_in_the_state_until_it_is_removed() -> None:
    script = Indexing()
    script.host.refusal = IndexFailed("The index folder cannot be made: Permission denied")
    folder = {"uri": "file:///p/a", "name": "a"}
    async with connected(script.host) as client:
        await client.initialize(workspaceFolders=[folder])
        await client.request("impetus/search", {"query": "x"})
        state = await client.request("impetus/status", {})
        message = "/p/a is not indexed: The index folder cannot be made: Permission denied"
        assert (state["health"], state["message"]) == ("error", message)
        assert state["problems"] == [{"subject": "/p/a", "message": message}]
        event = {"added": [], "removed": [folder]}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        await client.barrier()
        state = await client.request("impetus/status", {})
        assert (state["health"], state["problems"]) == ("ok", [])
        await client.leave()


async def test_a_change_is_told_once() -> None:
    script = Indexing()
    async with connected(script.host) as client:
        await started(client)
        before = len(changes(client))
        for _ in range(3):
            script.tell(INDEXING)
        script.tell(INDEXING, message="Still indexing")
        await client.barrier()
        told = changes(client)[before:]
        assert [status["message"] for status in told] == ["Indexing", "Still indexing"]
        assert told[0]["indexes"] == [
            {
                "root": "file:///p/my%20project",
                "phase": "indexing",
                "done": 1204,
                "total": 5310,
                "rate": 350.4,
                "files": 0,
                "chunks": 0,
                "failed": 2,
                "problems": [],
            }
        ]
        assert told[-1] == await client.request("impetus/status")
        await client.leave()


async def test_models_and_problems_are_part_of_it() -> None:
    script = Indexing()
    async with connected(script.host) as client:
        await started(client)
        script.engine.script.status = EngineStatus(
            Health.WARNING,
            "Degraded",
            models=(ModelState("chat", "m", "missing", "put it there"),),
            problems=(Problem("chat", "no model"),),
        )
        status = await client.request("impetus/status")
        assert status == {
            "health": "warning",
            "message": "Degraded",
            "indexes": [],
            "models": [{"role": "chat", "id": "m", "state": "missing", "detail": "put it there"}],
            "problems": [{"subject": "chat", "message": "no model"}],
        }
        await client.leave()


async def test_nothing_is_told_after_shutdown() -> None:
    script = Indexing()
    async with connected(script.host) as client:
        await started(client)
        await client.request("shutdown")
        count = len(client.notifications)
        script.tell(INDEXING)
        client.notify("exit")
        await client.ended()
        assert len(client.notifications) == count


async def test_a_bar_from_scan_to_end() -> None:
    script = Indexing(SCANNING)
    async with connected(script.host) as client:
        await started(client)
        token = (await client.was_asked("window/workDoneProgress/create"))["token"]
        await client.notification("$/progress")
        script.tell(INDEXING)
        script.tell(INDEXING)
        script.tell(READY)
        script.tell(READY)
        await client.barrier()
        assert bars(client) == {
            token: [
                {
                    "kind": "begin",
                    "title": "Impetus: indexing my project",
                    "message": "scanning",
                    "percentage": 0,
                    "cancellable": False,
                },
                {"kind": "report", "message": "1,204/5,310 files, 350 files/s, 2 failed", "percentage": 22},
                {"kind": "end", "message": "5,308 files, 30,123 chunks, 2 failed: a.py: it cannot be read"},
            ]
        }
        await client.leave()


async def test_each_run_of_each_folder_has_its_own_bar() -> None:
    other = replace(INDEXING, root=Path("/p/other"))
    script = Indexing(SCANNING, other)
    async with connected(script.host) as client:
        await started(client)
        script.tell(READY, replace(READY, root=Path("/p/other")))
        script.tell(INDEXING, replace(READY, root=Path("/p/other")))
        await client.barrier()
        asked = [m for m in client.asked if m["method"] == "window/workDoneProgress/create"]
        assert len({m["params"]["token"] for m in asked}) == 3
        await client.leave()


async def test_a_few_changed_files_get_no_bar() -> None:
    script = Indexing(READY)
    async with connected(script.host) as client:
        await started(client)
        script.tell(replace(INDEXING, done=0, total=15))
        script.tell(READY)
        await client.barrier()
        assert client.asked == []
        await client.leave()


async def test_an_editor_that_does_not_know_bars_is_not_asked() -> None:
    script = Indexing(SCANNING)
    async with connected(script.host) as client:
        await started(client, bars=False)
        script.tell(INDEXING)
        await client.barrier()
        assert client.asked == []
        await client.leave()


@pytest.mark.parametrize("answer", [{"error": {"code": -1, "message": "no"}}, None])
async def test_an_editor_that_refuses_or_never_answers_gets_no_bar_and_holds_nothing_up(answer: Any) -> None:
    script = Indexing(SCANNING)
    async with connected(script.host) as client:
        client.answers["window/workDoneProgress/create"] = None
        await started(client)
        await client.was_asked("window/workDoneProgress/create")
        if answer is not None:
            client.send({"jsonrpc": "2.0", "id": client.asked[0]["id"], **answer})
        script.tell(INDEXING)
        script.tell(READY)
        await client.barrier()
        assert bars(client) == {}
        assert len(client.asked) == 1
        assert changes(client)[-1]["indexes"][0]["phase"] == "ready"
        await client.leave()


async def test_a_bar_that_is_allowed_after_the_end_is_closed_at_once() -> None:
    script = Indexing(SCANNING)
    async with connected(script.host) as client:
        client.answers["window/workDoneProgress/create"] = None
        await started(client)
        await client.was_asked("window/workDoneProgress/create")
        script.tell(READY)
        client.send({"jsonrpc": "2.0", "id": client.asked[0]["id"], "result": None})
        await client.notification("$/progress", lambda params: params["value"]["kind"] == "end")
        assert [[value["kind"] for value in values] for values in bars(client).values()] == [["begin", "end"]]
        await client.leave()


def test_messages() -> None:
    assert message_of(SCANNING) == "scanning"
    assert message_of(replace(INDEXING, rate=0, failed=0)) == "1,204/5,310 files"
    assert summary_of(replace(READY, failed=0)) == "5,308 files, 30,123 chunks"
    assert summary_of(replace(READY, phase="failed", failed=0)).startswith("failed: ")
    assert summary_of(replace(READY, phase="shared", failed=0)).endswith(", kept up to date by another Impetus process")
