"""A real Neovim in a terminal, with the plugin installed as people do: its folder in a package of `pack/*/start`."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.clients.neovim.rpc import Rpc, listens
from tests.clients.terminal import PATIENCE_S, Terminal

PLUGIN = Path(__file__).parents[3] / "clients" / "neovim"


#: Lua: what the first index of the state says of itself.
PHASE = "vim.tbl_get(require('impetus.status').of() or {}, 'indexes', 1, 'phase')"


SEARCH = """
_G.found = nil
require('impetus.search').request(..., function(hits, problem) _G.found = hits or problem end)
"""


class Editor:
    """Keys go through the terminal, questions about the state through Neovim's own RPC."""

    def __init__(self, terminal: Terminal, rpc: Rpc) -> None:
        self.terminal = terminal
        self._rpc = rpc

    def lua(self, code: str, *arguments: Any) -> Any:
        return self._rpc.request("nvim_exec_lua", code, arguments, meanwhile=lambda: self.terminal.pump(0))

    def command(self, text: str) -> None:
        """As typed after `:`."""
        self.terminal.press(f"\x1b:{text}\r")

    def press(self, keys: str) -> None:
        self.terminal.press(keys)

    def until(self, condition: Any, patience: float = PATIENCE_S) -> None:
        self.terminal.until(condition, patience)

    def until_lua(self, expression: str, *arguments: Any, patience: float = PATIENCE_S) -> Any:
        value = None

        def holds() -> bool:
            nonlocal value
            value = self.lua(f"return {expression}", *arguments)
            return bool(value)

        try:
            self.terminal.until(holds, patience)
        except AssertionError as error:
            raise AssertionError(f"{expression} is {value!r}; {error}") from None
        return value

    def until_told(self, text: str) -> None:
        """A message, also one that another has covered since."""
        self.until_lua("vim.fn.execute('messages'):find(..., 1, true) ~= nil", text)

    def indexed(self) -> None:
        self.until_lua(f"{PHASE} == 'ready'")

    def search(self, words: str) -> list[str]:
        """Names of the files that are found."""
        self.lua(SEARCH, words)
        self.until_lua("_G.found ~= nil")
        hits = self.lua("return _G.found")
        assert isinstance(hits, list), hits
        return [Path(hit["filename"]).name for hit in hits]

    def lines(self) -> list[str]:
        return self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")

    def text(self) -> str:
        return self.terminal.text()

    def leave(self) -> None:
        """Leaves as a person would, so that the servers are told."""
        self._rpc.notify("nvim_command", "qall!")
        self.terminal.until(lambda: self.terminal.process.poll() is not None)


@contextmanager
def editor(
    nvim: Path,
    folder: Path,
    project: Path,
    server: list[str],
    files: Sequence[str] = (),
    *,
    home: Path,
    options: str = "{}",
    init: str = "",
    env: Mapping[str, str] | None = None,
    columns: int = 120,
    rows: int = 34,
) -> Iterator[Editor]:
    """`options` is what `setup` gets, as Lua, beside the server's command; `folder` is all that Neovim writes to."""
    install(nvim, folder)
    settings = folder / "config" / "nvim"
    settings.mkdir(parents=True, exist_ok=True)
    command = "{" + ", ".join(f"[=[{word}]=]" for word in server) + "}"
    (settings / "init.lua").write_text(
        "vim.o.swapfile = false\nvim.o.shadafile = 'NONE'\n"
        f"vim.o.cmdheight = 6  -- no message waits for a key\n{init}\n"
        f"local options = {options}\noptions.cmd = {command}\nrequire('impetus').setup(options)\n"
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("IMPETUS_", "XDG_", "NVIM"))}
    sockets = tempfile.TemporaryDirectory(prefix="impetus")  # the path of a socket has to be short
    socket = Path(sockets.name) / "nvim"
    terminal = Terminal(
        [str(nvim), "--listen", str(socket), *files],
        {**kept, **xdg(folder), "IMPETUS_HOME": str(home), "NO_PROXY": "127.0.0.1,localhost", **(env or {})},
        project,
        columns=columns,
        rows=rows,
    )
    with sockets, closing(terminal):
        terminal.until(lambda: listens(socket))
        with closing(Rpc(socket)) as rpc:
            made = Editor(terminal, rpc)
            made.until_lua("vim.v.vim_did_enter == 1")  # it answers while it still loads its plugins
            yield made
            made.leave()


def xdg(folder: Path) -> dict[str, str]:
    return {f"XDG_{name.upper()}_HOME": str(folder / name) for name in ("config", "data", "state", "cache")}


def install(nvim: Path, folder: Path) -> None:
    """Copies the plugin and makes its help tags, as package managers do."""
    target = folder / "data" / "nvim" / "site" / "pack" / "impetus" / "start" / "impetus"
    if not target.exists():
        shutil.copytree(PLUGIN, target)
        subprocess.run([nvim, "--clean", "--headless", "-c", f"helptags {target}/doc", "-c", "quit"], check=True)
