"""The real language server as a process on pipes, as editors start it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.lsp_client import PATIENCE_S, LspClient

SERVER = Path(__file__).parents[2] / "server"
COMMAND = (sys.executable, "-m", "impetus", "lsp", "--standalone")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the person's own settings, state or proxies."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("IMPETUS_")}
    return {**kept, "IMPETUS_HOME": str(home), "PYTHONPATH": str(SERVER), "NO_PROXY": "127.0.0.1,localhost", **more}


class ServerProcess(LspClient):
    """A client whose server is a process. `log` is what the process has written to standard error, once it ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        super().__init__(process.stdout, process.stdin)
        self.process = process
        self._reading_log = asyncio.create_task(self._read_log())

    async def _read_log(self) -> str:
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode("utf-8", "replace")

    async def exit_code(self) -> int:
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)

    async def log(self) -> str:
        return await asyncio.wait_for(self._reading_log, PATIENCE_S)


@asynccontextmanager
async def running(home: Path, command: Sequence[str] = COMMAND, **variables: str) -> AsyncIterator[ServerProcess]:
    pipes = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipes, stdout=pipes, stderr=pipes, env=environment(home, **variables)
    )
    client = ServerProcess(process)
    try:
        yield client
    finally:
        if process.returncode is None:
            await client.hang_up()
            try:
                await client.exit_code()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise
        await client.log()
