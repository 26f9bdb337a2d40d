"""Follow-up edits: from the index which files, from their text where."""

from pathlib import Path

import pytest
from tests.support.fakes import FakeFiles, FakeRetrieval, FakeWorker, fake_models

from impetus.config import CompletionSettings, Settings
from impetus.domain.chunking import analyse
from impetus.domain.types import Cursor, Definition, Document, Outline, Reference, ReferenceHit, SymbolHit
from impetus.services.next_edit import NextEdits, Proposal
from impetus.services.workspace import View

ROOT = Path("/project")
OWN = str(ROOT / "own.py")


class Lookup(FakeRetrieval):
    async def outline(self, document: Document) -> Outline:
        return analyse(document.text.encode(), document.language).outline


class World:
    def __init__(
        self, *answers: str, uses: tuple[tuple[str, str], ...] = (), files: dict[str, str] | None = None, also: str = ""
    ) -> None:
        """`uses` are (path, name) as the index has them; `also` is a file that defines every name too."""
        references = [ReferenceHit(ROOT, path, Reference(name, "call", 1), "") for path, name in uses]
        self.names = {name for _, name in uses}
        definitions = [
            SymbolHit(ROOT, path, Definition(name, "function", 0, 1, 1, 1, 1))
            for name in self.names
            for path in ("own.py", *filter(None, [also]))
        ]
        self.lookup = Lookup(definitions=definitions, references=references)
        self.worker = FakeWorker(*answers)
        self.models = fake_models(self.worker)
        chosen = CompletionSettings() if answers else CompletionSettings(model="")
        disk = FakeFiles({ROOT / path: text for path, text in (files or {}).items()})
        self.next_edits = NextEdits(self.lookup, disk, self.models.named_by(Settings(completion=chosen)), chosen)

    async def propose(self, before: str, marked: str, opened: tuple[Document, ...] = ()) -> Proposal:
        document = Document(OWN, marked.replace("|", ""), 2, "python", dirty=True)
        view = View((ROOT,), {d.key: d for d in (document, *opened)})
        try:
            return await self.next_edits.propose(Cursor(document, marked.index("|")), before, view)
        finally:
            await self.models.close()


def applied(proposal: Proposal) -> dict[str, str]:
    texts = {edit.document.key: edit.document.text for edit in proposal.edits}
    for edit in sorted(proposal.edits, key=lambda edit: -edit.start):
        text = texts[edit.document.key]
        texts[edit.document.key] = text[: edit.start] + edit.text + text[edit.end :]
    return {Path(key).name: text for key, text in texts.items()}


async def test_a_rename_is_followed_in_this_file_and_in_those_that_use_the_name() -> None:
    world = World(uses=(("b.py", "total"), ("own.py", "total")), files={"b.py": "from own import total\ntotal(1)\n"})
    before = "def total(a):\n    return a\n\nx = total(2)\n"
    proposal = await world.propose(before, before.replace("def total", "def sum_of|"))
    assert applied(proposal) == {
        "own.py": "def sum_of(a):\n    return a\n\nx = sum_of(2)\n",
        "b.py": "from own import sum_of\nsum_of(1)\n",
    }
    assert {edit.reason for edit in proposal.edits} == {"total is now sum_of"}
    assert proposal.edits[0].document.key == OWN  # the nearest first


async def test_unsaved_text_of_another_file_is_what_is_edited() -> None:
    world = World(uses=(("b.py", "total"),), files={"b.py": "total(1)\n"})
    opened = Document(str(ROOT / "b.py"), "# more\n\ntotal(1)\n", 3, "python", dirty=True)
    proposal = await world.propose("def total(a): ...\n", "def sum_of|(a): ...\n", (opened,))
    assert applied(proposal)["b.py"] == "# more\n\nsum_of(1)\n"


async def test_a_name_that_others_define_too_is_followed_in_this_file_only() -> None:
    world = World(uses=(("b.py", "total"),), files={"b.py": "total(1)\n"}, also="c.py")
    proposal = await world.propose("def total(a): ...\ntotal(1)\n", "def sum_of|(a): ...\ntotal(1)\n")
    assert list(applied(proposal)) == ["own.py"]


async def test_a_parameter_with_another_name_is_followed_in_the_body_and_by_keyword() -> None:
    world = World(uses=(("b.py", "f"),), files={"b.py": "f(1, width=2)\nwidth = 3\n"})
    before = "def f(a, width):\n    return width\n\nwidth = 1\n"
    proposal = await world.propose(before, before.replace("(a, width)", "(a, size|)"))
    assert applied(proposal) == {
        "own.py": "def f(a, size):\n    return size\n\nwidth = 1\n",
        "b.py": "f(1, size=2)\nwidth = 3\n",
    }


async def test_new_arguments_are_written_by_the_model_one_call_at_a_time() -> None:
    world = World("1, depth)", uses=(("b.py", "f"),), files={"b.py": "f(1)\nf(2)\n"})
    proposal = await world.propose("def f(a): ...\n", "def f(a, depth|): ...\n")
    assert applied(proposal) == {"b.py": "f(1, depth)\nf(2)\n"}
    assert "def f(a, depth)" in world.worker.prompts[0].prefix


@pytest.mark.parametrize("answers", [(), ("1)",), ("(((",)], ids=["no model", "nothing new", "breaks the text"])
async def test_no_arguments_are_better_than_wrong_ones(answers: tuple[str, ...]) -> None:
    world = World(*answers, uses=(("b.py", "f"),), files={"b.py": "f(1)\n"})
    assert (await world.propose("def f(a): ...\n", "def f(a, depth|): ...\n")).edits == ()


async def test_what_was_done_is_settled_and_a_name_half_typed_is_not() -> None:
    assert (await World().propose("x = 1\n", "x = 2|\n")).settled
    assert (await World().propose("x = 1\n", "x = 1|\n")).settled
    assert not (await World().propose("def f(a):\n    return a\n", "def |(a):\n    return a\n")).settled
    done = await World().propose("def f(a):\n    return a\n", "def g|(a):\n    return a\n")
    assert (done.edits, done.settled) == ((), True)


async def test_a_file_that_is_gone_is_passed_over() -> None:
    world = World(uses=(("gone.py", "total"),))
    assert (await world.propose("def total(a): ...\n", "def sum_of|(a): ...\n")).edits == ()
