"""The state that people see: `impetus/statusChanged` when it changes, and a progress bar while a folder is indexed."""

from pathlib import Path
from typing import Final

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from impetus.domain.types import IndexProgress
from impetus.lsp import convert, protocol
from impetus.lsp.client import Client
from impetus.lsp.streams import notify_progress

#: A bar for every saved file would only flicker: fewer files than this are indexed without one.
MANY_FILES: Final = 16

_AT_WORK: Final = frozenset({"scanning", "indexing", "storing"})


class StatusReporter:
    """Compares and sends; keeps no state of the engine but what was sent last."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sent: protocol.StatusResult | None = None
        self._bars: dict[Path, IndexBar] = {}

    def changed(self) -> None:
        if self._client.rpc.shut_down:
            return
        state = self._client.status()
        shown = convert.status(state)
        if shown != self._sent:
            self._sent = shown
            self._client.rpc.notify(protocol.STATUS_CHANGED, protocol.converter().unstructure(shown))
        if _shows_progress(self._client):
            for index in state.indexes:
                self._show(index)

    def _show(self, index: IndexProgress) -> None:
        bar = self._bars.get(index.root)
        if index.phase not in _AT_WORK:
            if bar is not None:
                bar.end(index)
                del self._bars[index.root]
        elif bar is not None:
            bar.report(index)
        elif index.phase == "scanning" or index.total - index.done >= MANY_FILES:
            self._bars[index.root] = IndexBar(self._client, index)


class IndexBar:
    """One run over one folder. The client has to agree to a bar first; until then only the latest state is kept."""

    _count = 0

    def __init__(self, client: Client, index: IndexProgress) -> None:
        IndexBar._count += 1
        self._token = f"impetus/index/{IndexBar._count}"
        self._client = client
        self._latest = index
        self._agreed = False
        self._ended = False
        client.background(self._create())

    async def _create(self) -> None:
        try:
            await self._client.ask_client(
                lsp.WINDOW_WORK_DONE_PROGRESS_CREATE, lsp.WorkDoneProgressCreateParams(token=self._token)
            )
        except JsonRpcException:
            return  # the client wants no bar
        title = f"Impetus: indexing {self._latest.root.name}"
        self._send(
            lsp.WorkDoneProgressBegin(
                title=title, cancellable=False, message=message_of(self._latest), percentage=_percentage(self._latest)
            )
        )
        self._agreed = True
        if self._ended:
            self._send(lsp.WorkDoneProgressEnd(message=summary_of(self._latest)))

    def report(self, index: IndexProgress) -> None:
        if self._agreed and index != self._latest:
            self._send(lsp.WorkDoneProgressReport(message=message_of(index), percentage=_percentage(index)))
        self._latest = index

    def end(self, index: IndexProgress) -> None:
        self._latest, self._ended = index, True
        if self._agreed:
            self._send(lsp.WorkDoneProgressEnd(message=summary_of(index)))

    def _send(self, value: object) -> None:
        notify_progress(self._client.rpc, self._token, value)


def message_of(index: IndexProgress) -> str:
    """`1,204/5,310 files, 350 files/s, 2 failed`"""
    if index.total == 0:
        return index.phase
    parts = [f"{index.done:,}/{index.total:,} files"]
    if index.rate:
        parts.append(f"{index.rate:,.0f} files/s")
    if index.failed:
        parts.append(f"{index.failed:,} failed")
    return ", ".join(parts)


def summary_of(index: IndexProgress) -> str:
    text = f"{index.files:,} files, {index.chunks:,} chunks"
    if index.failed:
        first = f": {index.problems[0].subject}: {index.problems[0].message}" if index.problems else ""
        text += f", {index.failed:,} failed{first}"
    if index.phase == "shared":
        return f"{text}, kept up to date by another Impetus process"
    return text if index.phase == "ready" else f"{index.phase}: {text}"


def _percentage(index: IndexProgress) -> int:
    return min(100, 100 * index.done // index.total) if index.total else 0


def _shows_progress(client: Client) -> bool:
    window = client.capabilities.window
    return bool(window and window.work_done_progress)
