"""A small project that questions can be asked about, and the command that starts the real server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = Path(__file__).parents[2] / "server"

MANIFEST = '''\
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

#: The bundled model is certain how this goes on.
CRATE = """\
class Crate:
    def __init__(self, name, width, height, weight):
        self.name = name
        self.width = width
        self.height = height
        self.
"""

UNFINISHED = """\
def read(path):
    with open(path) as file:
"""


def create(folder: Path, files: int = 40) -> Path:
    """`files` more than those that matter, so that indexing takes a moment and shows its progress."""
    (folder / "depots").mkdir(parents=True)
    (folder / "manifest.py").write_text(MANIFEST)
    (folder / "reading.py").write_text(UNFINISHED)
    (folder / "crate.py").write_text(CRATE)
    (folder / "README.md").write_text("# Parcels\n\nWeighs parcels.\n")
    for number in range(files):
        name = f"depot_{number:04}"
        (folder / "depots" / f"{name}.py").write_text(
            f'"""Depot {number} of the parcel network."""\n\n\n'
            f"def route_{number}(parcel):\n"
            f'    """Send a parcel on from depot {number}."""\n'
            f"    return parcel.next_stop({number})\n"
        )
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def server_command() -> list[str]:
    """`IMPETUS_TEST_SERVER` puts another program in its place, for the negative control."""
    other = os.environ.get("IMPETUS_TEST_SERVER")
    return [sys.executable, other, "lsp"] if other else [sys.executable, "-m", "impetus", "lsp"]


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(SERVER), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"PYTHONPATH": path, "IMPETUS_HTTP_PORT": "0"}  # an engine of the person's own may have the usual port


@contextmanager
def stopped(home: Path) -> Iterator[None]:
    """However the test ends, no engine is left."""
    try:
        yield
    finally:
        stop_engine(home)


def stop_engine(home: Path) -> None:
    """An engine that outlives its editors is not left behind. A server without that command has none to leave."""
    command = [sys.executable, "-m", "impetus", "stop"]
    subprocess.run(command, env={**os.environ, **environment(), "IMPETUS_HOME": str(home)}, capture_output=True)
