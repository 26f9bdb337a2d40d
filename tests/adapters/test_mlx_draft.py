"""Speculative decoding on tiny random models: a model is its own draft, whose guesses are right, or another one is,
whose guesses are mostly wrong. What is written is the same, and the counters tell what it took.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.text_model import end, run, text
from tests.support.tiny_model import make_model, make_tokenizer

from impetus.adapters import mlx_loader
from impetus.adapters.mlx_model import PREFIX_BYTES, load_model
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain.ports import TextModel
from impetus.domain.types import (
    ANY_OBJECT,
    End,
    FinishReason,
    Piece,
    Priority,
    Prompt,
    Sampling,
    Step,
    TextPrompt,
)
from impetus.errors import BadRequest, ModelError

CHAT, TYPING = Priority.CHAT, Priority.TYPING
CONTEXT = 2048
ONE = TextPrompt("def function(argument):\n    return ")
TWO = TextPrompt("class Thing:\n    value = ")
LONG = TextPrompt("for item in items:\n    pass\n" * 150)  # longer than the draft reads in one step
GREEDY = Sampling(max_tokens=40, temperature=0.0)


@dataclass(frozen=True)
class Folders:
    model: Path
    other: Path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    root = tmp_path_factory.mktemp("models")
    return Folders(make_model(root / "model", context=CONTEXT), make_model(root / "other", context=CONTEXT, seed=8))


def plain(folders: Folders, prompt: Prompt, sampling: Sampling = GREEDY) -> list[Step]:
    model = load_model(folders.model)
    model.start(0, prompt, sampling, CHAT)
    return run(model)[0]


def drafted(model: TextModel, draft: TextModel, prompt: Prompt, sampling: Sampling = GREEDY) -> list[Step]:
    model.start(0, prompt, sampling, CHAT, draft)
    return run(model)[0]


@pytest.mark.parametrize("prompt", [ONE, TWO, LONG], ids=["one", "two", "long"])
@pytest.mark.parametrize(
    "sampling",
    [
        GREEDY,
        Sampling(max_tokens=40, temperature=1.0, seed=3),
        Sampling(max_tokens=40, temperature=0.7, top_k=20, top_p=0.9, min_p=0.01, seed=4),
        Sampling(max_tokens=40, temperature=0.0, repetition_penalty=3.0, frequency_penalty=0.5, presence_penalty=0.2),
        Sampling(max_tokens=40, temperature=0.5, seed=5, logit_bias=((70, 3.0),)),
    ],
    ids=["greedy", "sampled", "narrowed", "penalties", "bias"],
)
def test_the_text_is_the_same_with_any_draft_and_without(folders: Folders, prompt: Prompt, sampling: Sampling) -> None:
    expected = plain(folders, prompt, sampling)
    for folder in (folders.model, folders.other):
        model = load_model(folders.model)
        found = drafted(model, load_model(folder), prompt, sampling)
        assert text(found) == text(expected), folder.name
        assert end(found) == end(expected)
        assert model.counters.drafted_tokens > 0


def test_right_guesses_save_runs_and_wrong_ones_cost_none(folders: Folders) -> None:
    counters = {}
    for name, draft in (("none", None), ("itself", folders.model), ("other", folders.other)):
        model = load_model(folders.model)
        model.start(0, ONE, GREEDY, CHAT, load_model(draft) if draft is not None else None)
        run(model)
        counters[name] = model.counters
    assert counters["none"].drafted_tokens == 0
    itself, other = counters["itself"], counters["other"]
    assert itself.accepted_tokens == itself.drafted_tokens
    assert itself.steps <= counters["none"].steps / 3
    assert other.accepted_tokens < other.drafted_tokens / 4
    assert other.steps <= counters["none"].steps


def test_the_settings_of_logprobs_are_kept(folders: Folders) -> None:
    for temperature in (0.0, 1.0):
        sampling = Sampling(max_tokens=12, temperature=temperature, seed=1, top_logprobs=3)
        expected = [step for step in plain(folders, ONE, sampling) if isinstance(step, Piece)]
        model = load_model(folders.model)
        found = [step for step in drafted(model, load_model(folders.model), ONE, sampling) if isinstance(step, Piece)]
        assert [piece.text for piece in found] == [piece.text for piece in expected]
        for piece, other in zip(found, expected, strict=True):
            assert piece.logprob == pytest.approx(other.logprob, abs=1e-4)
            assert [score.data for score in piece.scores] == [score.data for score in other.scores]
            values = [score.logprob for score in other.scores]
            assert [score.logprob for score in piece.scores] == pytest.approx(values, abs=1e-4)


@pytest.mark.parametrize("most", range(1, 11))
def test_the_answer_ends_where_it_may_go_no_further(folders: Folders, most: int) -> None:
    model, draft = load_model(folders.model), load_model(folders.model)
    sampling = Sampling(max_tokens=most, temperature=0.0)
    found = drafted(model, draft, ONE, sampling)
    assert end(found).usage.completion_tokens == most
    assert end(found).reason is FinishReason.LENGTH
    assert text(found) == text(plain(folders, ONE, sampling))


@pytest.mark.parametrize("place", range(6, 14))
def test_a_stop_in_the_middle_of_right_guesses_ends_there_and_leaves_the_caches_true(
    folders: Folders, place: int
) -> None:
    whole = text(plain(folders, ONE))
    sampling = Sampling(max_tokens=40, temperature=0.0, stop=(whole[place : place + 3],))
    model, draft = load_model(folders.model), load_model(folders.model)
    found = drafted(model, draft, ONE, sampling)
    assert [text(found), end(found)] == [text(plain(folders, ONE, sampling)), end(plain(folders, ONE, sampling))]
    follow = TextPrompt(ONE.text + whole[:place] + "class Thing:")
    again = drafted(model, draft, follow)
    assert text(again) == text(plain(folders, follow))
    assert end(again).usage.cached_tokens > 0


def test_caches_hold_exactly_their_tokens_wherever_an_answer_ends(folders: Folders) -> None:
    """The prefix cache is asked for all that was written; what it gives must go on as if it were read anew."""
    biased = ((70, 100.0),)  # text that is tokenized as it was written
    for most in range(2, 9):
        model, draft = load_model(folders.model), load_model(folders.model)
        found = text(drafted(model, draft, ONE, Sampling(max_tokens=most, temperature=0.0, logit_bias=biased)))
        follow = TextPrompt(ONE.text + found + "\nclass Thing:")
        again = drafted(model, draft, follow)
        assert text(again) == text(plain(folders, follow))
        assert end(again).usage.cached_tokens >= end(again).usage.prompt_tokens - 8


def test_an_end_token_among_right_guesses_ends_the_answer(folders: Folders, tmp_path: Path) -> None:
    pieces = [step.text for step in plain(folders, ONE) if isinstance(step, Piece)]
    ending = make_model(tmp_path / "ending", context=CONTEXT)
    tokenizer = ModelTokenizer(ending, {"model_type": "qwen3"})
    config = (ending / "config.json").read_text("utf-8")
    last = tokenizer.encode(next(piece for piece in pieces[5:] if len(tokenizer.encode(piece)) == 1))
    (ending / "config.json").write_text(config.replace('"eos_token_id": 2', f'"eos_token_id": {last[0]}'), "utf-8")
    model = load_model(ending)
    model.start(0, ONE, GREEDY, CHAT)
    expected = run(model)[0]
    model = load_model(ending)
    found = drafted(model, load_model(folders.model), ONE)
    assert (text(found), end(found)) == (text(expected), end(expected))
    assert end(found).reason is FinishReason.STOP


# -- together ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", ["model", "other"])
@pytest.mark.parametrize("turns", [1, 2, 3, 5])
def test_others_may_join_and_leave_in_the_middle(folders: Folders, draft: str, turns: int) -> None:
    model, small = load_model(folders.model), load_model(getattr(folders, draft))
    model.start(1, LONG, GREEDY, CHAT, small)
    given: dict[int, list[Step]] = {}

    def take(steps: Any) -> None:
        for number, step in steps:
            given.setdefault(number, []).append(step)

    while sum(isinstance(step, Piece) for step in given.get(1, [])) < turns:
        take(model.step(CHAT))
    model.start(2, TWO, Sampling(max_tokens=9, temperature=0.0), CHAT, small)
    model.start(3, ONE, Sampling(max_tokens=60, temperature=1.0, seed=2), CHAT)
    for _ in range(12):
        take(model.step(CHAT))
    model.cancel(3)
    for number, steps in run(model).items():
        given.setdefault(number, []).extend(steps)
    assert text(given[1]) == text(plain(folders, LONG))
    assert text(given[2]) == text(plain(folders, TWO, Sampling(max_tokens=9, temperature=0.0)))
    assert model.waiting() is None
    if draft == "model":
        assert model.counters.accepted_tokens == model.counters.drafted_tokens > 0


def test_a_cancelled_answer_stops_within_a_step_and_is_taken_up_again(folders: Folders) -> None:
    model, draft = load_model(folders.model), load_model(folders.model)
    model.start(1, LONG, GREEDY, CHAT, draft)
    given: list[tuple[int, Step]] = []
    while sum(isinstance(step, Piece) for _, step in given) < 20:
        given += model.step(CHAT)
    before = model.counters.steps
    model.cancel(1)
    assert model.waiting() is None
    assert model.step(CHAT) == []
    assert model.counters.steps == before
    again = drafted(model, draft, LONG)
    assert text(again) == text(plain(folders, LONG))
    assert end(again).usage.cached_tokens == end(again).usage.prompt_tokens - 1


def test_a_step_runs_the_network_once(folders: Folders) -> None:
    model, draft = load_model(folders.model), load_model(folders.other)
    model.start(1, LONG, GREEDY, CHAT, draft)
    while model.waiting() is not None:
        before = model.counters.steps
        model.step(CHAT)
        assert model.counters.steps - before <= 1 or model.counters.drafted_tokens == 0  # one ahead until it drafts


def test_the_next_turn_finds_what_the_draft_has_read(folders: Folders) -> None:
    model, draft = load_model(folders.model), load_model(folders.model)
    drafted(model, draft, LONG)
    held = draft.nbytes
    drafted(model, draft, TextPrompt(LONG.text + "class Thing:"), Sampling(max_tokens=4, temperature=0.0))
    assert model.counters.drafted_tokens > 0
    assert draft.nbytes < 1.2 * held, "one conversation, kept once"


# -- where there is nothing to draft -----------------------------------------------------------------------------------


def test_a_grammar_decodes_as_ever(folders: Folders) -> None:
    sampling = Sampling(max_tokens=30, temperature=0.0, grammar=ANY_OBJECT)
    model = load_model(folders.model)
    found = drafted(model, load_model(folders.model), ONE, sampling)
    assert text(found) == text(plain(folders, ONE, sampling))
    assert model.counters.drafted_tokens == 0


class Network:
    """The tiny network with caches of another kind, or one that fails when told to."""

    def __init__(self, inner: Any, make_cache: Callable[[], Any]) -> None:
        self._inner = inner
        self._make_cache = make_cache
        self.failing = False

    def __call__(self, tokens: Any, cache: Any) -> Any:
        if self.failing:
            raise RuntimeError("[malloc] Unable to allocate 9999 bytes.")
        return self._inner(tokens, cache=cache)

    def make_cache(self) -> Any:
        return [self._make_cache() for _ in self._inner.layers]

    def parameters(self) -> Any:
        return self._inner.parameters()


@pytest.mark.parametrize("windowed", ["model", "draft"])
def test_caches_that_cannot_be_trimmed_decode_as_ever(folders: Folders, windowed: str) -> None:
    config = mlx_loader.read_config(folders.model)
    network = mlx_loader.load_network(folders.model, config)
    from mlx_lm.models.cache import RotatingKVCache

    from impetus.adapters.mlx_text_model import MlxTextModel

    window = Network(network, lambda: RotatingKVCache(max_size=64))

    def make(folder: Path, *, windows: bool) -> TextModel:
        if not windows:
            return load_model(folder)
        return MlxTextModel(window, ModelTokenizer(folder, config), CONTEXT, "windows", PREFIX_BYTES)

    model = make(folders.model, windows=windowed == "model")
    alone = make(folders.model, windows=windowed == "model")
    alone.start(0, LONG, GREEDY, CHAT)
    found = drafted(model, make(folders.model, windows=windowed == "draft"), LONG)
    assert text(found) == text(run(alone)[0])
    assert model.counters.drafted_tokens == 0


def test_caches_of_fewer_bits_are_drafted_too(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "wide", context=CONTEXT, shape={"head_dim": 64})
    alone, model = load_model(folder, cache_bits=8), load_model(folder, cache_bits=8)
    alone.start(0, ONE, GREEDY, CHAT)
    found = drafted(model, load_model(folder, cache_bits=8), ONE)
    assert text(found) == text(run(alone)[0])
    assert model.counters.accepted_tokens > 0


def test_a_draft_of_a_shorter_context_helps_as_far_as_it_reaches(folders: Folders, tmp_path: Path) -> None:
    short = load_model(make_model(tmp_path / "short", context=32))
    model = load_model(folders.model)
    assert text(drafted(model, short, ONE)) == text(plain(folders, ONE))
    assert 0 < model.counters.drafted_tokens < 32


def test_a_draft_that_is_unloaded_is_gone_and_the_answer_goes_on(folders: Folders) -> None:
    model, draft = load_model(folders.model), load_model(folders.model)
    model.start(1, ONE, GREEDY, CHAT, draft)
    given: list[tuple[int, Step]] = []
    while model.counters.drafted_tokens == 0:
        given += model.step(CHAT)
    before = model.counters.drafted_tokens
    draft.close()
    rest = run(model)[1]
    assert text([step for _, step in given] + rest) == text(plain(folders, ONE))
    assert isinstance(rest[-1], End)
    assert model.counters.drafted_tokens == before


def test_a_draft_that_fails_costs_its_sequence_and_the_model_goes_on(folders: Folders) -> None:
    config = mlx_loader.read_config(folders.model)
    inner = mlx_loader.load_network(folders.model, config)
    from mlx_lm.models.cache import KVCache

    from impetus.adapters.mlx_text_model import MlxTextModel

    network = Network(inner, KVCache)
    draft = MlxTextModel(network, ModelTokenizer(folders.model, config), CONTEXT, "small", PREFIX_BYTES)
    model = load_model(folders.model)
    model.start(1, ONE, GREEDY, CHAT, draft)
    while model.counters.drafted_tokens == 0:
        model.step(CHAT)
    network.failing = True
    with pytest.raises(ModelError, match="Unable to allocate") as failed:
        model.step(CHAT)
    assert failed.value.numbers == (1,)
    assert model.waiting() is None
    network.failing = False
    assert text(drafted(model, draft, ONE)) == text(plain(folders, ONE))


def test_a_draft_with_other_tokens_is_refused_with_what_to_set(folders: Folders, tmp_path: Path) -> None:
    stranger = make_model(tmp_path / "stranger", context=CONTEXT)
    make_tokenizer(stranger, texts=("SELECT name FROM people WHERE age > 30;\n" * 5,))
    model = load_model(folders.model)
    with pytest.raises(BadRequest, match=r"stranger cannot draft for model.*set chat.draft_model"):
        model.start(1, ONE, GREEDY, CHAT, load_model(stranger))
    assert model.waiting() is None
