"""The formats of documents: media type, endings of names, the module that reads them. Loads no reader."""

from importlib import import_module
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from impetus.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from impetus.domain.documents import Block

TEXT = "text/plain"

#: Media type → module of `document_readers`.
READERS = {
    "text/markdown": "markdown",
    TEXT: "plain",
    "text/html": "html",
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/x-ipynb+json": "notebook",
}

_ENDINGS = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdx": "text/markdown",
    ".txt": TEXT,
    ".text": TEXT,
    ".rst": TEXT,
    ".adoc": TEXT,
    ".org": TEXT,
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".ipynb": "application/x-ipynb+json",
}
_ALIASES = {
    "application/xhtml+xml": "text/html",
    "text/x-markdown": "text/markdown",
    "application/x-pdf": "application/pdf",
}


def known(name: str) -> str | None:
    """The media type that the ending of a name tells."""
    return _ENDINGS.get(PurePosixPath(name).suffix.lower())


def media_type(name: str, given: str | None) -> str:
    """Of a document; `given` wins over the ending of its name. Raises BadRequest for what no reader reads."""
    if given is None:
        found = known(name)
        if found is None:
            raise BadRequest(
                f"The format of {name} cannot be told by its name; give media_type, one of {', '.join(READERS)}",
                parameter="media_type",
            )
        return found
    plain = given.split(";")[0].strip().lower()
    plain = _ALIASES.get(plain, plain)
    if plain not in READERS:
        raise BadRequest(
            f"Documents of the media type {given[:100]!r} cannot be read; use one of {', '.join(READERS)}",
            parameter="media_type",
        )
    return plain


def reader(media_type: str) -> "Callable[[bytes], Iterator[Block]]":
    module = import_module(f"impetus.adapters.document_readers.{READERS[media_type]}")
    read: Callable[[bytes], Iterator[Block]] = module.read
    return read
