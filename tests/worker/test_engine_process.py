"""A whole engine process with a model worker: what it imports, what its output shows, and who outlives whom."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.support.tiny_model import make_model
from tests.support.worker import COMMAND
from tests.support.worker_child import PIPE

from impetus import __version__
from impetus.errors import ModelError
from impetus.worker.supervisor import Supervisor

#: Starts a worker with fake models, streams one prompt, prints the worker's process id and what was said.
STREAM = """
import asyncio, json, sys
from contextlib import aclosing
from pathlib import Path

from impetus.domain.types import Piece, Priority, Sampling, TextPrompt
from impetus.worker.supervisor import Supervisor


async def main():
    worker = Supervisor(json.loads(sys.argv[1]))
    prompt = TextPrompt(sys.argv[2])
    said = []
    async with aclosing(worker.stream(Path("/models/a"), prompt, Sampling(), Priority.CHAT)) as steps:
        async for step in steps:
            said.append(step.text if isinstance(step, Piece) else type(step).__name__)
            print(worker.pid, "".join(said), flush=True)
    await worker.close()


asyncio.run(main())
"""

#: The real thing: completes with the model in argv[1], then says which modules this process has.
COMPLETE = """
import asyncio, sys
from pathlib import Path

from impetus.app import create_engine
from impetus.config import resolve
from impetus.domain.types import Cursor, Document
from impetus.services.session import Session


async def main():
    settings, _ = resolve({"completion": {"model": sys.argv[1]}, "index": {"watch": False}})
    engine = await create_engine(settings, home=Path(sys.argv[2]))
    session = Session(engine)
    text = "def add(first, second):\\n    return "
    await session.complete(Cursor(Document("/a.py", text, 1, "python"), len(text)), explicit=True)
    states = [state.state for state in session.status().models if state.role == "completion"]
    await session.close()
    await engine.close()
    print(states, sorted({"mlx", "mlx.core", "mlx_lm", "transformers"} & set(sys.modules)))


asyncio.run(main())
"""


def environment(**more: str) -> Mapping[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | more


@contextmanager
def engine(program: str, *arguments: str, **more: str) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("doing", ["!wait", "!deaf"])
def test_the_worker_ends_with_an_engine_that_is_killed(doing: str, tmp_path: Path) -> None:
    """In the middle of native code, and where that code lets no other thread run."""
    if doing == "!deaf" and not sys.platform.startswith("linux"):
        pytest.skip("only Linux ends a process that holds its interpreter together with its parent")
    os.mkfifo(tmp_path / "pipe")
    with engine(STREAM, json.dumps(COMMAND), f"| one {doing}", **{PIPE: str(tmp_path / "pipe")}) as process:
        assert process.stdout is not None
        worker = psutil.Process(int(process.stdout.readline().split()[0]))
        held = os.open(tmp_path / "pipe", os.O_WRONLY) if doing == "!wait" else -1  # opens once it is in there
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        worker.wait(timeout=10)
        if held >= 0:
            os.close(held)


def test_what_native_code_prints_does_not_reach_our_output() -> None:
    with engine(STREAM, json.dumps(COMMAND), "| one !shout two") as process:
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "noise" not in out
    assert "noise on standard output" in errors
    assert out.splitlines()[-1].endswith("one !shout two End")


def test_an_interrupt_from_the_terminal_is_the_engines_to_handle() -> None:
    """Ctrl-C goes to every process of the group."""
    with engine(STREAM, json.dumps(COMMAND), "| one !interrupted two") as process:
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert out.splitlines()[-1].endswith("two End")


def test_the_engine_never_imports_mlx_and_ends_cleanly(tmp_path: Path) -> None:
    model = make_model(tmp_path / "tiny")
    with engine(COMPLETE, str(model), str(tmp_path / "home")) as process:
        out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert out == "['ready'] []\n"
    assert errors == ""


async def test_after_an_upgrade_the_old_engine_is_told_what_to_do(tmp_path: Path) -> None:
    worker = Supervisor((sys.executable, "-m", "impetus.app_worker", "0.0.9", "0", "0"))
    try:
        with pytest.raises(ModelError, match=f"upgraded to {__version__} while .* as 0.0.9; reload the window"):
            await worker.load(make_model(tmp_path / "model"))
    finally:
        await worker.close()
