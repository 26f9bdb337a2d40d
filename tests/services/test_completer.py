"""Completion: what is shown, what is kept, who wins."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.fakes import FakeRetrieval, FakeWorker, fake_models

from impetus.config import CompletionSettings, Settings
from impetus.domain.completion import LEAST_CERTAIN
from impetus.domain.types import Completion, Cursor, Definition, Document, FinishReason, Hit, InfillPrompt, SymbolHit
from impetus.errors import ModelError
from impetus.services.completer import Completer
from impetus.services.workspace import View

ROOT = Path("/project")
VIEW = View((ROOT,), {})
HELPER = Definition("helper", "function", 0, 30, 1, 2, 1, (), "def helper(x: int) -> int:", "Helps.")


class Pauses:
    """Stands for the clock and for sleeping: time passes only when somebody sleeps or a test says so."""

    def __init__(self) -> None:
        self.time = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.time

    async def pause(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)
            self.time += seconds
        await asyncio.sleep(0)


class World:
    def __init__(
        self,
        *answers: str | Exception,
        gate: asyncio.Semaphore | None = None,
        logprob: float | None = None,
        ends: FinishReason = FinishReason.STOP,
        similar: Sequence[Hit] = (),
        **settings: bool,
    ) -> None:
        self.worker = FakeWorker(*answers, gate=gate, logprob=logprob, ends=ends)
        self.models = fake_models(self.worker)
        self.retrieval = FakeRetrieval(definitions=[SymbolHit(ROOT, "lib/helpers.py", HELPER)], snippets=similar)
        self.pauses = Pauses()
        chosen = CompletionSettings(**{"ahead": False, **settings})  # type: ignore[arg-type]
        models = self.models.named_by(Settings(completion=chosen))
        self.completer = Completer(models, self.retrieval, chosen, clock=self.pauses.clock, pause=self.pauses.pause)
        self.document: Document | None = None  # what the editor has now

    def ask(self, marked: str, *, version: int = 1, explicit: bool = False) -> Coroutine[Any, Any, Completion | None]:
        """`|` is the cursor."""
        self.document = Document(str(ROOT / "a.py"), marked.replace("|", "", 1), version, "python")
        return self.completer.complete(
            Cursor(self.document, marked.index("|")),
            VIEW,
            explicit=explicit,
            now=lambda: self.document,
        )

    async def complete(self, marked: str, **more: Any) -> Completion | None:
        return await self.ask(marked, **more)


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
    models, chosen = fake_models(FakeWorker()), CompletionSettings(model="")
    completer = Completer(models.named_by(Settings(completion=chosen)), FakeRetrieval(), chosen)
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


async def test_a_completion_that_agrees_with_what_is_typed_is_not_computed_again(worlds) -> None:
    gate = asyncio.Semaphore(1)
    world = worlds("compute the rest\n", gate=gate)
    first = asyncio.create_task(world.complete("x = |\n"))
    await world.worker.asked.wait()
    second = asyncio.create_task(world.complete("x = c|\n", version=2))
    third = asyncio.create_task(world.complete("x = comp|\n", version=3))
    assert await first is None
    assert await second is None
    release(gate, 10)
    assert await third == Completion("ute the rest", 8, 8, 3, "fim")
    assert len(world.worker.prompts) == 1


async def test_a_completion_that_turns_out_otherwise_is_started_anew(worlds) -> None:
    gate = asyncio.Semaphore(0)
    world = worlds("compute " + "more " * 50, "nt\n", gate=gate)
    first = asyncio.create_task(world.complete("x = |\n"))
    await world.worker.asked.wait()
    second = asyncio.create_task(world.complete("x = cou|\n"))
    assert await first is None
    release(gate, 100)
    assert (await second).text == "nt"
    assert len(world.worker.prompts) == 2


@pytest.mark.parametrize("written", ["compute " * 9, "def def"])
async def test_what_was_written_and_not_shown_is_asked_for_anew_when_it_is_typed(worlds, written: str) -> None:
    world = worlds(f"{written}\n", "other\n")
    assert await world.complete("x = |\ny = 2\n") is None
    async with asyncio.timeout(5):
        assert (await world.complete(f"x = {written[:2]}|\ny = 2\n")).text == "other"
    assert len(world.worker.prompts) == 2


async def test_cancelling_the_request_stops_the_model(worlds) -> None:
    gate = asyncio.Semaphore(0)
    world = worlds("a b c d e f\n", gate=gate)
    request = asyncio.create_task(world.complete("x = |\n"))
    await world.worker.asked.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    release(gate, 10)
    assert world.worker.pieces <= 1


async def test_a_cancelled_one_goes_on_for_the_request_that_follows_it(worlds) -> None:
    gate = asyncio.Semaphore(0)
    world = worlds("compute the rest\n", gate=gate)
    request = asyncio.create_task(world.complete("x = |\n"))
    await world.worker.asked.wait()
    following = world.ask("x = c|\n")  # the text has changed, the editor cancels, and asks again
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    release(gate, 10)
    assert (await following).text == "ompute the rest"
    assert len(world.worker.prompts) == 1


async def test_one_that_is_overtaken_before_it_began_is_never_begun(worlds) -> None:
    world = worlds("1\n")
    requests = [asyncio.create_task(world.complete(f"x{'y' * i} = |\n")) for i in range(4)]
    answers = await asyncio.gather(*requests)
    assert [answer and answer.text for answer in answers] == [None, None, None, "1"]
    assert len(world.worker.prompts) == 1


async def test_a_failing_model_is_an_error_not_silence(worlds) -> None:
    with pytest.raises(ModelError, match="broken"):
        await worlds(ModelError("broken")).complete("x = |\n")


async def test_after_a_failure_the_next_request_tries_again(worlds) -> None:
    world = worlds(ModelError("broken"), "1\n")
    with pytest.raises(ModelError):
        await world.complete("x = |\n")
    assert (await world.complete("x = |\n")).text == "1"


async def test_the_next_completion_is_computed_while_one_is_shown(worlds) -> None:
    world = worlds("1\n", "y = 2\n", ahead=True)
    assert (await world.complete("x = |\nz = 3\n")).text == "1"
    await asyncio.to_thread(lambda: None)
    assert (await world.complete("x = 1\n|\nz = 3\n")).text == "y = 2"
    assert world.worker.prompts[1].prefix == "x = 1\n"


async def test_other_completions_are_drawn_and_differ(worlds) -> None:
    world = worlds("1\n", "2\n", "1\n")
    document = Document(str(ROOT / "a.py"), "x = \n", 1, "python")
    others = await world.completer.others(Cursor(document, 4), VIEW, 3)
    assert sorted(other.text for other in others) == ["1", "2"]
    assert all(sampling.temperature > 0 for sampling in world.worker.samplings)
    assert len({sampling.seed for sampling in world.worker.samplings}) == 3


async def test_definitions_of_the_names_at_the_cursor_are_offered(worlds) -> None:
    world = worlds("1)\n")
    await world.complete("from lib.helpers import helper\n\ny = 3\nx = helper(|\n")
    prompt = world.worker.prompts[0]
    assert isinstance(prompt, InfillPrompt)
    assert prompt.path == "a.py"
    assert [(file.path, file.text) for file in prompt.context] == [("lib/helpers.py", "def helper(x: int) -> int:")]
    assert world.retrieval.queries == []  # nothing is embedded


async def test_similar_code_comes_before_definitions_and_only_where_it_says_something_new(worlds) -> None:
    similar = Hit(ROOT, "lib/other.py", 1, 2, 1.0, "total = helper(price)\nship(total, price)", "python")
    known = Hit(ROOT, "lib/known.py", 1, 1, 0.9, "price = 3\ntotal = helper(price)", "python")
    unrelated = Hit(ROOT, "lib/far.py", 1, 1, 0.8, "def nothing_of_it(): ...", "python")
    world = worlds("1)\n", similar=[similar, known, unrelated])
    await world.complete("price = 3\ntotal = helper(price)\nship(|\n")
    assert [file.path for file in world.worker.prompts[0].context] == ["lib/other.py", "lib/helpers.py"]
    assert {"helper", "price", "total"} <= set(world.retrieval.asked[0].near)


async def test_the_context_stays_while_the_cursor_is_near(worlds) -> None:
    world = worlds("1\n", "2\n", "3\n")
    await world.complete("x = helper(|\n")
    await world.complete("x = helper(1)\ny = |\n")
    assert len(world.retrieval.asked) == 1
    await world.complete("x = helper(1)\n" + "\n" * 16 + "y = |\n")
    assert len(world.retrieval.asked) == 2


async def test_context_can_be_switched_off(worlds) -> None:
    world = worlds("1)\n", context=False)
    await world.complete("x = helper(|\n")
    assert world.worker.prompts[0].context == ()
    assert world.retrieval.names == []


async def test_secrets_do_not_reach_the_model(worlds) -> None:
    world = worlds("1\n")
    await world.complete('key = "ghp_' + "a1B2" * 9 + '"\nx = |\n')
    assert "a1B2a1B2" not in world.worker.prompts[0].prefix
