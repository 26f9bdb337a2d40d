"""The language server: which methods there are, how their failures are answered, and the loop of one session.

What LSP can do here is answered by the tables. `serve` is the only place that reads a connection.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

import impetus
from impetus.errors import ImpetusError
from impetus.lsp import lifecycle, notifications, protocol, requests
from impetus.lsp.client import Client
from impetus.lsp.failures import from_error, malformed, rejected, unexpected
from impetus.lsp.framing import MAX_UNREAD, BoundedWriter, read_messages
from impetus.lsp.host import EngineHost
from impetus.lsp.rpc import SessionProtocol
from impetus.lsp.status import StatusReporter

log = logging.getLogger(__name__)

# At INFO pygls logs the body of every message, code and questions included.
logging.getLogger("pygls").setLevel(logging.WARNING)

#: The client may leave this many seconds of output unread when the session ends.
FAREWELL_S: Final = 2.0

OWN_REQUESTS: Final[dict[str, Callable[[Client, Any], Awaitable[Any]]]] = {
    protocol.ASK: requests.ask,
    protocol.EXPLAIN: requests.explain,
    protocol.COMPLETE: requests.complete,
    protocol.SEARCH: requests.search,
    protocol.RELATED: requests.related,
    protocol.STATUS: requests.status,
    protocol.REINDEX: requests.reindex,
    protocol.FEEDBACK: requests.feedback,
    protocol.NEXT_EDIT: requests.next_edit,
}

COMMANDS: Final = {protocol.command_of(method): method for method in OWN_REQUESTS}


async def execute_command(client: Client, params: lsp.ExecuteCommandParams) -> Any:
    """`impetus.ask` with the parameters of `impetus/ask` as its one argument, and so on."""
    method = COMMANDS.get(params.command)
    if method is None:
        raise rejected(f"There is no command {params.command!r}", lsp.ErrorCodes.InvalidParams)
    arguments: list[Any] = list(params.arguments or [{}])
    if len(arguments) != 1:
        raise rejected(f"{params.command} takes one argument, the parameters of {method}", lsp.ErrorCodes.InvalidParams)
    try:
        decoded = protocol.converter().structure(arguments[0], protocol.METHODS[method][0])
    except Exception as error:
        raise malformed(params.command, error) from error
    if params.work_done_token is not None and getattr(decoded, "work_done_token", "") is None:
        decoded = attrs.evolve(decoded, work_done_token=params.work_done_token)
    return await OWN_REQUESTS[method](client, decoded)


REQUESTS: Final[dict[str, Callable[[Client, Any], Awaitable[Any]]]] = {
    lsp.INITIALIZE: lifecycle.initialize,
    lsp.SHUTDOWN: lifecycle.shutdown,
    lsp.TEXT_DOCUMENT_INLINE_COMPLETION: requests.inline_completion,
    lsp.TEXT_DOCUMENT_CODE_ACTION: requests.code_action,
    lsp.WORKSPACE_SYMBOL: requests.workspace_symbol,
    lsp.WORKSPACE_EXECUTE_COMMAND: execute_command,
    **OWN_REQUESTS,
}

NOTIFICATIONS: Final[dict[str, Callable[[Client, Any], None]]] = {
    lsp.INITIALIZED: lifecycle.initialized,
    lsp.EXIT: lifecycle.exit_session,
    lsp.TEXT_DOCUMENT_DID_OPEN: notifications.did_open,
    lsp.TEXT_DOCUMENT_DID_CHANGE: notifications.did_change,
    lsp.TEXT_DOCUMENT_DID_SAVE: notifications.did_save,
    lsp.TEXT_DOCUMENT_DID_CLOSE: notifications.did_close,
    lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES: notifications.did_change_watched_files,
    lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: notifications.did_change_workspace_folders,
    lsp.WORKSPACE_DID_CHANGE_CONFIGURATION: notifications.did_change_configuration,
    lsp.WORKSPACE_DID_CREATE_FILES: notifications.did_create_files,
    lsp.WORKSPACE_DID_RENAME_FILES: notifications.did_rename_files,
    lsp.WORKSPACE_DID_DELETE_FILES: notifications.did_delete_files,
}

_ANY_FILE = lsp.FileOperationRegistrationOptions(
    filters=[lsp.FileOperationFilter(pattern=lsp.FileOperationPattern(glob="**/*"), scheme="file")]
)

#: What is announced beside the bare method. Without options pygls does not announce inline completion at all.
OPTIONS: Final[dict[str, Any]] = {
    lsp.TEXT_DOCUMENT_INLINE_COMPLETION: lsp.InlineCompletionOptions(),
    lsp.TEXT_DOCUMENT_CODE_ACTION: lsp.CodeActionOptions(
        code_action_kinds=[
            lsp.CodeActionKind.QuickFix,
            protocol.command_of(protocol.EXPLAIN),
            protocol.command_of(protocol.ASK),
        ]
    ),
    lsp.TEXT_DOCUMENT_DID_SAVE: lsp.SaveOptions(include_text=False),
    lsp.WORKSPACE_DID_CREATE_FILES: _ANY_FILE,
    lsp.WORKSPACE_DID_RENAME_FILES: _ANY_FILE,
    lsp.WORKSPACE_DID_DELETE_FILES: _ANY_FILE,
}


def new_server(host: EngineHost) -> Client:
    """One session: a pygls server with the tables above, and the client that its handlers work for."""
    server = LanguageServer(
        "impetus", impetus.__version__, protocol_cls=SessionProtocol, converter_factory=protocol.converter
    )
    rpc = server.protocol
    assert isinstance(rpc, SessionProtocol)
    client = Client(rpc, host)
    client.on_change = StatusReporter(client).changed
    for method, answer in REQUESTS.items():
        server.feature(method, OPTIONS.get(method))(_guarded_request(client, method, answer))
    for method, record in NOTIFICATIONS.items():
        server.feature(method, OPTIONS.get(method))(_guarded_notification(client, method, record))
    return client


def _guarded_request(client: Client, method: str, answer: Callable[[Client, Any], Awaitable[Any]]) -> Any:
    async def handle(params: Any) -> Any:
        try:
            return await answer(client, params)
        except ImpetusError as error:
            log.info("%s: %s", method, error)
            raise from_error(error) from error
        except JsonRpcException:
            raise
        except Exception as error:
            log.exception("%s failed", method)
            raise unexpected(method) from error

    return handle


def _guarded_notification(client: Client, method: str, record: Callable[[Client, Any], None]) -> Any:
    def handle(params: Any) -> None:
        try:
            record(client, params)
        except Exception:
            log.exception("%s failed", method)

    return handle


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: Client) -> bool:
    """One session, until `exit` or the end of the stream; whether the client asked for the shutdown first."""
    unread = BoundedWriter(writer)
    client.rpc.set_writer(unread)
    try:
        async for message in read_messages(reader):
            client.rpc.receive(message)
            if client.rpc.exited:
                break
            await asyncio.sleep(0)  # a request reads its document before the next message can change it
    finally:
        if unread.overflowed:
            client.cut_off = f"the editor left more than {MAX_UNREAD:,} bytes unread"
        await client.close()
        await _close(writer)
    return client.rpc.shut_down


async def _close(writer: asyncio.StreamWriter) -> None:
    """Let the client read what is left for it, but not forever."""
    writer.close()
    try:
        async with asyncio.timeout(FAREWELL_S):
            await writer.wait_closed()
    except (TimeoutError, ConnectionError):
        writer.transport.abort()
