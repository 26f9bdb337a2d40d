"""The 3,288 messages of `conformance/`, through the real process.

The server never exits on anything but `exit`, each valid request gets exactly one answer, and so does each invalid one
(with an id that could be read or without): nothing is left open and nothing is said twice.
"""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support.lsp_client import LspClient, ScriptedHost, connected
from tests.support.lsp_process import running
from tests.support.scripted_session import Script, ScriptedEngine

DATA = Path(__file__).parent / "conformance" / "lsp_messages.jsonl.gz"


def records() -> list[dict[str, Any]]:
    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def has_id(message: dict[str, Any]) -> bool:
    return isinstance(message.get("id"), int | str) and not isinstance(message["id"], bool)


def expects_answer(message: dict[str, Any]) -> bool:
    """Requests, and what cannot be told from one; a message without a method is an answer to nothing we asked."""
    return "id" in message and "method" in message


async def answers_to(client: LspClient, messages: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Send messages as they are but for the ids, which repeat in the data; what each was answered.

    Answers to ids that are no ids carry null; those are dealt out in the order of the messages.
    """
    already = len(client.responses)
    sent: list[Any] = []
    for number, message in enumerate(messages):
        own = message.get("id")
        if expects_answer(message) and has_id(message):
            own = f"{own}-{number}" if isinstance(own, str) else 1_000_000 + number
            message = {**message, "id": own}
        sent.append(own if has_id(message) else None)
        client.send(message)
    last = client.start("impetus/status")
    await client.answered(already + sum(map(expects_answer, messages)) + 1)
    received = client.responses[already:]
    assert [response["id"] for response in received].count(last) == 1
    nameless = [response for response in received if response["id"] is None]
    assert len(nameless) == sum(expects_answer(message) and not has_id(message) for message in messages)
    assert all(response["error"]["code"] == -32600 for response in nameless)
    by_id: dict[Any, list[dict[str, Any]]] = {}
    for response in received:
        by_id.setdefault(response["id"], []).append(response)
    return [
        (by_id.get(msg_id, []) if msg_id is not None else [nameless.pop()]) if expects_answer(message) else []
        for message, msg_id in zip(messages, sent, strict=True)
    ]


def finality(record: dict[str, Any]) -> int:
    """Messages that end a session come after all others, the one that ends the process last."""
    message = record["message"]
    if message.get("method") == "exit" and "id" not in message:
        return 2
    return int(message.get("method") in ("shutdown", "exit"))


async def test_every_message_through_the_process(tmp_path: Path) -> None:
    found = sorted(records(), key=finality)
    messages = [record["message"] for record in found]
    assert len(messages) == 3288
    requests = Counter(record["valid"] for record in found if expects_answer(record["message"]))
    assert requests == {True: 302, False: 2152}
    leave = messages.pop()
    async with running(tmp_path) as server:
        await server.initialize()
        answers = await answers_to(server, messages)
        assert [len(answer) for answer in answers] == [int(expects_answer(message)) for message in messages]
        shutdowns = [
            answer[0]
            for answer, message in zip(answers, messages, strict=True)
            if answer and message["method"] == "shutdown" and "result" in answer[0]
        ]
        assert len(shutdowns) == 1
        assert not server.closed
        server.send(leave)
        assert await server.exit_code() == 0
        assert "Traceback" not in await server.log()


async def test_every_initialize_as_the_first_message() -> None:
    """An invalid one leaves the session as it was; a valid one opens it, whatever the client says it can do."""
    found = [record for record in records() if record["message"].get("method") == "initialize"]
    assert Counter(record["valid"] for record in found) == {True: 21, False: 308}
    for record in found:
        async with connected(ScriptedHost(ScriptedEngine(Script()))) as client:
            (answer,) = await answers_to(client, [record["message"]])
            assert len(answer) == int(expects_answer(record["message"]))
            opened = bool(answer) and "result" in answer[0]
            assert opened or not record["valid"]
            if not opened:
                await client.initialize()
            client.notify("initialized", {})
            assert (await client.request("impetus/search", {"query": "x"}))["hits"]


async def test_every_other_message_before_initialize() -> None:
    messages = [
        record["message"] for record in records() if record["message"].get("method") not in ("initialize", "exit")
    ]
    async with connected(ScriptedHost(ScriptedEngine(Script()))) as client:
        answers = await answers_to(client, messages)
        assert [len(answer) for answer in answers] == [int(expects_answer(message)) for message in messages]
        assert {response["error"]["code"] for answer in answers for response in answer} == {-32600, -32002}
        await client.initialize()
        await client.leave()
