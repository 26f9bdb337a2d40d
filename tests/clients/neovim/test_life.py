"""The life of the server: first index, settings, deaths, two editors, and a server that is not there."""

import os
import signal
from pathlib import Path

from tests.clients.neovim.conftest import Start
from tests.clients.neovim.editor import PHASE, Editor

#: Notes down what the editor is told from the very start.
WITNESS = """
_G.bars, _G.lines = {}, {}
vim.api.nvim_create_autocmd('LspProgress', { callback = function(event)
  local value = event.data.params.value
  table.insert(_G.bars, value.kind .. ' ' .. (value.title or '') .. ' ' .. (value.message or ''))
end })
vim.api.nvim_create_autocmd('User', { pattern = 'ImpetusStatus', callback = function()
  table.insert(_G.lines, require('impetus').statusline())
end })
"""


def servers(editor: Editor) -> list[int]:
    """Processes that this Neovim has started."""
    return editor.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")


def test_the_first_index_shows_its_progress(start: Start) -> None:
    with start("{}", "manifest.py", init=WITNESS) as editor:
        editor.indexed()
        editor.until_lua("require('impetus').statusline() == 'Impetus ✓'")
        bars = editor.until_lua("vim.startswith(_G.bars[#_G.bars] or '', 'end') and _G.bars")
        assert bars[0].startswith("begin Impetus: indexing parcels")
        assert "44 files" in bars[-1]
        lines = editor.lua("return _G.lines")
        assert lines[0] == "Impetus …"
        assert any(line.endswith("%") for line in lines)
        assert editor.lua("return #require('impetus.client').clients({ bufnr = 0 })") == 1


def test_settings_apply_at_once(start: Start) -> None:
    with start("{ settings = { search = { limit = 3, per_file = 1 } } }", "README.md") as editor:
        editor.indexed()
        assert len(editor.search("depot of the parcel network")) == 3
        editor.lua("""require('impetus').setup({ cmd = require('impetus.config').options.cmd,
            settings = { search = { limit = 7, per_file = 1 } } })""")
        editor.until(lambda: len(editor.search("depot of the parcel network")) == 7)


def test_a_wrong_setting_is_told(start: Start) -> None:
    with start("{ settings = { search = { limit = 'many' } } }", "README.md") as editor:
        editor.until_lua("vim.tbl_get(require('impetus.status').of() or {}, 'problems', 1) ~= nil")
        editor.command("Impetus status")
        editor.until_lua("vim.startswith(vim.fn.bufname(), 'impetus://')")
        assert "search.limit" in "\n".join(editor.lines())


def test_a_server_that_is_killed_comes_back(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        before = servers(editor)
        assert len(before) == 1
        os.kill(before[0], signal.SIGKILL)
        editor.until_told("the server has ended; starting it again")
        editor.until_lua("#require('impetus.client').clients({ bufnr = 0 }) == 1")
        editor.indexed()
        assert servers(editor) != before
        assert editor.search("total weight of all parcels")[0] == "manifest.py"


def test_a_question_ends_when_its_server_does(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        os.kill(servers(editor)[0], signal.SIGSTOP)
        editor.command("Impetus ask how is the parcel manifest parsed?")
        editor.until("looking for sources")
        os.kill(servers(editor)[0], signal.SIGKILL)
        editor.until("the server ended before it had answered")


def test_a_server_that_keeps_ending_is_left_alone(start: Start) -> None:
    with start("{}", "manifest.py", server=["false", "lsp"], init="") as editor:
        editor.until_told("the server ended 6 times within a minute")
        assert servers(editor) == []


def test_a_restart_starts_a_new_server(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        before = servers(editor)
        editor.command("Impetus restart")
        editor.until(lambda: servers(editor) and servers(editor) != before)
        editor.indexed()
        assert editor.lua("return #require('impetus.client').clients({ bufnr = 0 })") == 1


def test_two_editors_work_on_one_workspace(start: Start, project: Path) -> None:
    with start("{}", "manifest.py", name="one") as one:
        one.indexed()
        with start("{}", "README.md", name="two") as two:
            two.until_lua(f"vim.list_contains({{ 'ready', 'shared' }}, {PHASE})")
            two.until(lambda: two.search("total weight of all parcels")[0] == "manifest.py")
            one.command("$put =['', 'def quixotic_parcel():', '    return 1']")
            one.command("write")
            one.until(lambda: "quixotic" in (project / "manifest.py").read_text())
            two.until(lambda: two.search("quixotic_parcel")[:1] == ["manifest.py"])
            assert one.search("quixotic_parcel")[0] == "manifest.py"


def test_a_server_that_is_missing_is_named(start: Start) -> None:
    with start("{}", "manifest.py", server=["no-such-impetus", "lsp"], init="") as editor:
        editor.until_told('the server "no-such-impetus" was not found')
        editor.command("checkhealth impetus")
        editor.until("pip install impetus")


def test_a_question_in_an_empty_editor_is_about_the_folder(start: Start) -> None:
    with start("{}") as editor:
        editor.command("Impetus ask how is the parcel manifest parsed?")
        editor.until(" answered")
        editor.indexed()
        assert editor.search("total weight of all parcels")[0] == "manifest.py"


def test_a_file_outside_a_project_is_served_alone(start: Start, tmp_path: Path) -> None:
    lone = tmp_path / "lone.py"
    lone.write_text("def lonely():\n    return 1\n")
    with start("{}", str(lone)) as editor:
        editor.until_lua("require('impetus').statusline() == 'Impetus ✓'")
        assert editor.lua("return require('impetus.status').of().indexes") == []
        assert editor.lua("return #require('impetus.client').clients({ bufnr = 0 })") == 1
