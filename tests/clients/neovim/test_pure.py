"""The parts without an editor or a server in them, run in each Neovim."""

from tests.clients.neovim.conftest import Start

PROSE = """
local found = {}
for _, line in require('impetus.citations').prose(...) do
  table.insert(found, line)
end
return found
"""


def test_citations_are_found_where_they_are_meant(start: Start) -> None:
    cases = {
        "By `f` [1].": [[1]],
        "Both [2, 5] and [7]": [[2, 5], [7]],
        "`list[2]` and list[3] and f()[4]": [],
        "[8](https://example.org)": [],
        "in `code [6]` none": [],
    }
    with start("{}") as editor:
        for line, numbers in cases.items():
            found = editor.lua("return require('impetus.citations').of(...)", line)
            assert [citation["numbers"] for citation in found] == numbers, line
        at = "return require('impetus.citations').at(...)"
        assert editor.lua(at, "See [12, 5] or [7].", 0) == 12
        assert editor.lua(at, "See [12, 5] or [7].", 9) == 5
        assert editor.lua(at, "See [12, 5] or [7].", 18) == 7
        assert editor.lua(at, "Nothing", 0) is None
        assert editor.lua(PROSE, ["a", "```python", "b", "~~~", "```", "c"]) == ["a", "c"]


def test_parts_of_a_completion(start: Start) -> None:
    with start("{}") as editor:
        part = "local name, text = ... return require('impetus.ghost.text')[name](text)"
        assert editor.lua(part, "word", "  return x") == "  return"
        assert editor.lua(part, "word", "(a, b)") == "("
        assert editor.lua(part, "word", "größe = 1") == "größe"
        assert editor.lua(part, "line", "a + b\nc") == "a + b"
        assert editor.lua(part, "line", "\n    c\nd") == "\n    c"


def test_the_footer_of_an_answer(start: Start) -> None:
    span = {"start": {"line": 3, "character": 0}, "end": {"line": 5, "character": 2}}
    source = {"number": 2, "passage": {"path": "a.py", "range": span, "symbol": "f"}}
    result = {"sources": [source], "cited": [2], "unverified": [9], "finishReason": "length", "model": "m"}
    with start("{}") as editor:
        lines = editor.lua("return require('impetus.citations').footer(...)", result)
    assert "- [2] `a.py:4-6` f" in lines
    assert "Not verified, so do not rely on it: [9]" in lines
    assert "Cut off at the setting `chat.max_tokens`." in lines
    assert lines[-1] == "*m*"
