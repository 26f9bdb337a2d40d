"""The process that reads documents: what a broken or hostile file breaks is this process, never the engine.

`python -m impetus.adapters.document_child SECONDS MEGABYTES` answers on standard output what comes on standard input:
a line of JSON `{"media_type", "size"}` and so many bytes, answered with a line of JSON, `{"passages": [[text, headings,
page, cell], …]}` or `{"error": reason}`. The system ends it when a document takes too long, also in native code; it
ends itself when nobody has asked for a while, or when the one who asks is gone.
"""

import json
import os
import resource
import select
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from impetus.adapters import document_formats
from impetus.adapters.document_readers.blocks import Unreadable
from impetus.domain.document_passages import passages
from impetus.domain.documents import Block, Passage
from impetus.domain.secrets import mask

#: What one document may give, in characters and passages.
MAX_TEXT = 20_000_000
MAX_PASSAGES = 50_000

_IDLE_S = 10.0


def main(seconds: int, megabytes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the engine's to handle
    _limit(megabytes)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print
    requests = os.fdopen(0, "rb", buffering=0)
    while select.select([requests], [], [], _IDLE_S)[0]:
        signal.alarm(seconds)  # its default is to end the process
        line = _line(requests)
        if not line:
            return
        request: dict[str, Any] = json.loads(line)
        answer = read(request["media_type"], _exactly(requests, request["size"]))
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        signal.alarm(0)


def read(media_type: str, data: bytes, max_text: int = MAX_TEXT) -> dict[str, Any]:
    try:
        found = [(p.text, p.headings, p.page, p.cell) for p in _passages(media_type, data, max_text)]
    except Unreadable as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "reading it takes too much memory"}
    except Exception as error:  # readers trip over broken files in every way there is
        kind = document_formats.READERS[media_type]
        return {"error": f"it is damaged, or not of the format {kind} ({type(error).__name__})"}
    return {"passages": found} if found else {"error": "it holds no text"}


def _passages(media_type: str, data: bytes, max_text: int) -> Iterator[Passage]:
    length = 0
    for count, passage in enumerate(passages(_masked(document_formats.reader(media_type)(data))), 1):
        length += len(passage.text)
        if length > max_text or count > MAX_PASSAGES:
            raise Unreadable(f"it holds more than {max_text:,} characters or {MAX_PASSAGES:,} passages; split it")
        yield passage


def _masked(blocks: Iterator[Block]) -> Iterator[Block]:
    """Before blocks are cut: a secret may be longer than a passage. NUL and lone surrogates are no text."""
    for block in blocks:
        text = block.text.replace("\0", " ").encode("utf-8", "replace").decode()
        yield replace(block, text=mask(text), headings=tuple(mask(title) for title in block.headings))


def _limit(megabytes: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, megabytes * 1_000_000),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _line(stream: BinaryIO) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = stream.read(1)  # unbuffered, so that `select` tells the truth
        if not byte:
            return b""
        line += byte
    return line


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = stream.read(min(size - len(data), 1 << 20))
        if not part:
            sys.exit(0)
        data += part
    return bytes(data)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
