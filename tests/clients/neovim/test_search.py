"""Search: the quickfix list, and the pickers where they are installed."""

import os
from pathlib import Path

import pytest

from tests.clients.neovim.conftest import Start

PLUGINS = Path(os.environ.get("IMPETUS_TEST_PLUGINS", "."))


def test_hits_fill_the_quickfix_list(start: Start) -> None:
    with start("{}", "README.md") as editor:
        editor.indexed()
        editor.command("Impetus search total weight of all parcels")
        editor.until_lua("vim.bo.buftype == 'quickfix'")
        found = editor.lua("return vim.fn.getqflist({ title = 1, items = 1 })")
        assert found["title"] == "Impetus: total weight of all parcels"
        names = [editor.lua("return vim.fn.bufname(...)", item["bufnr"]) for item in found["items"]]
        assert Path(names[0]).name == "manifest.py"
        assert found["items"][0]["lnum"] <= 9 < 11 <= found["items"][0]["end_lnum"]  # where `weigh` stands
        assert "(function)" in found["items"][0]["text"]
        editor.press("\r")
        editor.until_lua("vim.fn.expand('%:t') == 'manifest.py'")


def test_without_words_the_person_is_asked(start: Start) -> None:
    with start("{ picker = 'quickfix' }", "README.md") as editor:
        editor.indexed()
        editor.command("Impetus search")
        editor.until("Search:")
        editor.press("weigh\r")
        editor.until_lua("vim.fn.getqflist({ title = 1 }).title == 'Impetus: weigh'")


def installed(*names: str) -> str:
    missing = [name for name in names if not (PLUGINS / name).is_dir()]
    if missing:
        pytest.skip(f"{', '.join(missing)} not in IMPETUS_TEST_PLUGINS")
    return "\n".join(f"vim.opt.rtp:append('{PLUGINS / name}')" for name in names)


def test_telescope_searches_as_one_types(start: Start) -> None:
    init = installed("plenary.nvim", "telescope.nvim") + "\npcall(vim.cmd.runtime, 'plugin/telescope.lua')"
    with start("{}", "README.md", init=init) as editor:
        if editor.lua("return vim.fn.exists(':Telescope')") == 0:
            pytest.skip("this Telescope needs a later Neovim")
        editor.indexed()
        editor.command("Impetus search")
        editor.until("search by meaning")
        editor.press("total weight of parcels")
        editor.until("manifest.py:")
        editor.press("\r")
        editor.until_lua("vim.fn.expand('%:t') == 'manifest.py'")
        editor.command("Telescope impetus")
        editor.until("search by meaning")


def test_fzf_lua_searches_as_one_types(start: Start) -> None:
    with start("{}", "README.md", init=installed("fzf-lua")) as editor:
        editor.indexed()
        editor.command("Impetus search")
        editor.until("Impetus>")
        editor.press("total weight of parcels")
        editor.until("manifest.py:")
        editor.press("\r")
        editor.until_lua("vim.fn.expand('%:t') == 'manifest.py'")
