"""The real server with its real engine, as Neovim and VS Code would drive it: pytest-lsp with their capabilities.

Answers are extractive, but where one has to be cancelled: then a model server of the test's own writes it.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.protocol import default_converter
from pytest_lsp import LanguageClient, client_capabilities
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features
from tests.support.lsp_process import COMMAND, environment

from impetus.lsp.convert import uri_of

EDITORS = ("neovim", "visual-studio-code")

PATIENCE_S = 20.0

SOURCE = '''\
"""Reading of the parcel manifest."""


def parse_manifest(text):
    """Split a parcel manifest into its entries."""
    return [line.split(",") for line in text.splitlines()]


def weigh(entries):
    """Total weight of all parcels."""
    return sum(float(entry[1]) for entry in entries)


def report(text):
    return weigh(parse_manifest(text))
'''


class Editor(LanguageClient):
    """Keeps what streams in on tokens of any kind; pytest-lsp itself knows work-done progress only."""

    def __init__(self) -> None:
        super().__init__(converter_factory=default_converter)
        self.values: dict[Any, list[Any]] = {}
        self.states: list[Any] = []
        self._arrived = asyncio.Condition()

        async def progress(params: lsp.ProgressParams) -> None:
            self.values.setdefault(params.token, []).append(params.value)
            await self._wake()

        async def status_changed(params: Any) -> None:
            self.states.append(params)
            await self._wake()

        register_lsp_features(self, {k: v for k, v in DEFAULT_CLIENT_FEATURES.items() if k != lsp.PROGRESS})
        self.feature(lsp.PROGRESS)(progress)
        self.feature("impetus/statusChanged")(status_changed)
        self.feature(lsp.CLIENT_REGISTER_CAPABILITY)(lambda params: None)

    async def _wake(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(condition)

    async def indexed(self) -> None:
        def ready() -> bool:
            return bool(self.states and self.states[-1].indexes) and self.states[-1].indexes[0].phase == "ready"

        await self.until(ready)

    def kinds(self, token: Any) -> list[str]:
        return [value["kind"] for value in self.values.get(token, [])]

    def streamed(self, token: Any) -> str:
        return "".join(value["text"] for value in self.values[token] if value["kind"] == "delta")

    def ask(self, method: str, params: dict[str, Any], msg_id: str | None = None) -> "asyncio.Task[Any]":
        return asyncio.ensure_future(self.protocol.send_request_async(method, params, msg_id))

    async def found(self, query: str) -> list[tuple[str, str]]:
        result = await self.ask("impetus/search", {"query": query})
        return [(hit.path, hit.text) for hit in result.hits]

    def open(self, path: Path) -> lsp.TextDocumentIdentifier:
        item = lsp.TextDocumentItem(uri_of(path), "python", 1, path.read_text())
        self.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return lsp.TextDocumentIdentifier(item.uri)


@asynccontextmanager
async def editor(name: str, root: Path, home: Path, **settings: Any) -> AsyncIterator[Editor]:
    client = Editor()
    await client.start_io(*COMMAND, env=environment(home))
    client.set_configuration({"impetus": settings})
    folder = lsp.WorkspaceFolder(uri_of(root), root.name)
    params = lsp.InitializeParams(
        capabilities=client_capabilities(name),
        workspace_folders=[folder],
        root_uri=folder.uri,
        initialization_options=settings,
    )
    await client.initialize_session(params)
    try:
        yield client
    finally:
        await client.shutdown_session()
        await client.stop()


@pytest.fixture
def project(root: Path) -> Path:
    (root / "manifest.py").write_text(SOURCE)
    (root / "README.md").write_text("# Parcels\n\nWeighs parcels.\n")
    return root


@pytest.mark.parametrize("name", EDITORS)
async def test_index_ask_explain_search(name: str, project: Path, tmp_path: Path) -> None:
    async with editor(name, project, tmp_path / "home") as client:
        await client.indexed()
        assert client.states[-1].health == "ok"
        bar = next(token for token in client.values if str(token).startswith("impetus/index"))
        assert client.kinds(bar)[0] == "begin"
        await client.until(lambda: client.kinds(bar)[-1] == "end")

        streamed = await client.ask(
            "impetus/ask", {"question": "how is the parcel manifest parsed?", "partialResultToken": "ask"}
        )
        assert client.kinds("ask")[0] == "sources"
        assert set(client.kinds("ask")[1:]) == {"delta"}
        assert "parse_manifest" in client.streamed("ask")
        assert streamed.model == "extractive"
        assert streamed.cited
        assert not hasattr(streamed, "text")
        whole = await client.ask("impetus/ask", {"question": "how is the parcel manifest parsed?"})
        assert whole.text == client.streamed("ask")

        document = client.open(project / "manifest.py")
        explained = await client.workspace_execute_command_async(
            lsp.ExecuteCommandParams(
                "impetus.explain",
                [{"textDocument": {"uri": document.uri}, "position": {"line": 3, "character": 6}}],
            )
        )
        assert "parse_manifest" in explained["text"]
        assert "report" in explained["text"]  # who uses it

        symbols = await client.workspace_symbol_async(lsp.WorkspaceSymbolParams("weigh"))
        assert symbols
        assert symbols[0].name == "weigh"
        assert (await client.found("total weight of parcels"))[0][0] == "manifest.py"


@pytest.mark.parametrize("name", EDITORS)
async def test_what_is_edited_is_found_at_once_and_what_is_saved_within_a_second(
    name: str, project: Path, tmp_path: Path
) -> None:
    """One save of three has to make it, because the machine may be busy with something else."""
    path = project / "manifest.py"
    async with editor(name, project, tmp_path / "home") as client:
        await client.indexed()
        document = client.open(path)
        took: list[float] = []
        for version, word in enumerate(("quixotic", "zephyrous", "brobdingnagian"), 2):
            text = f"{SOURCE}\n\ndef {word}_parcel():\n    return {version}\n"
            whole = lsp.TextDocumentContentChangeWholeDocument(text)
            versioned = lsp.VersionedTextDocumentIdentifier(version, document.uri)
            client.text_document_did_change(lsp.DidChangeTextDocumentParams(versioned, [whole]))
            assert any(word in text for _path, text in await client.found(word))  # not saved yet
            path.write_text(text)
            other = project / f"{word}.py"
            other.write_text(f"def {word}_label():\n    return 'label'\n")
            began = time.perf_counter()
            client.text_document_did_save(lsp.DidSaveTextDocumentParams(document))
            client.text_document_did_save(lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(uri_of(other))))
            files = version + 1  # two at first, one more with each turn
            await client.until(lambda files=files: client.states[-1].indexes[0].files == files)
            assert any(found == other.name for found, _text in await client.found(f"{word}_label"))
            took.append(time.perf_counter() - began)
            if took[-1] < 1.0:
                break
        assert min(took) < 1.0


# -- cancelling ------------------------------------------------------------------------------------------------------


@dataclass
class SlowModel:
    """Writes a word, and the next only when the test says so. `left` is set when the reader has gone."""

    go_on: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        for word in ("Once ", "upon "):
            chunk = {"choices": [{"index": 0, "delta": {"content": word}}]}
            handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            handler.wfile.flush()
            self.go_on.wait(PATIENCE_S)
        if handler.connection.recv(1) == b"":
            self.left.set()


@pytest.fixture
def slow_model() -> Iterator[tuple[SlowModel, str]]:
    model = SlowModel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield model, f"http://127.0.0.1:{server.server_port}/v1"
    model.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", EDITORS)
async def test_a_cancel_in_the_middle_of_an_answer(
    name: str, project: Path, tmp_path: Path, slow_model: tuple[SlowModel, str]
) -> None:
    model, url = slow_model
    async with editor(name, project, tmp_path / "home", chat={"base_url": url, "model": "slow"}) as client:
        await client.indexed()
        asked = client.ask("impetus/ask", {"question": "tell me a story", "partialResultToken": "ask"}, "story")
        await client.until(lambda: "delta" in client.kinds("ask"))
        client.cancel_request(lsp.CancelParams("story"))
        with pytest.raises(JsonRpcException) as caught:
            await asyncio.wait_for(asked, PATIENCE_S)
        assert caught.value.code == lsp.LSPErrorCodes.RequestCancelled
        model.go_on.set()  # the step under way ends; there must be no other
        assert await asyncio.to_thread(model.left.wait, PATIENCE_S)
        assert client.streamed("ask") == "Once "
        assert await client.found("parcel")
