"""The notifications: plain functions that record what the editor says and return at once."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lsprotocol import types as lsp

from impetus.domain.types import Document
from impetus.errors import ImpetusError
from impetus.lsp.client import Client
from impetus.lsp.convert import clean, key_of, language_of, path_of
from impetus.lsp.lifecycle import configure
from impetus.lsp.positions import clamped_offset

log = logging.getLogger(__name__)


def did_open(client: Client, params: lsp.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    key, text = key_of(item.uri), clean(item.text)
    path = path_of(item.uri)
    language = language_of(key, text, item.language_id)
    client.documents.set(Document(key, text, item.version, language, dirty=path is None))
    if path is not None:
        client.background(_compare_with_disk(client, key, path, item.version))
    about = client.capabilities.text_document
    if about is not None and about.inline_completion is not None:
        client.background(_load_completion(client))


async def _load_completion(client: Client) -> None:
    """An editor that shows completions will ask for one soon, and loading the model takes longer than answering."""
    with contextlib.suppress(ImpetusError):  # the request itself tells what is wrong
        session = await client.session()
        await session.load_completion()


async def _compare_with_disk(client: Client, key: str, path: Path, version: int) -> None:
    """Editors restore unsaved text when they start; such a document differs from the file from the beginning."""
    saved = await asyncio.to_thread(_read, path)
    document = client.documents.get(key)
    if document is not None and document.version == version and saved != document.text.encode("utf-8", "replace"):
        client.documents.set(replace(document, dirty=True))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError:
        return b""


def did_change(client: Client, params: lsp.DidChangeTextDocumentParams) -> None:
    document = client.documents.get(key_of(params.text_document.uri))
    if document is None:
        log.warning("Ignored changes of a document that is not open")
        return
    text = document.text
    for change in params.content_changes:
        if isinstance(change, lsp.TextDocumentContentChangePartial):
            start = clamped_offset(text, change.range.start, client.encoding)
            end = max(start, clamped_offset(text, change.range.end, client.encoding))
            text = text[:start] + clean(change.text) + text[end:]
        else:
            text = clean(change.text)
    client.documents.set(replace(document, text=text, version=params.text_document.version, dirty=True))


def did_save(client: Client, params: lsp.DidSaveTextDocumentParams) -> None:
    _note(client, [params.text_document.uri])
    document = client.documents.get(key_of(params.text_document.uri))
    if document is not None and path_of(params.text_document.uri) is not None:
        client.background(_when_indexed(client, document))


async def _when_indexed(client: Client, saved: Document) -> None:
    """The editor's text stands in for the file until the index has it; else it could not be found for a moment."""
    session = client.session_now
    if session is not None:
        with contextlib.suppress(ImpetusError):  # the index is being replaced: its first scan reads the file
            await session.indexed()
    document = client.documents.get(saved.key)
    if document is not None and document.version == saved.version:
        client.documents.saved(saved.key)


def did_close(client: Client, params: lsp.DidCloseTextDocumentParams) -> None:
    key = key_of(params.text_document.uri)
    if client.session_now is not None:
        client.session_now.close_document(key)
    else:
        client.documents.close(key)


def did_change_watched_files(client: Client, params: lsp.DidChangeWatchedFilesParams) -> None:
    _note(client, (change.uri for change in params.changes))


def did_create_files(client: Client, params: lsp.CreateFilesParams) -> None:
    _note(client, (file.uri for file in params.files))


def did_rename_files(client: Client, params: lsp.RenameFilesParams) -> None:
    _note(client, (uri for file in params.files for uri in (file.old_uri, file.new_uri)))


def did_delete_files(client: Client, params: lsp.DeleteFilesParams) -> None:
    _note(client, (file.uri for file in params.files))


def _note(client: Client, uris: Iterable[str]) -> None:
    """Before the engine is up there is nothing to note: its first scan sees the files as they are then."""
    paths = [path for path in map(path_of, uris) if path is not None]
    if paths and client.session_now is not None:
        with contextlib.suppress(ImpetusError):  # an engine that is being replaced; the next one scans too
            client.session_now.note(paths)


def did_change_workspace_folders(client: Client, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
    added = [path for folder in params.event.added if (path := path_of(folder.uri)) is not None]
    removed = [path for folder in params.event.removed if (path := path_of(folder.uri)) is not None]
    client.background(client.change_roots(added, removed))


def did_change_configuration(client: Client, params: lsp.DidChangeConfigurationParams) -> None:
    client.background(configure(client, params.settings))
