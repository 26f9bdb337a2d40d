"""Status, doctor, log, health, help, and the command itself."""

from pathlib import Path

from tests.clients.neovim.conftest import Start


def test_the_status_follows_the_server(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        editor.command("Impetus status")
        editor.until("Ready: 44 files indexed")
        editor.until("embedding")
        assert "Impetus status" in editor.text()
        editor.lua("""local status = require('impetus.status')
            local id, state = require('impetus.client').clients()[1].id, vim.deepcopy(status.of())
            state.message = 'Another message'; status.changed(id, state)""")
        editor.until("Another message")
        editor.press("q")
        editor.until(lambda: "Another message" not in editor.text())


def test_the_doctor_reports_in_a_window(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        editor.command("Impetus doctor")
        editor.until_lua("table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), ' '):find('Python') ~= nil")
        editor.until_lua("table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), ' '):find('Editor') ~= nil")


def test_the_log_opens(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        editor.command("Impetus log")
        editor.until_lua("vim.endswith(vim.fn.expand('%'), '.log') and vim.bo.readonly")


def test_the_workspace_is_indexed_again(start: Start, project: Path) -> None:
    with start("{ settings = { index = { watch = false } } }", "README.md") as editor:
        editor.indexed()
        (project / "late.py").write_text("def quixotic():\n    return 1\n")
        editor.command("Impetus reindex full")
        editor.until_told("Impetus: indexing")
        editor.until(lambda: editor.search("quixotic")[:1] == ["late.py"])


def test_checkhealth_is_content(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        editor.command("checkhealth impetus")
        editor.until_lua("table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), ' '):find('connections') ~= nil")
        report = "\n".join(editor.lines())
        assert "impetus 0." in report
        assert "parcels, 1 buffers" in report
        assert "ERROR" not in report


def test_the_help_is_found(start: Start) -> None:
    with start("{}") as editor:
        editor.command("help impetus-options")
        editor.until_lua("vim.bo.buftype == 'help' and vim.fn.expand('%:t') == 'impetus.txt'")
        documented = "\n".join(editor.lines())
        names = editor.lua("return vim.tbl_keys(require('impetus.commands').commands)")
        keys = editor.lua("return vim.tbl_keys(require('impetus.config').defaults)")
        assert [name for name in names if f"*:Impetus-{name}*" not in documented] == []
        assert [key for key in keys if f"*impetus-options.{key}*" not in documented] == []


def test_the_command_completes_and_refuses(start: Start) -> None:
    with start("{}") as editor:
        assert "explain" in editor.lua("return vim.fn.getcompletion('Impetus ', 'cmdline')")
        assert editor.lua("return vim.fn.getcompletion('Impetus re', 'cmdline')") == ["reindex", "restart"]
        assert editor.lua("return vim.fn.getcompletion('Impetus reindex ', 'cmdline')") == ["full"]
        editor.command("Impetus frobnicate")
        editor.until('there is no "frobnicate"')


def test_unknown_options_are_told(start: Start) -> None:
    with start("{ windows = {}, picker = 'fzf', ghost = { keys = { accept = 3 } } }") as editor:
        editor.until_lua("#require('impetus.config').problems > 0")
        problems = editor.lua("return require('impetus.config').problems")
        assert sorted(problem.split(" is ")[0] for problem in problems) == ["ghost.keys.accept", "picker", "windows"]
        assert editor.lua("return require('impetus.config').options.ghost.keys.accept") == "<Tab>"
