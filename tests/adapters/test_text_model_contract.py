"""What every `TextModel` does, the fake included.

MLX arrays belong to the thread that made them; everything runs on the test's own thread here.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.text_model import FakeTextModel, end, run, text
from tests.support.tiny_model import make_model

from impetus.adapters.mlx_model import load_model
from impetus.domain.ports import TextModel
from impetus.domain.types import (
    ChatPrompt,
    End,
    FinishReason,
    InfillPrompt,
    Message,
    Piece,
    Prefill,
    Priority,
    Role,
    Sampling,
    TextPrompt,
)
from impetus.errors import BadRequest, ContextOverflow

TYPING, CHAT, INDEX = Priority.TYPING, Priority.CHAT, Priority.INDEX
GREEDY = Sampling(max_tokens=6, temperature=0.0)
SHORT = TextPrompt("class Thing:\n    value = ")
LONG = TextPrompt("for item in items:\n    pass\n" * 150)  # several chunks

Make = Callable[[], TextModel]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny", context=2048)


@pytest.fixture(params=["fake", "mlx"])
def make(request: pytest.FixtureRequest, folder: Path) -> Make:
    if request.param == "fake":
        return lambda: FakeTextModel("one two three four five six seven eight", context_length=2048)
    return lambda: load_model(folder)


@pytest.fixture
def model(make: Make) -> TextModel:
    return make()


def test_steps_are_prefill_then_pieces_then_end(model: TextModel) -> None:
    model.start(1, SHORT, GREEDY, CHAT)
    steps = run(model)[1]
    kinds = [type(step) for step in steps]
    assert kinds == [Prefill] * kinds.count(Prefill) + [Piece] * 6 + [End]
    assert kinds.count(Prefill) >= 1
    assert text(steps)
    assert end(steps).reason is FinishReason.LENGTH
    assert end(steps).usage.completion_tokens == 6
    assert end(steps).usage.prompt_tokens >= 3
    assert model.waiting() is None


def test_a_long_prompt_is_read_in_chunks_and_says_how_far_it_is(model: TextModel) -> None:
    model.start(1, LONG, GREEDY, CHAT)
    prefills = [step for step in run(model)[1] if isinstance(step, Prefill)]
    done = [step.done for step in prefills]
    assert len(done) > 2
    assert done == sorted(set(done))
    assert {step.total for step in prefills} == {done[-1]}
    assert max(after - before for before, after in zip([0, *done], done, strict=False)) <= 256


@pytest.mark.parametrize("prompt", [SHORT, ChatPrompt((Message(Role.USER, "hello"),)), InfillPrompt("a = ", "\nb = 1")])
def test_every_kind_of_prompt_is_answered(model: TextModel, prompt: TextPrompt | ChatPrompt | InfillPrompt) -> None:
    model.start(1, prompt, Sampling(max_tokens=3, temperature=0.0), CHAT)
    assert end(run(model)[1]).usage.prompt_tokens > 0


def test_start_computes_nothing(model: TextModel) -> None:
    model.start(1, LONG, GREEDY, CHAT)
    assert model.counters.steps == 0
    assert model.waiting() is CHAT


def test_the_most_urgent_priority_waits_first_and_a_step_serves_it_alone(model: TextModel) -> None:
    assert model.waiting() is None
    model.start(1, LONG, GREEDY, INDEX)
    model.start(2, SHORT, GREEDY, CHAT)
    assert model.waiting() is CHAT
    model.start(3, SHORT, GREEDY, TYPING)
    assert model.waiting() is TYPING
    served = []
    while (priority := model.waiting()) is not None:
        served += [(priority, number) for number, _ in model.step(priority)]
    assert list(dict.fromkeys(served)) == [(TYPING, 3), (CHAT, 2), (INDEX, 1)]


def test_sequences_decode_together(make: Make) -> None:
    alone = make()
    alone.start(1, SHORT, GREEDY, CHAT)
    run(alone)
    together = make()
    for number in range(4):
        together.start(number, SHORT, GREEDY, CHAT)
    steps = run(together)
    assert {end(given).usage.completion_tokens for given in steps.values()} == {6}
    assert together.counters.steps < 3 * alone.counters.steps


def test_a_cancelled_sequence_computes_no_further_step(model: TextModel) -> None:
    for number, prompt in ((1, LONG), (2, SHORT)):
        model.start(number, prompt, GREEDY, CHAT)
        model.step(CHAT)
        before = model.counters.steps
        model.cancel(number)
        assert model.waiting() is None
        assert model.counters.steps == before


def test_cancelling_one_leaves_the_others_as_they_are(make: Make) -> None:
    other = TextPrompt("def function(argument):\n    return ")
    expected = make()
    expected.start(1, other, GREEDY, CHAT)
    wanted = text(run(expected)[1])
    model = make()
    for number, prompt in ((1, other), (2, SHORT), (3, LONG)):
        model.start(number, prompt, GREEDY, CHAT)
    given = []
    while len(given) < 6:
        given += model.step(CHAT)
    model.cancel(2)
    model.cancel(3)
    model.cancel(77)
    while model.waiting() is not None:
        rest = model.step(CHAT)
        assert {number for number, _ in rest} <= {1}
        given += rest
    assert text([step for number, step in given if number == 1]) == wanted


def test_a_draft_changes_nothing_that_is_said(make: Make) -> None:
    model, alone, draft = make(), make(), make()
    model.start(1, SHORT, GREEDY, CHAT, draft)
    alone.start(1, SHORT, GREEDY, CHAT)
    found, expected = run(model)[1], run(alone)[1]
    assert (text(found), end(found)) == (text(expected), end(expected))


def test_a_retry_goes_on_where_the_cancelled_one_was(model: TextModel) -> None:
    model.start(1, LONG, GREEDY, CHAT)
    model.step(CHAT)
    model.step(CHAT)
    model.cancel(1)
    read = model.counters.prefill_tokens
    model.start(2, LONG, GREEDY, CHAT)
    usage = end(run(model)[2]).usage
    assert usage.cached_tokens == read > 0
    assert model.counters.reused_tokens == read
    assert model.counters.prefill_tokens == usage.prompt_tokens


def test_what_is_read_and_what_is_reused_add_up_to_the_prompts(model: TextModel) -> None:
    total = 0
    for number, prompt in enumerate((SHORT, LONG, SHORT, TextPrompt(LONG.text + "class "))):
        model.start(number, prompt, GREEDY, CHAT)
        total += end(run(model)[number]).usage.prompt_tokens
    assert model.counters.prefill_tokens + model.counters.reused_tokens == total
    assert model.counters.reused_tokens > total / 3


def test_trimmed_caches_are_read_again(model: TextModel) -> None:
    model.start(1, LONG, GREEDY, CHAT)
    run(model)
    full = model.nbytes
    cached = model.cached
    model.trim(0)
    assert model.nbytes == full - cached < full
    model.start(2, LONG, GREEDY, CHAT)
    assert end(run(model)[2]).usage.cached_tokens == 0


def test_the_text_ends_before_a_stop_string(make: Make) -> None:
    first = make()
    first.start(1, SHORT, GREEDY, CHAT)
    whole = text(run(first)[1])
    stop = whole[3:5]
    model = make()
    model.start(1, SHORT, Sampling(max_tokens=6, temperature=0.0, stop=(stop,)), CHAT)
    steps = run(model)[1]
    assert text(steps) == whole[: whole.index(stop)]
    assert end(steps).reason is FinishReason.STOP


def test_what_cannot_be_answered_is_refused_and_costs_the_others_nothing(model: TextModel) -> None:
    model.start(1, SHORT, GREEDY, CHAT)
    with pytest.raises(ContextOverflow) as refused:
        model.start(2, TextPrompt("x = 1\n" * 2000), GREEDY, CHAT)
    assert refused.value.limit == model.context_length == 2048
    assert refused.value.requested > 2048
    with pytest.raises(BadRequest):
        model.start(3, TextPrompt(""), GREEDY, CHAT)
    assert set(run(model)) == {1}


def test_a_closed_model_holds_no_sequence(model: TextModel) -> None:
    model.start(1, SHORT, GREEDY, CHAT)
    run(model)
    model.close()
