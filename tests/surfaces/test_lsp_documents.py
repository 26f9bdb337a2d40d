"""Documents, files and folders: what the editor reports, as the session then sees it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.lsp_client import LspClient, ScriptedHost, connected
from tests.support.scripted_session import Script, ScriptedEngine

from impetus.domain.types import Document
from impetus.lsp.convert import uri_of


def scripted() -> ScriptedHost:
    return ScriptedHost(ScriptedEngine(Script()))


def change(start: tuple[int, int], end: tuple[int, int], text: str) -> dict[str, Any]:
    places = [{"line": line, "character": character} for line, character in (start, end)]
    return {"range": {"start": places[0], "end": places[1]}, "text": text}


async def edit(client: LspClient, uri: str, version: int, *changes: dict[str, Any]) -> None:
    params = {"textDocument": {"uri": uri, "version": version}, "contentChanges": list(changes)}
    client.notify("textDocument/didChange", params)
    await client.barrier()


def seen(host: ScriptedHost, key: str) -> Document:
    document = host.current.documents.get(key)
    assert document is not None
    return document


# -- text ------------------------------------------------------------------------------------------------------------

EDITS = [
    ("abc", [change((0, 1), (0, 2), "XY")], "aXYc"),
    ("abc", [{"text": "whole"}], "whole"),
    ("abc", [], "abc"),
    ("a\nb\n", [change((1, 0), (1, 0), "x")], "a\nxb\n"),
    ("a\r\nb", [change((0, 1), (1, 0), " ")], "a b"),
    ("a\rb", [change((1, 0), (1, 1), "c")], "a\rc"),
    ("a\u2028b\x0cc\nd", [change((1, 0), (1, 1), "D")], "a\u2028b\x0cc\nD"),
    ("a😋b", [change((0, 3), (0, 4), "x")], "a😋x"),
    ("日本", [change((0, 1), (0, 2), "")], "日"),
    ("a\nb", [change((0, 0), (2, 0), "")], ""),  # Neovim deletes everything up to the line after the last
    ("a\nb\n", [change((2, 0), (2, 0), "c\n")], "a\nb\nc\n"),
    ("a", [change((5, 5), (6, 6), "b")], "ab"),
    ("abc", [change((0, 2), (0, 1), "x")], "abxc"),  # turned round: an insertion
    ("one", [change((0, 3), (0, 3), "\ntwo"), change((1, 0), (1, 3), "2")], "one\n2"),  # each on what the last left
    ("ab", [change((0, 1), (0, 1), "\ud83d")], "a\ufffdb"),
]


@pytest.mark.parametrize(("before", "changes", "after"), EDITS)
async def test_changes(before: str, changes: list[dict[str, Any]], after: str) -> None:
    host = scripted()
    async with connected(host) as client:
        await client.initialize()
        client.open("file:///p/a.py", before)
        await client.barrier()
        await edit(client, "file:///p/a.py", 2, *changes)
        document = seen(host, "/p/a.py")
        assert (document.text, document.version, document.dirty) == (after, 2, True)
        await client.leave()


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_any_series_of_edits_leaves_the_text_that_the_editor_has(data: st.DataObject, encoding: str) -> None:
    letters = st.text(st.sampled_from("ab\né日😋\u2028"), max_size=8)
    text = data.draw(letters)
    steps: list[tuple[int, int, str]] = []
    edited = text
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(edited)))
        end = data.draw(st.integers(start, len(edited)))
        steps.append((start, end, data.draw(letters)))
        edited = edited[:start] + steps[-1][2] + edited[end:]

    def place(content: str, offset: int) -> tuple[int, int]:
        lines = content[:offset].split("\n")
        codec, width = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
        return len(lines) - 1, len(lines[-1].encode(codec)) // width

    async def run() -> None:
        host = scripted()
        async with connected(host) as client:
            await client.initialize({"general": {"positionEncodings": [encoding]}})
            client.open("untitled:a", text)
            now = text
            for version, (start, end, new) in enumerate(steps, 2):
                await edit(client, "untitled:a", version, change(place(now, start), place(now, end), new))
                now = now[:start] + new + now[end:]
            assert seen(host, "untitled:a").text == now
            await client.leave()

    asyncio.run(run())


async def test_requests_see_the_text_as_it_was_when_they_were_sent() -> None:
    host = scripted()
    async with connected(host) as client:
        await client.initialize()
        client.open("untitled:a", "first")
        await client.barrier()
        position = {"textDocument": {"uri": "untitled:a"}, "position": {"line": 0, "character": 5}}
        whole = {"textDocument": {"uri": "untitled:a", "version": 2}, "contentChanges": [{"text": ""}]}
        asked = client.start("impetus/complete", position)
        client.notify("textDocument/didChange", whole)
        assert await client.response(asked) is None
        ((cursor, _explicit),) = host.current.told("complete")
        assert (cursor.document.text, cursor.offset) == ("first", 5)
        await client.leave()


# -- open, save, close -----------------------------------------------------------------------------------------------


async def test_the_life_of_a_document(root: Path) -> None:
    path = root / "a b.py"
    path.write_bytes("é = 1\n".encode())
    uri = uri_of(path)
    host = scripted()
    async with connected(host) as client:
        await client.initialize()
        client.open(uri, "é = 1\n", "python", 4)
        await client.barrier()
        assert seen(host, str(path)) == Document(str(path), "é = 1\n", 4, "python")
        await edit(client, uri, 5, {"text": "x"})
        assert seen(host, str(path)).dirty
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.barrier()
        assert seen(host, str(path)) == Document(str(path), "x", 5, "python")
        assert host.current.told("note") == [(path,)]
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        await client.barrier()
        assert host.current.documents.get(str(path)) is None
        for method in ("didSave", "didClose"):
            client.notify(f"textDocument/{method}", {"textDocument": {"uri": uri}})
        await edit(client, uri, 6, {"text": "y"})
        assert host.current.documents.get(str(path)) is None
        await client.leave()


async def test_a_saved_document_stands_in_for_its_file_until_the_index_has_it(root: Path) -> None:
    uri, key = uri_of(root / "a.py"), str(root / "a.py")
    host = scripted()
    async with connected(host) as client:
        await client.initialize()
        client.open(uri, "")
        await edit(client, uri, 2, {"text": "x"})
        host.current.may_index.clear()
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.barrier()
        assert seen(host, key).dirty
        await edit(client, uri, 3, {"text": "xy"})
        host.current.may_index.set()
        await client.barrier()
        assert seen(host, key).dirty  # edited meanwhile: what was indexed is not what is open
        client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})
        await client.barrier()
        assert not seen(host, key).dirty
        await client.leave()


@pytest.mark.parametrize(
    ("on_disk", "text", "dirty"),
    [
        (b"a = 1\n", "a = 1\n", False),
        (b"\xef\xbb\xbfa = 1\n", "a = 1\n", False),  # editors keep a byte order mark to themselves
        (b"a = 1\n", "a = 2\n", True),  # restored unsaved text
        (None, "new file", True),
    ],
)
async def test_a_document_that_opens_unsaved_is_known_to_be(
    root: Path, on_disk: bytes | None, text: str, dirty: bool
) -> None:
    path = root / "a.py"
    if on_disk is not None:
        path.write_bytes(on_disk)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    host = scripted()
    async with connected(host) as client:
        await client.initialize()
        client.open(uri_of(path), text)
        await client.barrier()
        await loop.run_in_executor(None, lambda: None)  # behind the comparison, on the one thread
        await client.barrier()
        assert seen(host, str(path)).dirty is dirty
        await client.leave()


async def test_a_document_without_a_file_is_never_saved() -> None:
    host = scripted()
    async with connected(host) as client:
        await client.initialize()
        client.open("untitled:Untitled-1", "x", "shellscript")
        await client.barrier()
        assert seen(host, "untitled:Untitled-1") == Document("untitled:Untitled-1", "x", 1, "bash", dirty=True)
        await client.leave()


# -- files and folders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params", "noted"),
    [
        (
            "workspace/didChangeWatchedFiles",
            {"changes": [{"uri": "file:///p/a", "type": 1}, {"uri": "x:y", "type": 3}]},
            ["/p/a"],
        ),
        ("workspace/didCreateFiles", {"files": [{"uri": "file:///p/a"}, {"uri": "file:///p/b"}]}, ["/p/a", "/p/b"]),
        ("workspace/didRenameFiles", {"files": [{"oldUri": "file:///p/a", "newUri": "file:///p/b"}]}, ["/p/a", "/p/b"]),
        ("workspace/didDeleteFiles", {"files": [{"uri": "file:///p/a"}]}, ["/p/a"]),
    ],
)
async def test_changes_of_files_are_noted(method: str, params: Any, noted: list[str]) -> None:
    host = scripted()
    async with connected(host) as client:
        await client.initialize()
        await client.request("impetus/search", {"query": "x"})
        client.notify(method, params)
        await client.barrier()
        assert host.current.told("note") == [tuple(map(Path, noted))]
        await client.leave()


async def test_the_editor_watches_files_where_it_can() -> None:
    async with connected(scripted()) as client:
        await client.initialize({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}})
        (registered,) = (await client.was_asked("client/registerCapability"))["registrations"]
        assert registered["method"] == "workspace/didChangeWatchedFiles"
        assert registered["registerOptions"] == {"watchers": [{"globPattern": "**/*"}]}
        await client.leave()


@pytest.mark.parametrize(
    ("params", "roots"),
    [
        (
            {"workspaceFolders": [{"uri": "file:///p/a", "name": "a"}, {"uri": "file:///p/b", "name": "b"}]},
            ["/p/a", "/p/b"],
        ),
        ({"workspaceFolders": [{"uri": "file:///p/a", "name": "a"}], "rootUri": "file:///p"}, ["/p/a"]),
        ({"workspaceFolders": [{"uri": "file:///p/a", "name": "a"}] * 2}, ["/p/a"]),
        ({"workspaceFolders": []}, []),
        ({"workspaceFolders": None, "rootUri": "file:///p%20q"}, ["/p q"]),
        ({"rootUri": None, "rootPath": "/p"}, ["/p"]),
        ({"rootUri": "file:///u", "rootPath": "/p"}, ["/u"]),
        ({"rootUri": "vscode-remote://host/p"}, []),
        ({"rootUri": None, "rootPath": ""}, []),
        ({}, []),
    ],
)
async def test_the_folders_of_a_workspace(params: dict[str, Any], roots: list[str]) -> None:
    host = scripted()
    async with connected(host) as client:
        await client.initialize(**params)
        await client.request("impetus/search", {"query": "x"})
        assert list(host.current.roots) == [Path(root) for root in roots]
        await client.leave()


async def test_folders_come_and_go() -> None:
    def folders(*names: str) -> list[dict[str, str]]:
        return [{"uri": f"file:///p/{name}", "name": name} for name in names]

    host = scripted()
    async with connected(host) as client:
        await client.initialize(workspaceFolders=folders("a", "b"))
        await client.request("impetus/search", {"query": "x"})
        event = {"added": folders("c", "a"), "removed": folders("b", "nobody")}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        await client.barrier()
        await client.request("impetus/search", {"query": "x", "roots": ["file:///p/c"]})
        assert host.current.roots == (Path("/p/a"), Path("/p/c"))
        await client.leave()


async def test_a_folder_added_before_the_engine_is_up() -> None:
    host = scripted()
    host.ready.clear()
    async with connected(host) as client:
        await client.initialize()
        event = {"added": [{"uri": "file:///p/late", "name": "late"}], "removed": []}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        await client.barrier()
        host.ready.set()
        await client.request("impetus/search", {"query": "x"})
        assert host.current.roots == (Path("/p/late"),)
        await client.leave()
