"""A worker process with fake models: `python -m tests.support.worker_child --fd N`. Folders and words say what happens.

Loading a folder called `lethal` ends the process; `broken` and `surprise` fail; `huge` does not fit. Words of a prompt
are said one per step; those below do what they say in the middle of the step.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from impetus.domain.ports import Vectors
from impetus.errors import ModelError, NotFound
from impetus.worker.main import run
from impetus.worker.residency import Machine
from tests.support.fakes import FakeEmbedder
from tests.support.text_model import FakeTextModel

#: A named pipe; `!wait` reads from it until the test writes.
PIPE = "IMPETUS_TEST_PIPE"


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise RuntimeError("the kernel failed\nwith details")


def shout() -> None:
    """As a native library does that prints."""
    library = ctypes.CDLL(None)
    library.puts(b"noise on standard output")
    library.fflush(None)


def wait() -> None:
    """In native code that lets other threads run."""
    with open(os.environ[PIPE], "rb") as pipe:  # noqa: PTH123
        pipe.read(1)


def deaf() -> None:
    """In native code that lets no other thread run."""
    ctypes.PyDLL(None).sleep(600)


def interrupted() -> None:
    signal.raise_signal(signal.SIGINT)


def babble() -> None:
    os.write(int(sys.argv[-1]), b"\0\0\0\4junk")


ACTIONS = {
    "!kill": kill,
    "!fail": fail,
    "!shout": shout,
    "!wait": wait,
    "!deaf": deaf,
    "!interrupted": interrupted,
    "!babble": babble,
}


def load(folder: Path) -> FakeTextModel:
    match folder.name:
        case "lethal":
            kill()
        case "broken":
            raise ModelError(f"{folder} is broken; fetch it again")
        case "surprise":
            raise ValueError("nobody foresaw this")
    return FakeTextModel(actions=ACTIONS, context_length=64, chunk=1)


def embedder(name: str) -> FakeEmbedder:
    if name != FakeEmbedder.id:
        raise NotFound(f"There is no embedder {name}")
    return _Embedder()


class _Embedder(FakeEmbedder):
    """A text that is such a word does what it says."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        for text in texts:
            ACTIONS.get(text, lambda: None)()
        return super().embed(texts)


if __name__ == "__main__":
    machine = Machine(lambda: 10**12, lambda folder: 10**15 if folder.name == "huge" else 1000, 10**12)
    run(int(sys.argv[-1]), load, embedder, machine)
