"""The port on a real socket: clients that leave, the port that closes, and the OpenAI client as it is."""

import asyncio
import socket
from typing import Any

import openai
import pytest
from tests.support.http import Port, send
from tests.support.scripted_session import Script, answer

from impetus import errors
from impetus.domain.types import End, FinishReason, Piece, Usage
from impetus.web.port import bind

#: Fails a test that would hang; nothing waits for it to pass.
DEADLINE = 20


def openai_client(url: str, key: str, max_retries: int = 0) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=max_retries)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("stall_after", [0, 2])
async def test_the_model_stops_when_the_client_leaves(stream: bool, stall_after: int) -> None:
    port = Port(Script(stall_after=stall_after))
    body = {"model": "impetus-plain", "stream": stream, "messages": [{"role": "user", "content": "go"}]}
    async with asyncio.timeout(DEADLINE), port.served() as url:
        reader, writer = await send(url, port.key, "/v1/chat/completions", body)
        if stream and stall_after:
            assert b'"content":"It"' in await reader.readuntil(b'"content":"It"')
        await port.session.stalled.wait()
        assert not port.session.ended.is_set()
        writer.close()
        await port.session.ended.wait()


async def test_an_answer_under_way_ends_when_the_port_closes() -> None:
    port = Port(Script(stall_after=0))
    body = {"model": "impetus-plain", "messages": [{"role": "user", "content": "go"}]}
    async with asyncio.timeout(DEADLINE):
        async with port.served() as url:
            _, writer = await send(url, port.key, "/v1/chat/completions", body)
            await port.session.stalled.wait()
        assert port.session.ended.is_set()
        writer.close()


async def test_the_openai_client_chats() -> None:
    port = Port(Script(events=answer("It runs.")))
    messages: Any = [{"role": "user", "content": "how?"}]
    async with asyncio.timeout(DEADLINE), port.served() as url, openai_client(url, port.key) as client:
        whole = await client.chat.completions.create(model="impetus-plain", messages=messages)
        stream = await client.chat.completions.create(
            model="impetus", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        names = [model.id async for model in client.models.list()]
    assert whole.choices[0].message.content == "It runs."
    assert whole.usage is not None and whole.usage.total_tokens == 9
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith("It runs.") and "src/app.py:3-5" in text
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens == 7
    assert "impetus-plain" in names


async def test_the_openai_client_completes_and_embeds() -> None:
    port = Port(Script(steps=(Piece("pass"), End(FinishReason.STOP, Usage(3, 1)))))
    async with asyncio.timeout(DEADLINE), port.served() as url, openai_client(url, port.key) as client:
        done = await client.completions.create(model="impetus-complete", prompt="def f(): ", suffix="\n")
        stream = await client.completions.create(model="impetus-complete", prompt="x", stream=True)
        pieces = [chunk.choices[0].text async for chunk in stream]
        # The client asks for base64 by itself and decodes it.
        vectors = await client.embeddings.create(model="impetus-embed", input=["one", "two"])
        numbers = await client.embeddings.create(model="impetus-embed", input="one", encoding_format="float")
    assert done.choices[0].text == "pass"
    assert "".join(pieces) == "pass"
    assert vectors.data[0].embedding == pytest.approx(numbers.data[0].embedding)
    assert sum(value * value for value in vectors.data[1].embedding) == pytest.approx(1)


async def test_the_openai_client_raises_its_own_errors() -> None:
    port = Port(Script(events=[*answer()[:2], errors.ModelError("The model failed")]))
    messages: Any = [{"role": "user", "content": "how?"}]
    async with asyncio.timeout(DEADLINE), port.served() as url:
        async with openai_client(url, "imp_wrong") as client:
            with pytest.raises(openai.AuthenticationError, match="impetus keys create"):
                await client.models.list()
        async with openai_client(url, port.key, max_retries=2) as client:
            with pytest.raises(openai.NotFoundError):
                await client.chat.completions.create(model="gpt-x", messages=messages)
            with pytest.raises(openai.BadRequestError, match="tools"):
                await client.chat.completions.create(model="impetus", messages=messages, tools=[{"type": "function"}])  # type: ignore[list-item]
            with pytest.raises(openai.InternalServerError, match="The model failed"):  # and does not try again
                await client.chat.completions.create(model="impetus-plain", messages=messages)
            stream = await client.chat.completions.create(model="impetus-plain", messages=messages, stream=True)
            with pytest.raises(openai.APIError, match="The model failed"):
                async for _ in stream:
                    pass
    asked = [call for call in port.session.calls if call[0] == "chat"]
    assert len(asked) == 2


async def test_the_openai_client_reads_responses_and_choices() -> None:
    port = Port(Script(events=answer("It runs.")))
    messages: Any = [{"role": "user", "content": "how?"}]
    async with asyncio.timeout(DEADLINE), port.served() as url, openai_client(url, port.key) as client:
        whole = await client.responses.create(model="impetus-plain", input="how?")
        stream = await client.responses.create(model="impetus-plain", input="how?", stream=True)
        events = [event async for event in stream]
        chosen = await client.chat.completions.create(model="impetus-plain", messages=messages, n=2, logprobs=True)
    assert (whole.output_text, whole.status) == ("It runs.", "completed")
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "It runs."
    assert events[-1].type == "response.completed" and events[-1].response.output_text == "It runs."
    assert [choice.message.content for choice in chosen.choices] == ["It runs."] * 2


async def test_answers_on_a_kept_connection_do_not_wait_for_an_acknowledgement() -> None:
    port = Port()
    bound = bind(port.settings.http)
    try:
        # asyncio sets TCP_NODELAY on the connections of such a socket, and of no other.
        assert (bound.proto, bound.type) == (socket.IPPROTO_TCP, socket.SOCK_STREAM)
    finally:
        bound.close()
