"""Helix with the configuration of docs/editors.md."""

import os
from contextlib import closing
from pathlib import Path

from tests.clients import documented
from tests.clients.project import create, environment, stopped
from tests.clients.terminal import Terminal

#: Of the file that is open.
DRAWN = "def parse_manifest"

HELIX = Path(os.environ.get("IMPETUS_HELIX", ""))


def escape(terminal: Terminal, shown: str) -> None:
    """Keys right after Escape would be read as keys with Alt. The file is drawn again without a frame around it."""
    terminal.press("\x1b")
    terminal.until(lambda: shown not in terminal.text() and "┌" not in terminal.text() and DRAWN in terminal.text())


def found(terminal: Terminal, words: str, where: str) -> None:
    """Helix asks once for what is typed, so what comes before the index is whole is asked again."""
    for _attempt in range(20):
        terminal.press(f" S{words}")
        try:
            return terminal.until(lambda: "weigh" in terminal.text().replace(words, "") and where in terminal.text(), 2)
        except AssertionError:
            escape(terminal, words)
    raise AssertionError(f"{words!r} was not found in {where}; the screen:\n{terminal.text()}")


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
        found(terminal, "weight of parcels", "manifest.py")
        escape(terminal, "weight of parcels")
        terminal.press("% a")
        terminal.until("Explain with Impetus")
        escape(terminal, "Explain with Impetus")
        terminal.press(":q!\r")
        terminal.until(lambda: terminal.process.poll() is not None)
