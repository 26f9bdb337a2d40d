"""Makes the pictures of clients/neovim/README.md: `run.sh pictures`. Neovim's own colors, extractive answers.

`run.sh pictures FOLDER nvim10` makes those of the other Neovim, to look at.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.clients.neovim.editor import Editor, editor
from tests.clients.picture import draw
from tests.clients.project import SERVER, create, environment, server_command, stop_engine

PICTURES = Path(__file__).parents[3] / "clients" / "neovim" / "pictures"

#: Default colors of Neovim's own scheme: foreground, background.
THEMES = {"dark": ("e0e2ea", "14161b"), "light": ("14161b", "e0e2ea")}

LOOK = """
vim.o.termguicolors, vim.o.background = true, '{theme}'
vim.o.number, vim.o.laststatus, vim.o.ruler, vim.o.showcmd = true, 3, false, false
vim.o.statusline = " %f %m%=%{{v:lua.require'impetus'.statusline()}}  %l:%c "
vim.o.autoindent, vim.o.cmdheight = false, 1
vim.o.fillchars = 'eob: '
vim.cmd('filetype indent off')
"""


def project(folder: Path) -> Path:
    """The language server of Impetus itself, and a file to write in."""
    made = create(folder / "impetus", files=0)
    for name in ("lsp", "services"):
        shutil.copytree(SERVER / "impetus" / name, made / name, ignore=shutil.ignore_patterns("__pycache__"))
    return made


def views(shown: Editor, theme: str, folder: Path) -> None:
    def take(name: str, rows: int | None = None) -> None:
        shown.terminal.settle(1.0)
        foreground, background = THEMES[theme]
        path = folder / f"{name}-{theme}.png"
        draw(shown.terminal, path, foreground=foreground, background=background, rows=rows)

    shown.indexed()
    shown.command("Impetus ask how are positions of the editor counted?")
    shown.until(" answered")
    shown.press("]c")
    take("ask")
    shown.press("q")
    shown.command("Impetus search progress bar while a folder is indexed")
    shown.until_lua("vim.bo.buftype == 'quickfix'")
    shown.press("\r")
    take("search")
    shown.command("cclose")
    shown.command("Impetus status")
    shown.until("embedding")
    take("status")
    shown.press("q")
    shown.command("edit crate.py")
    shown.until_lua("#require('impetus.client').clients({ bufnr = 0 }) == 1")
    shown.press("GA")
    shown.until("self.weight = weight", patience=120)
    take("ghost", rows=12)


def installed(home: Path) -> dict[str, str]:
    """The person of the pictures has all of it at home, so that no path of this machine is shown."""
    checkout = home / "src"
    checkout.mkdir()
    for name in ("server", "grammars"):
        (checkout / name).symlink_to(SERVER.parent / name)
    return {**environment(), "PYTHONPATH": str(checkout / "server"), "HOME": str(home)}


def main(pictures: Path = PICTURES, name: str = "nvim12") -> None:
    (nvim,) = (Path(path) for path in os.environ["IMPETUS_NVIM"].split(os.pathsep) if f"/{name}/" in path)
    with tempfile.TemporaryDirectory(prefix="impetus") as folder:
        home = Path(folder)
        made, env = project(home), installed(home)
        for theme in THEMES:
            files = ["lsp/settings.py"]
            size = {"columns": 132, "rows": 36}
            more = {"home": home / ".impetus", "init": LOOK.format(theme=theme), "env": env, **size}
            with editor(nvim, home / theme, made, server_command(), files, **more) as shown:
                views(shown, theme, pictures)
        stop_engine(home / ".impetus")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]), *sys.argv[2:3])
