"""A home directory with the real engine in it: shims as processes, raw connections to its socket, its end."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from impetus import __version__
from impetus.daemon import address, control
from tests.support.lsp_client import PATIENCE_S, LspClient
from tests.support.lsp_process import ServerProcess, environment, running

SHIM = (sys.executable, "-m", "impetus", "lsp")


class DirectClient(LspClient):
    """Without a shim. `number` is what the engine calls its session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: str) -> None:
        super().__init__(reader, writer)
        self.number = number


class EngineHome:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "h"
        self.project = folder / "project"
        self.project.mkdir(parents=True)

    @property
    def run(self) -> str:
        return str(self.path / "run")

    @property
    def socket(self) -> str:
        return address.socket_path(self.run, __version__)

    def environment(self, **more: str) -> dict[str, str]:
        return environment(self.path, IMPETUS_HTTP_PORT="0", **more)

    def write(self, name: str, text: str) -> Path:
        file = self.project / name
        file.write_text(text)
        return file

    @asynccontextmanager
    async def editor(self, *, opens: bool = True, **variables: str) -> AsyncIterator[ServerProcess]:
        """An editor behind a shim, with the project open and indexed unless told otherwise."""
        async with running(self.path, SHIM, **{"IMPETUS_HTTP_PORT": "0", **variables}) as client:
            await self.begin(client, opens=opens)
            yield client

    async def begin(self, client: LspClient, *, opens: bool = True, **params: Any) -> None:
        folders = [{"uri": self.project.as_uri(), "name": "project"}] if opens else []
        await client.initialize(workspaceFolders=folders, clientInfo={"name": "Test", "version": "1"}, **params)
        if opens:
            await client.notification("impetus/statusChanged", lambda status: indexed(status, self.project))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[DirectClient]:
        """A client of the engine without a shim between; the engine has to run already."""
        client = await self.connect()
        try:
            yield client
        finally:
            await client.hang_up()

    async def connect(self, version: str = __version__, path: str | None = None) -> DirectClient:
        reader, writer = await asyncio.open_unix_connection(path or self.socket)
        writer.write(f"impetus {version} lsp {os.getpid()} 0\n".encode())
        _name, _version, verdict, number = (await reader.readline()).decode().split()
        assert verdict == "ok"
        return DirectClient(reader, writer, number)

    def engines(self) -> list[control.Running]:
        return control.running(self.run) if Path(self.run).exists() else []

    @property
    def pid(self) -> int:
        (engine,) = self.engines()
        return engine.pid

    async def state(self) -> Mapping[str, Any]:
        (engine,) = self.engines()
        state = await asyncio.to_thread(control.state_of, engine, PATIENCE_S)
        assert state is not None
        return state

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    async def gone(self, version: str = __version__) -> None:
        """Until the engine's process has let go of its lock."""

        def wait() -> None:
            with Path(address.engine_lock(self.run, version)).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH)

        await asyncio.wait_for(asyncio.to_thread(wait), PATIENCE_S)

    def kill_all(self) -> None:
        for engine in self.engines():
            os.kill(engine.pid, signal.SIGKILL)

    def parent(self) -> int:
        shown = subprocess.run(["ps", "-o", "ppid=", "-p", str(self.pid)], capture_output=True, check=True)
        return int(shown.stdout)

    @property
    def has_socket(self) -> bool:
        return Path(self.socket).exists()

    def leave_behind(self, content: bytes) -> None:
        """A file where the socket belongs."""
        Path(self.run).mkdir(parents=True, mode=0o700)
        Path(self.socket).write_bytes(content)

    def take_its_socket(self) -> None:
        Path(self.socket).unlink()

    def take_its_last_words(self) -> None:
        """From now on the engine cannot write down why it ends."""
        file = Path(self.run, f"engine-{__version__}.end")
        file.unlink()
        file.mkdir()

    def open_files(self) -> int:
        """Of the engine; 0 where nobody tells."""
        descriptors = Path(f"/proc/{self.pid}/fd")
        return len(list(descriptors.iterdir())) if descriptors.exists() else 0

    def log(self) -> str:
        return "".join(file.read_text() for file in sorted((self.path / "logs").glob("*")))


def indexed(status: Mapping[str, Any], root: Path) -> bool:
    return any(index["phase"] == "ready" and index["root"] == root.as_uri() for index in status["indexes"])


@contextmanager
def engine_home() -> Iterator[EngineHome]:
    """With a path short enough for a socket; no engine survives it."""
    folder = Path(tempfile.mkdtemp(prefix="imp"))
    home = EngineHome(folder)
    try:
        yield home
    finally:
        home.kill_all()
        shutil.rmtree(folder, ignore_errors=True)
