"""Helix with the configuration of docs/editors.md."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.clients import documented
from tests.clients.project import create, environment, stopped
from tests.clients.terminal import Terminal

#: Of the file that is open.
DRAWN = "def parse_manifest"
WORDS = "weight of parcels"

HELIX = Path(os.environ.get("IMPETUS_HELIX", ""))


def shows(terminal: Terminal, keys: str, holds: Callable[[str], bool]) -> None:
    """Press keys until the screen is as it should be.

    Helix asks once for what is typed, so what comes before the index is whole has to be asked again; and on a busy
    machine a picker may open over the next keys, which then are typed into it.
    """
    for _attempt in range(20):
        terminal.press(keys)
        try:
            return terminal.until(lambda: holds(terminal.text()), 3)
        except AssertionError:
            escape(terminal)
    raise AssertionError(f"{keys!r} did not do; the screen:\n{terminal.text()}")


def escape(terminal: Terminal) -> None:
    """Keys right after Escape would be read as keys with Alt, so until the file is there without a frame over it."""
    for _attempt in range(20):
        terminal.press("\x1b")
        try:
            return terminal.until(lambda: "┌" not in terminal.text() and DRAWN in terminal.text(), 3)
        except AssertionError:
            continue
    raise AssertionError(f"a picker stays open; the screen:\n{terminal.text()}")


def found(screen: str) -> bool:
    return WORDS in screen and "function weigh " in screen and "manifest.py" in screen


def test_helix_finds_by_meaning_and_offers_code_actions(tmp_path: Path) -> None:
    project, home = create(tmp_path / "parcels"), tmp_path / "home"
    config = tmp_path / "config" / "helix"
    config.mkdir(parents=True)
    languages, settings = documented.blocks("toml")
    (config / "languages.toml").write_text(languages)
    (config / "config.toml").write_text(settings)
    env = {
        **os.environ,
        **environment(),
        "IMPETUS_HOME": str(home),
        "PATH": f"{documented.program(tmp_path / 'bin')}:{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HELIX_RUNTIME": str(HELIX / "usr/lib/hx/runtime"),
    }
    with stopped(home), closing(Terminal([str(HELIX / "usr/lib/hx/hx"), "manifest.py"], env, project)) as terminal:
        terminal.until("parse_manifest")
        terminal.until("indexing parcels")
        shows(terminal, f" S{WORDS}", found)
        escape(terminal)
        shows(terminal, "% a", lambda screen: "Explain with Impetus" in screen)
        escape(terminal)
        terminal.press(":q!\r")
        terminal.until(lambda: terminal.process.poll() is not None)
