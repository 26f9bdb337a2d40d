"""Completion: what is shown, what is kept, who wins."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.fakes import FakeRetrieval, FakeWorker, fake_models

from impetus.config import CompletionSettings, Settings
from impetus.domain.completion import LEAST_CERTAIN
from impetus.domain.types import Completion, Cursor, Definition, Document, FinishReason, InfillPrompt, SymbolHit
from impetus.errors import ModelError
from impetus.services.completer import Completer
from impetus.services.workspace import View

ROOT = Path("/project")
VIEW = View((ROOT,), {})
HELPER = Definition("helper", "function", 0, 30, 1, 2, 1, (), "def helper(x: int) -> int:", "Helps.")


class World:
    def __init__(
        self,
        *answers: str | Exception,
        gate: asyncio.Semaphore | None = None,
        logprob: float | None = None,
        ends: FinishReason = FinishReason.STOP,
        **settings: bool,
    ) -> None:
        self.worker = FakeWorker(*answers, gate=gate, logprob=logprob, ends=ends)
        self.models = fake_models(self.worker)
        self.retrieval = FakeRetrieval(definitions=[SymbolHit(ROOT, "lib/helpers.py", HELPER)])
        chosen = CompletionSettings(**settings)  # type: ignore[arg-type]
        self.completer = Completer(self.models.named_by(Settings(completion=chosen)), self.retrieval, chosen)

    async def complete(self, marked: str, *, version: int = 1, explicit: bool = False) -> Completion | None:
        """`|` is the cursor."""
        document = Document(str(ROOT / "a.py"), marked.replace("|", "", 1), version, "python")
        return await self.completer.complete(Cursor(document, marked.index("|")), VIEW, explicit=explicit)


def release(gate: asyncio.Semaphore, pieces: int) -> None:
    for _ in range(pieces):
        gate.release()


@pytest.fixture
async def worlds():
    made: list[World] = []

    def make(*answers: str | Exception, **more: Any) -> World:
        made.append(World(*answers, **more))
        return made[-1]

    yield make
    for world in made:
        await world.models.close()


async def test_a_completion_says_where_it_goes_and_who_wrote_it(worlds) -> None:
    found = await worlds("compute(1)\ny = 2").complete("x = |\n", version=7)
    assert found == Completion("compute(1)", 4, 4, 7, "fim")


async def test_the_model_stops_once_the_shape_is_complete(worlds) -> None:
    gate = asyncio.Semaphore(1)
    world = worlds("1\n" + "more " * 50, gate=gate)
    assert (await world.complete("x = |\n")).text == "1"
    release(gate, 100)
    assert world.worker.pieces <= 2


async def test_nothing_is_asked_where_nothing_is_wanted(worlds) -> None:
    world = worlds("x")
    assert await world.complete("na|me = 1\n") is None
    assert world.worker.prompts == []


async def test_a_model_that_is_unsure_says_something_only_when_asked_explicitly(worlds) -> None:
    gate = asyncio.Semaphore(1)
    world = worlds("one two three", logprob=LEAST_CERTAIN - 0.1, gate=gate)
    assert await world.complete("x = |\n") is None
    release(gate, 100)
    assert world.worker.pieces <= 2  # the rest is not computed
    assert await world.complete("x = |\n") is None
    assert len(world.worker.prompts) == 1  # nor is the same asked again
    assert (await world.complete("x = |\n", explicit=True)).text == "one two three"
    assert (await worlds("1", logprob=LEAST_CERTAIN).complete("x = |\n")).text == "1"


async def test_a_block_that_reached_the_limit_ends_with_a_whole_line(worlds) -> None:
    world = worlds("a = 1\n    b = so", ends=FinishReason.LENGTH)
    assert (await world.complete("def f():\n    |\n")).text == "a = 1"
    world = worlds("a = 1\n    b = so")
    assert (await world.complete("def f():\n    |\n")).text == "a = 1\n    b = so"


async def test_switched_off_it_answers_only_when_asked_explicitly(worlds) -> None:
    world = worlds("1\n", enable=False)
    assert await world.complete("x = |\n") is None
    assert (await world.complete("x = |\n", explicit=True)).text == "1"


async def test_without_a_model_there_is_no_completion() -> None:
    models = fake_models(FakeWorker("x"))
    without = Settings(completion=CompletionSettings(model=""))
    completer = Completer(models.named_by(without), FakeRetrieval(), without.completion)
    assert await completer.complete(Cursor(Document("/a.py", "x = ", 1, "python"), 4), VIEW, explicit=True) is None
    await models.close()


async def test_a_result_with_new_syntax_errors_is_not_shown(worlds) -> None:
    assert await worlds("def def\n").complete("x = |\ny = 2\n") is None


async def test_the_same_place_is_answered_from_what_was_kept(worlds) -> None:
    world = worlds("compute(1)\n")
    await world.complete("x = |\n")
    again = await world.complete("x = |\n", version=2)
    assert again == Completion("compute(1)", 4, 4, 2, "fim")
    assert len(world.worker.prompts) == 1


async def test_what_was_suggested_and_is_typed_is_served_on_at_once(worlds) -> None:
    world = worlds("compute(1)\n", "other\n")
    await world.complete("x = |\n")
    for typed in range(1, len("compute(1)")):
        found = await world.complete(f"x = {'compute(1)'[:typed]}|\n")
        assert (found.text, found.start) == ("compute(1)"[typed:], 4 + typed)
    assert len(world.worker.prompts) == 1
    assert (await world.complete("x = coX|\n")).text == "other"
    assert len(world.worker.prompts) == 2


async def test_another_suffix_or_another_document_is_another_question(worlds) -> None:
    world = worlds("one\n", "two\n")
    assert (await world.complete("x = |\n")).text == "one"
    assert (await world.complete("x = |\nz = 3\n")).text == "two"


async def test_an_empty_answer_is_kept_too(worlds) -> None:
    world = worlds("\n")
    assert await world.complete("x = 1|\n") is None
    assert await world.complete("x = 1|\n") is None
    assert len(world.worker.prompts) == 1


async def test_a_closed_document_is_forgotten(worlds) -> None:
    world = worlds("1\n")
    await world.complete("x = |\n")
    world.completer.forget(str(ROOT / "a.py"))
    await world.complete("x = |\n")
    assert len(world.worker.prompts) == 2


async def test_the_latest_request_of_a_document_wins(worlds) -> None:
    gate = asyncio.Semaphore(0)
    world = worlds("first one of many words\n", "second\n", gate=gate)
    first = asyncio.create_task(world.complete("x = |\n"))
    await world.worker.asked.wait()
    second = asyncio.create_task(world.complete("xy = |\n"))
    assert await first is None
    release(gate, 10)
    assert (await second).text == "second"
    assert world.worker.ended == 2
    assert world.worker.pieces <= 3  # one of the first at most, and the second's


async def test_cancelling_the_request_stops_the_model(worlds) -> None:
    gate = asyncio.Semaphore(0)
    world = worlds("a b c d e f\n", gate=gate)
    request = asyncio.create_task(world.complete("x = |\n"))
    await world.worker.asked.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    release(gate, 100)
    assert world.worker.pieces <= 1


async def test_a_failing_model_is_an_error_not_silence(worlds) -> None:
    with pytest.raises(ModelError, match="broken"):
        await worlds(ModelError("broken")).complete("x = |\n")


async def test_definitions_of_the_names_at_the_cursor_are_offered(worlds) -> None:
    world = worlds("1)\n")
    await world.complete("from lib.helpers import helper\n\ny = 3\nx = helper(|\n")
    prompt = world.worker.prompts[0]
    assert isinstance(prompt, InfillPrompt)
    assert prompt.path == "a.py"
    assert [(file.path, file.text) for file in prompt.context] == [("lib/helpers.py", "def helper(x: int) -> int:")]
    assert world.retrieval.queries == []  # nothing is embedded or searched


async def test_context_can_be_switched_off(worlds) -> None:
    world = worlds("1)\n", context=False)
    await world.complete("x = helper(|\n")
    assert world.worker.prompts[0].context == ()
    assert world.retrieval.names == []


async def test_secrets_do_not_reach_the_model(worlds) -> None:
    world = worlds("1\n")
    await world.complete('key = "ghp_' + "a1B2" * 9 + '"\nx = |\n')
    assert "a1B2a1B2" not in world.worker.prompts[0].prefix
