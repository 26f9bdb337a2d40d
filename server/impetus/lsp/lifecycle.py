"""From initialize to exit: what the client can do, what it has open, its settings, and the end."""

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

from lsprotocol import types as lsp
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException

import impetus
from impetus.lsp import protocol, settings
from impetus.lsp.client import Client
from impetus.lsp.convert import path_of
from impetus.lsp.settings import SECTION

log = logging.getLogger(__name__)

#: How long the editor may take to send its settings before we go on without them.
SETTINGS_WAIT_S: Final = 3.0


async def initialize(client: Client, params: lsp.InitializeParams) -> lsp.InitializeResult:
    """Needs no engine, so it is answered at once."""
    client.capabilities = params.capabilities
    client.editor = name_of(params.client_info)
    client.roots = roots_of(params)
    client.initial_settings = client.settings = settings.layer_of(params.initialization_options)
    encoding = ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities)
    client.encoding = lsp.PositionEncodingKind(encoding).value
    client.rpc.initialized = True
    return lsp.InitializeResult(
        capabilities=capabilities(client), server_info=lsp.ServerInfo("Impetus", impetus.__version__)
    )


def name_of(info: lsp.ClientInfo | None) -> str:
    return f"{info.name} {info.version or ''}".strip() if info else "an editor"


def capabilities(client: Client) -> lsp.ServerCapabilities:
    features = client.rpc.fm
    build: Any = ServerCapabilitiesBuilder(
        client.capabilities,
        set(features.features),
        features.feature_options,
        [protocol.command_of(method) for method in protocol.METHODS],
        lsp.TextDocumentSyncKind.Incremental,
        None,
        client.encoding,
    )
    result: lsp.ServerCapabilities = build.build()
    return result


def roots_of(params: lsp.InitializeParams) -> list[Path]:
    """Workspace folders; from older clients rootUri, from the oldest rootPath; none is fine too."""
    uris = [folder.uri for folder in params.workspace_folders or ()]
    if params.workspace_folders is None:
        uris = [uri for uri in (params.root_uri or params.root_path,) if uri]
    paths = (path_of(uri) for uri in uris)
    return list(dict.fromkeys(path for path in paths if path is not None))


def initialized(client: Client, _params: lsp.InitializedParams) -> None:
    client.background(_register(client))
    client.connect(_pull_settings(client) if _sends_settings(client) else None)


async def _register(client: Client) -> None:
    """Ask for what can only be asked for after initialize."""
    workspace = client.capabilities.workspace
    wanted = []
    if workspace and workspace.did_change_watched_files and workspace.did_change_watched_files.dynamic_registration:
        everything = lsp.DidChangeWatchedFilesRegistrationOptions(watchers=[lsp.FileSystemWatcher(glob_pattern="**/*")])
        wanted.append(lsp.Registration("impetus-files", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, everything))
    if workspace and workspace.did_change_configuration and workspace.did_change_configuration.dynamic_registration:
        section = lsp.DidChangeConfigurationRegistrationOptions(section=SECTION)
        wanted.append(lsp.Registration("impetus-settings", lsp.WORKSPACE_DID_CHANGE_CONFIGURATION, section))
    if wanted:
        await client.ask_client(lsp.CLIENT_REGISTER_CAPABILITY, lsp.RegistrationParams(wanted))


def _sends_settings(client: Client) -> bool:
    workspace = client.capabilities.workspace
    return bool(workspace and workspace.configuration)


async def configure(client: Client, sent: object) -> None:
    """Settings have changed. A client that can be asked is asked: what it pushes is then often empty."""
    if _sends_settings(client):
        await _pull_settings(client)
    else:
        client.settings = settings.merged(client.initial_settings, settings.layer_of(sent))
    client.connect()


async def _pull_settings(client: Client) -> None:
    params = lsp.ConfigurationParams(items=[lsp.ConfigurationItem(section=SECTION)])
    try:
        async with asyncio.timeout(SETTINGS_WAIT_S):
            answer = await client.ask_client(lsp.WORKSPACE_CONFIGURATION, params)
    except (TimeoutError, JsonRpcException) as error:
        log.warning("The editor did not send its settings: %s", error or "no answer in time")
        return
    client.settings = settings.merged(client.initial_settings, settings.layer_of(answer[0] if answer else None))


async def shutdown(client: Client, _params: None) -> None:
    client.rpc.shut()


def exit_session(client: Client, _params: None) -> None:
    """Ends this session only; what it shares with others goes on."""
    client.rpc.exited = True
