"""Messages on a byte stream: `Content-Length` headers around JSON bodies.

Reading survives any bytes between messages; writing never waits for the client, and gives up on one that stops reading.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator

log = logging.getLogger(__name__)

_LENGTH = re.compile(rb"content-length\s*:\s*(\d{1,12})\s*", re.IGNORECASE)

#: A message larger than this is skipped. The largest real one is the text of an opened file, of which VS Code sends no
#: more than 50 MB. Reading JSON holds up every window, on a thread as well: this much of it for a sixth of a second.
MAX_MESSAGE = 64 * 1024 * 1024

#: Unread output at which a client counts as gone.
MAX_UNREAD = 64 * 1024 * 1024


async def read_messages(reader: asyncio.StreamReader, limit: int = MAX_MESSAGE) -> AsyncIterator[bytes]:
    """Bodies, in order, until the stream ends or breaks off in the middle of one; empty for one that is too long."""
    length: int | None = None
    while header := await _read_line(reader):
        match = _LENGTH.fullmatch(header.rstrip(b"\r\n"))
        if match:
            length = int(match[1])
        elif header.strip() or length is None:
            continue  # another header, or noise between messages
        elif length > limit:
            log.warning("Skipped a message of %d bytes", length)
            await _skip(reader, length)
            length = None
            yield b""
        else:
            try:
                yield await reader.readexactly(length)
            except asyncio.IncompleteReadError:
                return
            length = None


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """One header line; empty at the end of the stream. A line beyond the reader's limit is noise and reads as blank."""
    try:
        return await reader.readline()
    except ValueError:
        return b"?\n"
    except ConnectionError:
        return b""


async def _skip(reader: asyncio.StreamReader, count: int) -> None:
    while count > 0 and (data := await reader.read(min(count, 1 << 16))):
        count -= len(data)


class BoundedWriter:
    """What pygls writes to: passes on at once, ends the connection when the client leaves too much unread."""

    def __init__(self, writer: asyncio.StreamWriter, limit: int = MAX_UNREAD) -> None:
        self._writer = writer
        self._limit = limit
        self.overflowed = False

    def write(self, data: bytes) -> None:
        if self._writer.is_closing():
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > self._limit:
            log.warning("The client reads no more; its connection is closed")
            self.overflowed = True
            self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()
