"""Each test runs in every Neovim of `IMPETUS_NVIM` (paths, separated by `:`); run.sh gets them and sets it."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.clients.neovim.editor import Editor

EDITORS = [Path(path) for path in os.environ.get("IMPETUS_NVIM", "").split(os.pathsep) if path]

if not EDITORS:
    collect_ignore_glob = ["test_*.py"]  # the suite of the server alone needs no editor

#: `start(options, *files)`; see `editor` for the rest.
Start = Callable[..., "AbstractContextManager[Editor]"]


@pytest.fixture(params=EDITORS, ids=lambda path: path.parents[2].name)
def nvim(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    from tests.clients.project import create

    return create(tmp_path / "parcels")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One engine serves all tests, as it serves all windows of a person; starting it anew takes a second each time."""
    from tests.clients.project import stop_engine

    folder = tmp_path_factory.mktemp("home")
    yield folder
    stop_engine(folder)


@pytest.fixture
def start(nvim: Path, project: Path, home: Path, tmp_path: Path) -> Start:
    """Starts the editor on the project with the plugin installed; each name is an editor with folders of its own."""
    from tests.clients.neovim.editor import editor
    from tests.clients.project import environment, server_command

    def started(options: str = "{}", *files: str, name: str = "one", **more: Any) -> "AbstractContextManager[Editor]":
        more = {"server": server_command(), "env": environment(), **more}
        return editor(nvim, tmp_path / name, project, files=files, home=home, options=options, **more)

    return started
