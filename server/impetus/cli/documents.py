"""`impetus documents`: what is kept beside the code. A running engine sees every change at once."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impetus.cli import exits
from impetus.cli.output import Output, plural, size
from impetus.cli.runtime import Runtime
from impetus.domain.documents import DocumentHit, Metadata, Scalar, check_collection, check_metadata
from impetus.domain.secrets import is_secret_file
from impetus.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from impetus.services.documents import Documents

#: Lines of a passage shown to a person; `--json` has the whole text.
SHOWN_LINES = 8


async def ingest(runtime: Runtime, out: Output, paths: Sequence[Path], collection: str, metadata: Sequence[str]) -> int:
    """1 when some of the files could not be read."""
    fields = check_metadata(_fields(metadata, "--metadata"))
    check_collection(collection)
    results: list[dict[str, Any]] = []
    async with _documents(runtime) as documents:
        for name, path in _named(paths, documents.readable).items():
            try:
                ingested = await documents.ingest(name, _read(path), collection=collection, metadata=fields)
            except (BadRequest, NotFound) as error:
                exits.complain(str(error))
                results.append({"name": name, "status": "failed", "error": str(error)})
                continue
            passages = ingested.document.passages
            results.append(
                {
                    "name": name,
                    "status": ingested.status,
                    "id": ingested.document.id,
                    "passages": passages,
                    "new_passages": ingested.fresh,
                    "removed_passages": ingested.removed,
                }
            )
            if not out.json:
                out.line(f"{ingested.status:<9}  {name}  {plural(passages, 'passage')}, {ingested.fresh:,} new")
    if out.json:
        out.emit(results)
    elif not results:
        out.note("Nothing there can be read as a document")
    done = results and all(result["status"] != "failed" for result in results)
    return exits.OK if done else exits.NOTHING


async def show(runtime: Runtime, out: Output, collection: str | None) -> int:
    async with _documents(runtime) as documents:
        if collection is None:
            collections = await documents.collections()
            if out.json:
                out.emit([asdict(each) for each in collections])
            elif not collections:
                out.note("There are no documents; `impetus documents ingest PATH` adds some")
            else:
                for each in collections:
                    counts = f"{plural(each.documents, 'document')}, {plural(each.passages, 'passage')}"
                    out.line(f"{each.name}  {counts}, {size(each.size)}")
            return exits.OK
        found = await documents.documents(collection)
    if out.json:
        out.emit([asdict(each) for each in found])
    else:
        for document in found:
            out.line(f"{document.id}  {document.name}  {plural(document.passages, 'passage')}  {size(document.size)}")
    return exits.OK


async def search(
    runtime: Runtime, out: Output, query: str, collection: str | None, top: int, where: Sequence[str]
) -> int:
    if not query.strip():
        raise BadRequest("The query is empty; say what to look for", parameter="QUERY")
    async with _documents(runtime) as documents:
        hits = await documents.search(query, collection, top, _fields(where, "--where"))
    if out.json:
        out.emit([_json(hit) for hit in hits])
    else:
        for number, hit in enumerate(hits):
            if number:
                out.line()
            _show(out, hit)
        if not hits:
            out.note(f"Nothing found for {query!r}")
    return exits.OK if hits else exits.NOTHING


async def delete(runtime: Runtime, out: Output, collection: str, document: str | None) -> int:
    async with _documents(runtime) as documents:
        await documents.delete(collection, document)
    if out.json:
        out.emit({"deleted": document or collection})
    else:
        out.note(f"The {f'document {document}' if document else f'collection {collection}'} is forgotten")
    return exits.OK


@asynccontextmanager
async def _documents(runtime: Runtime) -> "AsyncIterator[Documents]":
    documents = runtime.open_documents()
    try:
        yield documents
    finally:
        await documents.close()


def _named(paths: Iterable[Path], readable: Callable[[str], bool]) -> dict[str, Path]:
    """Name of a document → its file: `guide.md` for a file, `docs/guide.md` for one below the folder `docs`.

    Of a folder everything that can be read is taken, but for what is hidden or holds secrets by its name.
    """
    named: dict[str, Path] = {}
    for given in paths:
        path = given.expanduser().resolve()
        if not path.exists():
            raise NotFound(f"{given} does not exist")
        files = [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if _taken(file, path, readable)]
        for file in files:
            name = file.relative_to(path.parent).as_posix()
            if named.setdefault(name, file) != file:
                raise BadRequest(f"{named[name]} and {file} would both be named {name}; ingest them one by one")
    return named


def _taken(file: Path, folder: Path, readable: Callable[[str], bool]) -> bool:
    inside = file.relative_to(folder)
    hidden = any(part.startswith(".") for part in inside.parts)
    return not hidden and readable(file.name) and not is_secret_file(inside.as_posix()) and file.is_file()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error


def _fields(pairs: Sequence[str], option: str) -> Metadata:
    """`year=2024` is a number, `draft=true` a truth value; a field given twice is a list."""
    fields: dict[str, list[Scalar]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise BadRequest(f"{pair!r} is no FIELD=VALUE", parameter=option)
        fields.setdefault(name, []).append(_value(text))
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _value(text: str) -> Scalar:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _json(hit: DocumentHit) -> dict[str, Any]:
    """The form that scripts rely on; keys may be added, never changed."""
    return {
        "collection": hit.document.collection,
        "document": hit.document.id,
        "name": hit.document.name,
        "score": round(hit.score, 6),
        "headings": list(hit.passage.headings),
        "page": hit.passage.page,
        "cell": hit.passage.cell,
        "metadata": hit.document.metadata,
        "text": hit.passage.text,
    }


def _show(out: Output, hit: DocumentHit) -> None:
    title = "  ".join(part for part in (hit.document.name, hit.place, f"{hit.score:.3f}") if part)
    out.line(title, "bold cyan")
    rows = hit.passage.text.splitlines()
    for row in rows[:SHOWN_LINES]:
        out.line(f"    {row}")
    if len(rows) > SHOWN_LINES:
        out.line(f"    … {len(rows) - SHOWN_LINES} more lines", "dim")
