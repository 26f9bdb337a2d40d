"""Conversations that the port remembers."""

from typing import Any

import pytest
from tests.support.http import Port, frames, post, refusal
from tests.support.scripted_session import Script, answer

from impetus.domain.types import Message, Role
from impetus.errors import ModelError

SYSTEM = {"role": "system", "content": "Be brief."}


def ask(text: str, conversation: str | None, **more: Any) -> dict[str, Any]:
    messages = [SYSTEM, {"role": "user", "content": text}]
    return {"model": "impetus-plain", "messages": messages, "conversation": conversation, **more}


def asked(port: Port) -> list[Message]:
    return list(port.session.calls[-1][1].messages)


async def get(port: Port, path: str, key: str | None = None) -> tuple[int, Any]:
    async with port.client() as client:
        got = await client.get(path, headers={"authorization": f"Bearer {key or port.key}"})
    return got.status_code, got.json()


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_knows_what_was_said_before(stream: bool) -> None:
    port = Port(Script(events=answer("It runs.", cited=False)))
    _, got = await post(port, "/v1/chat/completions", ask("how?", "new", stream=stream))
    body = frames(got)[0] if stream else got
    number = body["conversation"]["id"]
    await post(port, "/v1/chat/completions", ask("and then?", number))
    assert asked(port) == [
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "how?"),
        Message(Role.ASSISTANT, "It runs."),
        Message(Role.USER, "and then?"),
    ]
    _, items = await get(port, f"/v1/conversations/{number}/items")
    assert [(item["role"], item["content"][0]["text"]) for item in items["data"]] == [
        ("user", "how?"), ("assistant", "It runs."), ("user", "and then?"), ("assistant", "It runs."),
    ]  # fmt: skip


async def test_what_is_stored_of_an_answer_is_what_the_model_said() -> None:
    """Not the list of sources, which is made anew each time."""
    port = Port()
    _, got = await post(port, "/v1/chat/completions", {**ask("how?", "new"), "model": "impetus"})
    assert "**Sources**" in got["choices"][0]["message"]["content"]
    _, items = await get(port, f"/v1/conversations/{got['conversation']['id']}/items")
    assert items["data"][-1]["content"][0]["text"] == "It runs [1]."


async def test_a_response_continues_a_conversation_begun_by_itself() -> None:
    port = Port(Script(events=answer("It runs.", cited=False)))
    _, begun = await post(port, "/v1/conversations", {"model": "impetus-plain", "metadata": {"topic": "x"}})
    body = {"model": "impetus-plain", "input": "how?", "conversation": {"id": begun["id"]}}
    _, got = await post(port, "/v1/responses", body)
    assert got["conversation"] == {"id": begun["id"]}
    await post(port, "/v1/responses", {**body, "conversation": begun["id"], "input": "and then?"})
    assert [message.content for message in asked(port)] == ["how?", "It runs.", "and then?"]


async def test_an_answer_that_fails_leaves_nothing() -> None:
    port = Port(Script(events=[*answer()[:2], ModelError("The model failed")]))
    await post(port, "/v1/chat/completions", ask("how?", "new"))
    _, listed = await get(port, "/v1/conversations")
    assert listed["data"] == []


async def test_conversations_are_listed_in_pages_read_and_deleted() -> None:
    port = Port()
    numbers = [(await post(port, "/v1/conversations", {}))[1]["id"] for _ in range(3)]
    await post(port, "/v1/conversations", {"model": "impetus-plain"})
    _, page = await get(port, "/v1/conversations?model=impetus&limit=2")
    assert ([each["id"] for each in page["data"]], page["has_more"]) == ([numbers[2], numbers[1]], True)
    _, page = await get(port, f"/v1/conversations?model=impetus&limit=2&after={page['last_id']}")
    assert ([each["id"] for each in page["data"]], page["has_more"]) == ([numbers[0]], False)
    status, one = await get(port, f"/v1/conversations/{numbers[0]}")
    assert (status, one["object"], one["workspace"]) == (200, "conversation", "impetus")
    async with port.client() as client:
        gone = await client.delete(f"/v1/conversations/{numbers[0]}")
    assert gone.json() == {"id": numbers[0], "object": "conversation.deleted", "deleted": True}
    assert (await get(port, f"/v1/conversations/{numbers[0]}"))[0] == 404
    assert (await get(port, "/v1/conversations?after=conv_none"))[0] == 400
    assert (await get(port, f"/v1/conversations/{numbers[1]}/items?after=x"))[0] == 400


async def test_items_come_in_pages() -> None:
    port = Port(Script(events=answer("It runs.", cited=False)))
    _, got = await post(port, "/v1/chat/completions", ask("how?", "new"))
    path = f"/v1/conversations/{got['conversation']['id']}/items?limit=1"
    _, first = await get(port, path)
    assert (first["data"][0]["role"], first["has_more"]) == ("user", True)
    _, second = await get(port, f"{path}&after={first['last_id']}")
    assert (second["data"][0]["role"], second["has_more"]) == ("assistant", False)


async def test_another_key_sees_none_of_it() -> None:
    port = Port()
    _, begun = await post(port, "/v1/conversations", {})
    other = port.keys.create("other", "admin").secret
    assert (await get(port, f"/v1/conversations/{begun['id']}", other))[0] == 404
    assert (await get(port, "/v1/conversations", other))[1]["data"] == []
    async with port.client(authorization=f"Bearer {other}") as client:
        assert (await client.delete(f"/v1/conversations/{begun['id']}")).status_code == 404
        answered = await client.post("/v1/chat/completions", json=ask("x", begun["id"]))
    assert answered.status_code == 404
    readonly = port.keys.create("reader", "readonly").secret
    assert (await get(port, "/v1/conversations", readonly))[0] == 403


async def test_a_conversation_goes_on_with_one_answer() -> None:
    assert (await refusal(Port(), "/v1/chat/completions", ask("x", "new", n=2)))["param"] == "n"
    error = await refusal(Port(), "/v1/chat/completions", ask("x", "conv_unknown"), 404)
    assert error["code"] == "NOT_FOUND"
