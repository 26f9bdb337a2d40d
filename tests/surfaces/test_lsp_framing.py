"""The byte stream: every way of cutting, padding and breaking it."""

import asyncio
import contextlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.lsp_client import framed

from impetus.lsp.framing import BoundedWriter, read_messages


async def _read(data: bytes) -> list[bytes]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return [body async for body in read_messages(reader)]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\n\r\n",
        b"content-length:2\r\n\r\n",
        b"CONTENT-LENGTH:   2  \r\n\r\n",
        b"Content-Length: 2\n\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\nContent-Type: x\r\n\r\n",
        b"Content-Length: 9\r\nContent-Length: 2\r\n\r\n",  # the last one counts
        b"noise\r\n\r\nmore noise\nContent-Length: 2\r\n\r\n",
        b"Content-Length: two\r\n\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: -2\r\n\r\nContent-Length: 2\r\n\r\n",
        b"x" * 100_000 + b"\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_heads(head: bytes) -> None:
    assert await _read(head + b"{}" + framed([1])) == [b"{}", b"[1]"]


async def test_a_message_that_is_cut_off_ends_the_stream() -> None:
    assert await _read(framed({}) + b"Content-Length: 10\r\n\r\n{") == [b"{}"]


async def test_a_message_beyond_the_limit_is_skipped_and_known_to_be(caplog: pytest.LogCaptureFixture) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(framed({"long": "x" * 200_000}) + framed({}))
    reader.feed_eof()
    assert [body async for body in read_messages(reader, limit=100_000)] == [b"", b"{}"]
    assert "Skipped a message" in caplog.text


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.integers(1, 9), min_size=1))
def test_how_the_stream_is_cut_does_not_matter(bodies: list[bytes], cuts: list[int]) -> None:
    async def run() -> list[bytes]:
        reader = asyncio.StreamReader()
        data = b"".join(b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies)
        while data:
            size = cuts[len(data) % len(cuts)]
            reader.feed_data(data[:size])
            data = data[size:]
        reader.feed_eof()
        return [body async for body in read_messages(reader)]

    assert asyncio.run(run()) == bodies


async def test_a_client_that_reads_no_more_loses_its_connection() -> None:
    ours, theirs = socket.socketpair()
    _reader, stream = await asyncio.open_connection(sock=ours)
    writer = BoundedWriter(stream, limit=100_000)
    written = 0
    while not stream.is_closing():
        writer.write(bytes(10_000))
        written += 10_000
        assert written < 10_000_000
    writer.write(b"into the void")
    theirs.close()
    with contextlib.suppress(ConnectionError):
        await stream.wait_closed()
    assert stream.transport.get_write_buffer_size() == 0
