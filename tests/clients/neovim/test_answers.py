"""Asking and explaining: streamed, cited, stopped, asked on."""

from collections.abc import Iterator

import pytest

from tests.clients.model import ChatModel, running
from tests.clients.neovim.conftest import Start


@pytest.fixture
def model() -> Iterator[ChatModel]:
    with running(ChatModel(["Manifests are ", "split into entries by `parse_manifest` [1]."])) as model:
        yield model
        model.go_on.set()


def with_model(model: ChatModel, more: str = "") -> str:
    return f"{{ settings = {{ chat = {{ base_url = '{model.url}', model = 'scripted' }} }}, {more} }}"


def test_an_answer_streams_and_its_citation_opens_the_file(start: Start, model: ChatModel) -> None:
    with start(with_model(model), "README.md") as editor:
        editor.indexed()
        editor.command("Impetus ask how is the parcel manifest parsed?")
        editor.until("Manifests are")
        assert "split into entries" not in editor.text()
        assert " answering" in editor.text()
        model.go_on.set()
        editor.until(" answered")
        assert "# how is the parcel manifest parsed?" in editor.lines()
        assert "Manifests are split into entries by `parse_manifest` [1]." in editor.lines()
        assert any(line.startswith("- [1] `manifest.py:") for line in editor.lines())
        editor.press("]c\r")
        editor.until_lua("vim.fn.expand('%:t') == 'manifest.py'")
        line = editor.lua("return vim.api.nvim_get_current_line()")
        assert line in ('"""Reading of the parcel manifest."""', "def parse_manifest(text):")


@pytest.mark.parametrize("layout", ["split", "float"])
def test_an_answer_appears_where_the_options_say(start: Start, layout: str) -> None:
    with start(f"{{ window = {{ layout = '{layout}' }} }}", "README.md") as editor:
        editor.indexed()
        editor.command("Impetus ask how is the parcel manifest parsed?")
        editor.until(" answered")
        relative = editor.lua("return vim.api.nvim_win_get_config(0).relative")
        assert relative == ("editor" if layout == "float" else "")
        editor.press("]c\r")
        editor.until_lua("vim.fn.expand('%:e') == 'py'")
        assert editor.lua("return #vim.api.nvim_tabpage_list_wins(0)") == (1 if layout == "float" else 2)
        editor.command("Impetus answer")
        editor.until_lua("vim.fn.bufname() == 'impetus://answer'")


def test_an_answer_can_be_stopped(start: Start, model: ChatModel) -> None:
    with start(with_model(model), "README.md") as editor:
        editor.indexed()
        editor.command("Impetus ask how is the parcel manifest parsed?")
        editor.until("Manifests are")
        editor.press("\x03")
        editor.until("Stopped.")
        assert model.left.wait(10)
        assert "split into entries" not in "\n".join(editor.lines())


def test_a_second_question_brings_the_first_along(start: Start, model: ChatModel) -> None:
    model.go_on.set()
    with start(with_model(model), "README.md") as editor:
        editor.indexed()
        editor.command("Impetus ask how is the parcel manifest parsed?")
        editor.until(" answered")
        editor.press("a")
        editor.until("Ask on:")
        editor.press("and who does it?\r")
        editor.until(lambda: editor.lines().count("**Sources**") == 2)
        turns = [(m["role"], m["content"]) for m in model.requests[-1]["messages"] if m["role"] != "system"]
        assert ("user", "how is the parcel manifest parsed?") in [(role, text[:34]) for role, text in turns] or any(
            "how is the parcel manifest parsed?" in text for _role, text in turns
        )
        assert any(role == "assistant" and "Manifests are split" in text for role, text in turns)
        assert "and who does it?" in turns[-1][1]


def test_the_code_at_the_cursor_is_explained(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        editor.command("9")
        editor.command("Impetus explain")
        editor.until(" answered")
        text = "\n".join(editor.lines())
        assert "# manifest.py, line 9" in text
        assert "`weigh` is a function" in text
        assert "`report`" in text  # who uses it


def test_code_actions_show_their_results(start: Start) -> None:
    with start("{}", "manifest.py") as editor:
        editor.indexed()
        editor.press("4GV")
        editor.until_lua("vim.fn.mode() == 'V'")
        editor.lua("""vim.schedule(function() vim.lsp.buf.code_action({ apply = true, filter = function(action)
            return action.title == 'Explain with Impetus' end }) end)""")
        editor.until(" answered")
        assert "`parse_manifest`" in "\n".join(editor.lines())
        editor.press("q")
        editor.until_lua("vim.fn.expand('%:t') == 'manifest.py'")
        editor.press("\x1b4GV")
        editor.until_lua("vim.fn.mode() == 'V'")
        editor.lua("""vim.schedule(function() vim.lsp.buf.code_action({ apply = true, filter = function(action)
            return action.title == 'Ask Impetus about this' end }) end)""")
        editor.until("Ask about this:")
        editor.press("where do parcels come from?\r")
        editor.until(" answered")
        assert editor.lines()[0] == "# where do parcels come from?"


def test_a_selection_goes_along_with_the_question(start: Start, model: ChatModel) -> None:
    model.go_on.set()
    with start(with_model(model), "manifest.py") as editor:
        editor.indexed()
        editor.command("9,11Impetus ask what is this?")
        editor.until(" answered")
        asked = model.requests[-1]["messages"][-1]["content"]
        assert "def weigh(entries):" in asked
        assert "what is this?" in asked


def test_a_question_shows_how_far_the_first_index_is(start: Start, model: ChatModel) -> None:
    with start(with_model(model), "README.md") as editor:
        editor.indexed()
        editor.command("Impetus ask how is the parcel manifest parsed?")
        editor.until("Manifests are")
        editor.lua("""require('impetus.requests').received({ token = 'impetus-nvim-1',
            value = { kind = 'indexing', done = 3, total = 44 } })""")
        editor.until("indexing: 3 of 44 files")


def test_the_first_question_waits_for_the_first_index(start: Start) -> None:
    with start("{}", "README.md") as editor:
        editor.command("Impetus ask how is the parcel manifest parsed?")
        editor.until(" answered")
        assert any(line.startswith("- [1] `manifest.py:") for line in editor.lines())
