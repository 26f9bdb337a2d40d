"""Completion as one types: accepted whole, by word and by line, dismissed, typed past; other keys are left alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from impetus.adapters.sqlite_tallies import SqliteTallyStore
from tests.clients.model import Completer, running
from tests.clients.neovim.conftest import Start
from tests.clients.project import CRATE, stop_engine

LINE = "        return file.read()"

#: Lua: the text of every ghost in the buffer, by whichever way it is drawn; nil without one.
GHOST = """(function()
  for name, space in pairs(vim.api.nvim_get_namespaces()) do
    if name == 'impetus.ghost' or name == 'nvim.lsp.inline_completion' then
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
        local lines = { mark[4].virt_text[1][1] }
        for _, line in ipairs(mark[4].virt_lines or {}) do
          table.insert(lines, line[1][1])
        end
        return table.concat(lines, '\\n')
      end
    end
  end
end)()"""

NO_INDENT = "vim.o.autoindent = false\nvim.cmd('filetype indent off')"

#: Keys that come to the line after UNFINISHED, indented by the test and not by Neovim.
TO_THE_END = "Go        "


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An engine for each test: what becomes of suggestions is counted, and decides how sure the next have to be."""
    yield tmp_path / "home"
    stop_engine(tmp_path / "home")


@pytest.fixture
def options() -> Iterator[str]:
    """A completion model that answers at once, and always so."""
    with running(Completer(LINE, "        extra = open(path)")) as model:
        yield f"{{ settings = {{ completion = {{ base_url = '{model.url}', model = 'scripted' }} }} }}"


def test_the_bundled_model_is_shown(start: Start) -> None:
    with start("{}", "crate.py", init=NO_INDENT) as editor:
        editor.indexed()
        editor.press("GA")
        ghost = editor.until_lua(GHOST)
        editor.press("\t!")
        editor.until_lua("vim.endswith(vim.fn.getline('.'), '!')")
        assert "\n".join(editor.lines()) == CRATE.rstrip("\n") + ghost + "!"


def test_the_whole_is_accepted(start: Start, options: str) -> None:
    with start(options, "reading.py", init=NO_INDENT) as editor:
        editor.indexed()
        editor.press(TO_THE_END)
        assert editor.until_lua(GHOST) == "return file.read()"
        editor.press("\t!")
        editor.until_lua("vim.endswith(vim.fn.getline(3), '!')")
        assert editor.lines()[2] == LINE + "!"


def test_a_word_and_then_a_line_are_accepted(start: Start, options: str) -> None:
    with start(options, "reading.py", init=NO_INDENT) as editor:
        editor.indexed()
        editor.press(TO_THE_END)
        editor.until_lua(GHOST)
        editor.press("\x1bw")
        editor.until_lua("vim.fn.getline(3) == '        return'")
        editor.until_lua(f"{GHOST} == ' file.read()'")
        editor.press("\x1bl")
        editor.until_lua("vim.fn.getline(3) == ...", LINE)


def test_a_ghost_that_is_typed_is_not_inserted_twice(start: Start, options: str) -> None:
    """Neovim 0.12 asks 200 ms after the last key; what is shown until then begins at the old place."""
    with start(options, "reading.py", init=NO_INDENT) as editor:
        editor.indexed()
        editor.press(TO_THE_END)
        editor.until_lua(GHOST)
        editor.press("ret\t!")
        editor.until_lua("vim.endswith(vim.fn.getline(3), '!')")
        assert editor.lines()[2] == LINE + "!"


def test_a_ghost_that_is_typed_past_is_not_inserted(start: Start, options: str) -> None:
    with start(options, "reading.py", init=NO_INDENT) as editor:
        editor.indexed()
        editor.press(TO_THE_END)
        editor.until_lua(GHOST)
        editor.press("x\t!")
        editor.until_lua("vim.endswith(vim.fn.getline(3), '!')")
        assert editor.lines()[2].strip(" \t") in ("x\t!", "x   !", "x       !")


def test_a_ghost_is_dismissed(start: Start, options: str) -> None:
    with start(options, "reading.py", init=NO_INDENT) as editor:
        editor.indexed()
        editor.press(TO_THE_END)
        editor.until_lua(GHOST)
        editor.press("\x1d")
        editor.until_lua(f"not {GHOST}")
        assert editor.lines()[2] == " " * 8


def test_the_server_hears_what_became_of_suggestions(start: Start, options: str, home: Path) -> None:
    with start(options, "reading.py", init=NO_INDENT) as editor:
        editor.indexed()
        editor.press(TO_THE_END)
        editor.until_lua(GHOST)
        editor.press("\x1d")
        editor.until_lua(f"not {GHOST}")
        editor.press("r")
        editor.until_lua(f"{GHOST} == 'eturn file.read()'")
        editor.press("\x1bw")
        editor.until_lua(f"{GHOST} == ' file.read()'")
        editor.press("\t")
        editor.until_lua("vim.fn.getline(3) == ...", LINE)

        def told() -> bool:
            tallies = SqliteTallyStore(home / "stats.sqlite").all()
            counts = [(tally.accepted, tally.partly, tally.rejected, tally.characters) for tally in tallies]
            return counts == [(1, 1, 1, len("eturn file.read()"))]

        editor.until(told)


def test_one_of_several_is_chosen(start: Start, options: str) -> None:
    """The server offers one; the list is lengthened here on its way, as another server might send it."""
    two = (
        NO_INDENT
        + """
        vim.api.nvim_create_autocmd('LspAttach', { callback = function(event)
          local client = vim.lsp.get_client_by_id(event.data.client_id)
          local request = client.request
          client.request = function(...)
            local arguments = { ... }
            for at, argument in ipairs(arguments) do
              if type(argument) == 'function' then
                arguments[at] = function(err, result, ...)
                  for _, item in ipairs(result and result.items or {}) do
                    table.insert(result.items, vim.tbl_extend('force', item, { insertText = 'second' }))
                    break
                  end
                  return argument(err, result, ...)
                end
              end
            end
            return request(unpack(arguments))
          end
        end })"""
    )
    with start(options, "reading.py", init=two) as editor:
        editor.indexed()
        editor.press(TO_THE_END)
        editor.until_lua(f"vim.startswith({GHOST} or '', 'return file.read()')")
        editor.press("\x1bn")
        editor.until_lua(f"vim.startswith({GHOST} or '', 'second')")
        editor.press("\x1bp")
        editor.until_lua(f"vim.startswith({GHOST} or '', 'return file.read()')")


def test_a_key_without_a_ghost_does_what_it_did(start: Start) -> None:
    with start("{}", "README.md", init="vim.keymap.set('i', '<Tab>', 'tabbed')") as editor:
        editor.until_lua("vim.fn.maparg('<Tab>', 'i', false, true).buffer == 1")
        editor.press("GA\t\x1b")
        editor.until_lua("vim.endswith(vim.fn.getline('$'), 'tabbed')")


def test_no_ghost_when_it_is_switched_off(start: Start) -> None:
    with start("{ ghost = { enable = false } }", "reading.py") as editor:
        editor.indexed()
        assert editor.lua("return vim.fn.maparg('<Tab>', 'i', false, true).buffer") != 1
        editor.lua("require('impetus').setup({ cmd = require('impetus.config').options.cmd })")
        assert editor.lua("return vim.fn.maparg('<Tab>', 'i', false, true).buffer") == 1
