"""The MLX model on tiny random weights: same nonsense every time, so texts can be compared exactly.

MLX arrays belong to the thread that made them; everything runs on the test's own thread here.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.text_model import end, run, text
from tests.support.tiny_model import make_model, make_tokenizer

from impetus.adapters import mlx_loader
from impetus.adapters.mlx_model import PREFIX_BYTES, load_model
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain.answer_parts import AnswerForm
from impetus.domain.ports import Counters, TextModel
from impetus.domain.types import (
    ANY_OBJECT,
    ChatPrompt,
    End,
    FinishReason,
    InfillPrompt,
    JsonSchema,
    Message,
    Piece,
    Prefill,
    Priority,
    Prompt,
    Role,
    Sampling,
    Step,
    TextPrompt,
)
from impetus.errors import BadRequest, ModelError, ModelUnavailable

TYPING, CHAT = Priority.TYPING, Priority.CHAT
GREEDY = Sampling(max_tokens=12, temperature=0.0)
ONE = TextPrompt("def function(argument):\n    return ")
TWO = TextPrompt("class Thing:\n    value = ")
LONG = TextPrompt("for item in items:\n    pass\n" * 150)
CONTEXT = 2048


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny", context=CONTEXT)


@pytest.fixture
def model(folder: Path) -> TextModel:
    return load_model(folder)


class Network:
    """The tiny network with caches of another kind, or one that fails when told to."""

    def __init__(self, inner: Any, make_cache: Callable[[], Any]) -> None:
        self._inner = inner
        self._make_cache = make_cache
        self.fail_after: int | None = None  # runs

    def __call__(self, tokens: Any, cache: Any) -> Any:
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                self.fail_after = None
                raise RuntimeError("[malloc] Unable to allocate 9999 bytes.\nmore")
        return self._inner(tokens, cache=cache)

    def make_cache(self) -> Any:
        return [self._make_cache() for _ in self._inner.layers]

    def parameters(self) -> Any:
        return self._inner.parameters()


def with_network(folder: Path, make_cache: Callable[[], Any] | None = None) -> tuple[TextModel, Network]:
    config = mlx_loader.read_config(folder)
    inner = mlx_loader.load_network(folder, config)
    from mlx_lm.models.cache import KVCache

    from impetus.adapters.mlx_text_model import MlxTextModel

    network = Network(inner, make_cache or KVCache)
    return MlxTextModel(network, ModelTokenizer(folder, config), CONTEXT, "tiny", PREFIX_BYTES), network


def answer(model: TextModel, prompt: Prompt, sampling: Sampling = GREEDY, priority: Priority = CHAT) -> tuple[str, End]:
    model.start(0, prompt, sampling, priority)
    steps = run(model, 0)[0]
    return text(steps), end(steps)


def alone(folder: Path, prompt: Prompt, sampling: Sampling = GREEDY) -> str:
    return answer(load_model(folder), prompt, sampling)[0]


# -- together as alone -----------------------------------------------------------------------------------------------


def test_who_types_overtakes_a_long_prompt_and_both_write_what_they_would_alone(folder: Path) -> None:
    model = load_model(folder)
    model.start(1, LONG, GREEDY, CHAT)
    model.step(CHAT)
    model.step(CHAT)
    model.start(2, TWO, GREEDY, TYPING)
    before = model.counters.steps
    first: list[tuple[int, Step]] = []
    while not any(isinstance(step, Piece) for _, step in first):
        priority = model.waiting()
        assert priority is TYPING
        first += model.step(priority)
    assert model.counters.steps - before <= 3
    rest = run(model)
    assert text([step for _, step in first] + rest[2]) == alone(folder, TWO)
    assert text(rest[1]) == alone(folder, LONG)


PROMPTS = [ONE, TWO, LONG, TextPrompt("x"), TextPrompt("class Thing:\n" * 30), TextPrompt("pass\n" * 7)]


def test_a_batch_writes_what_each_would_alone(folder: Path) -> None:
    samplings = [
        Sampling(max_tokens=5 + 4 * i, temperature=temperature, seed=i)
        for i, temperature in enumerate((0.0, 0.0, 0.0, 1.0, 1.0, 0.0))
    ]
    model = load_model(folder)
    for number, (prompt, sampling) in enumerate(zip(PROMPTS, samplings, strict=True)):
        model.start(number, prompt, sampling, CHAT)
    found = run(model)
    for number, (prompt, sampling) in enumerate(zip(PROMPTS, samplings, strict=True)):
        assert text(found[number]) == alone(folder, prompt, sampling), number
        assert end(found[number]).usage.completion_tokens == sampling.max_tokens


def test_sequences_come_and_go_while_others_decode(folder: Path) -> None:
    model = load_model(folder)
    sampling = Sampling(max_tokens=40, temperature=0.0)
    model.start(0, ONE, sampling, CHAT)
    given: dict[int, list[Step]] = {}
    started = 1
    for turn in range(400):
        if turn % 9 == 4 and started < 6:
            model.start(started, PROMPTS[started], sampling, CHAT)
            started += 1
        if turn == 30:
            model.cancel(3)
        if model.waiting() is None:
            break
        for number, step in model.step(CHAT):
            given.setdefault(number, []).append(step)
    assert model.waiting() is None
    for number in (0, 1, 2, 4, 5):
        assert text(given[number]) == alone(folder, PROMPTS[number], sampling), number


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_what_was_cancelled_goes_on_as_if_nothing_had_happened(folder: Path, steps: int) -> None:
    model = load_model(folder)
    model.start(1, LONG, GREEDY, CHAT)
    for _ in range(steps):
        model.step(CHAT)
    model.cancel(1)
    found, last = answer(model, LONG)
    assert found == alone(folder, LONG)
    assert last.usage.cached_tokens >= min(256 * steps, last.usage.prompt_tokens - 1)


def test_a_cancelled_sequence_of_a_batch_is_kept_too(folder: Path) -> None:
    model = load_model(folder)
    for number, prompt in ((1, LONG), (2, TWO)):
        model.start(number, prompt, Sampling(max_tokens=60, temperature=0.0), CHAT)
    given: list[tuple[int, Step]] = []
    while not any(number == 1 and isinstance(step, Piece) for number, step in given):
        given += model.step(CHAT)
    model.cancel(1)
    assert answer(model, LONG)[1].usage.cached_tokens == end(run_again(folder)).usage.prompt_tokens - 1


def run_again(folder: Path) -> list[Step]:
    model = load_model(folder)
    model.start(1, LONG, GREEDY, CHAT)
    return run(model)[1]


# -- who waits for whom ----------------------------------------------------------------------------------------------


def test_a_short_question_does_not_wait_for_a_long_one(folder: Path) -> None:
    model = load_model(folder)
    model.start(1, LONG, GREEDY, CHAT)
    model.step(CHAT)
    model.start(2, TWO, GREEDY, CHAT)
    given: list[tuple[int, Step]] = []
    for _ in range(3):
        given += model.step(CHAT)
    assert any(number == 2 and isinstance(step, Piece) for number, step in given)
    assert not any(number == 1 and isinstance(step, Piece) for number, step in given)


def test_a_long_prompt_gets_through_among_many_short_ones(model: TextModel) -> None:
    model.start(0, LONG, Sampling(max_tokens=1), CHAT)
    for turn in range(1, 200):
        model.start(turn, TextPrompt(f"{turn} class Thing:"), Sampling(max_tokens=1), CHAT)
        if any(number == 0 and isinstance(step, End) for number, step in model.step(CHAT)):
            return
    pytest.fail("the long prompt was never read")


def test_more_sequences_than_rows_all_end(model: TextModel) -> None:
    for number in range(40):
        model.start(number, TextPrompt(f"{number} class Thing:"), Sampling(max_tokens=3, temperature=0.0), CHAT)
    found = run(model)
    assert len(found) == 40
    assert all(end(steps).usage.completion_tokens == 3 for steps in found.values())


def test_decoding_goes_on_while_a_prompt_is_read(model: TextModel) -> None:
    model.start(1, ONE, Sampling(max_tokens=50, temperature=0.0), CHAT)
    model.step(CHAT)
    model.start(2, LONG, GREEDY, CHAT)
    given = [pair for _ in range(6) for pair in model.step(CHAT)]
    pieces = [number for number, step in given if isinstance(step, Piece)]
    assert pieces.count(1) == 3
    assert sum(isinstance(step, Prefill) for _, step in given) == 3


# -- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_while_reading_costs_that_prompt_alone(folder: Path) -> None:
    model, network = with_network(folder)
    model.start(1, ONE, Sampling(max_tokens=30, temperature=0.0), CHAT)
    given: list[tuple[int, Step]] = [*model.step(CHAT), *model.step(CHAT)]
    model.start(2, LONG, GREEDY, CHAT)
    model.start(3, TWO, GREEDY, TYPING)
    network.fail_after = 0
    with pytest.raises(ModelError, match="Unable to allocate 9999 bytes") as failed:
        while True:
            given += model.step(CHAT)
            network.fail_after = 0
    assert failed.value.numbers in ((1,), (2,))
    left = {1, 2, 3} - set(failed.value.numbers)
    network.fail_after = None
    found = run(model)
    assert set(found) == left
    assert text(found[3]) == alone(folder, TWO)
    assert model.waiting() is None
    assert answer(model, LONG)[0] == alone(folder, LONG)


@pytest.mark.parametrize("runs", range(1, 7))
def test_a_failure_of_a_batch_costs_its_sequences_and_the_model_goes_on(folder: Path, runs: int) -> None:
    model, network = with_network(folder)
    for number, prompt in ((1, ONE), (2, TWO)):
        model.start(number, prompt, Sampling(max_tokens=30, temperature=0.0), CHAT)
    model.start(3, ONE, GREEDY, TYPING)
    given: list[Step] = []
    while sum(isinstance(step, Piece) for step in given) < 4:
        given += [step for _, step in model.step(CHAT)]
    network.fail_after = runs
    lost: tuple[int, ...] = ()
    while not lost:
        try:
            model.step(CHAT)
        except ModelError as error:
            lost = error.numbers
    assert sorted(lost) == [1, 2]
    assert model.waiting() is TYPING
    assert text(run(model)[3]) == alone(folder, ONE)
    for prompt in (ONE, TWO):
        assert answer(model, prompt)[0] == alone(folder, prompt)


def test_a_grammar_that_gives_up_costs_its_own_sequence_alone(folder: Path) -> None:
    network = mlx_loader.load_network(folder, mlx_loader.read_config(folder))
    from impetus.adapters.mlx_grammar import Grammars
    from impetus.adapters.mlx_lane import Lane, Shared
    from impetus.adapters.mlx_prefixes import PrefixCache
    from impetus.adapters.mlx_sampler import Sampler
    from impetus.adapters.mlx_sequence import Sequence

    tokenizer = ModelTokenizer(folder, {"model_type": "qwen3", "eos_token_id": 2})
    broken = Grammars(tokenizer.to_json(), tokenizer.end_ids).start(ANY_OBJECT)
    with pytest.raises(ModelError, match="simplify the schema"):
        broken.accept(tokenizer.encode("no object")[0])
    lane = Lane(Shared(network, PrefixCache(1 << 20), Counters()), moves=False)
    for number, grammar in ((1, None), (2, broken)):
        prompt = tokenizer.encode(ONE.text)
        sampler = Sampler(GREEDY, prompt, grammar)
        lane.add(Sequence(number, prompt, GREEDY, sampler, tokenizer, tokenizer.end_ids, 12, AnswerForm()))
    given: list[tuple[int, Step]] = []
    lost: tuple[int, ...] = ()
    while lane.busy:
        try:
            given += lane.step()
        except ModelError as error:
            lost += error.numbers
    assert lost == (2,)
    assert text([step for number, step in given if number == 1]) == alone(folder, ONE)


# -- caches ----------------------------------------------------------------------------------------------------------


def test_sequences_that_begin_alike_share_what_was_read_while_both_run(folder: Path) -> None:
    model = load_model(folder)
    for number, tail in enumerate(("class Thing:", "def function(", "for item in")):
        model.start(number, TextPrompt(LONG.text + tail), GREEDY, CHAT)
    found = run(model)
    cached = sorted(end(steps).usage.cached_tokens for steps in found.values())
    total = end(found[0]).usage.prompt_tokens
    assert cached[0] == 0
    assert min(cached[1:]) > total - 20
    for number, tail in enumerate(("class Thing:", "def function(", "for item in")):
        assert text(found[number]) == alone(folder, TextPrompt(LONG.text + tail))


def test_a_conversation_is_not_lost_to_one_that_shares_its_beginning_only(model: TextModel) -> None:
    for priority in (CHAT, TYPING):
        answer(model, LONG, priority=priority)
        answer(model, TextPrompt(LONG.text[:60] + "class Thing:"), priority=priority)
        _, last = answer(model, LONG, priority=priority)
        assert last.usage.cached_tokens == last.usage.prompt_tokens - 1


def test_the_next_turn_of_a_conversation_reads_only_what_is_new(model: TextModel) -> None:
    found, first = answer(model, LONG, Sampling(max_tokens=12, temperature=0.0, logit_bias=((70, 100.0),)))
    assert found == 12 * found[0]  # text that is tokenized as it was written
    _, second = answer(model, TextPrompt(LONG.text + found + "\nclass Thing:"))
    new = second.usage.prompt_tokens - first.usage.prompt_tokens - first.usage.completion_tokens
    assert second.usage.prompt_tokens - second.usage.cached_tokens <= new + 1


def test_the_caches_of_past_prompts_stay_within_their_budget(folder: Path) -> None:
    model = load_model(folder)
    answer(model, LONG)
    with_one = model.nbytes
    small = load_model(folder, prefix_bytes=(with_one - load_model(folder).nbytes) * 2)
    for i in range(6):
        answer(small, TextPrompt(f"{i} {LONG.text}"))
    assert small.nbytes < 4 * with_one
    assert answer(small, TextPrompt(f"5 {LONG.text}"))[1].usage.cached_tokens > 0
    assert answer(small, TextPrompt(f"0 {LONG.text}"))[1].usage.cached_tokens == 0


def test_a_prompt_larger_than_the_budget_drives_no_other_out(folder: Path) -> None:
    short = TextPrompt("class Thing:\n    value = 1\n" * 4)
    model = load_model(folder)
    answer(model, short)
    small = load_model(folder, prefix_bytes=model.cached * 3 // 2)
    answer(small, short)
    answer(small, TextPrompt("for item in items:\n    pass\n" * 60))
    assert answer(small, short)[1].usage.cached_tokens > 0


TYPED = "def function(argument):\n    value = argument\n    for item in items:\n        return item\n"


@pytest.mark.parametrize(("name", "share"), [("impetus-tiny", 0.9), ("qwen-tiny", 0.6)])
def test_typing_reads_only_what_changed(tmp_path: Path, name: str, share: float) -> None:
    """Suffix first: nearly nothing but what was typed. Prefix first: the suffix behind the cursor again each time."""
    folder = make_model(tmp_path / name, context=CONTEXT)
    model = load_model(folder)
    before = "class Thing:\n    value = 1\n\n" * 12
    after = "\n\nclass Thing:\n    value = 2\n" * 4
    prompt_tokens = 0
    for typed in range(len(TYPED)):
        prompt = InfillPrompt(before + TYPED[:typed], after, "thing.py")
        model.start(typed, prompt, Sampling(max_tokens=8, temperature=0.0), TYPING)
        given: list[tuple[int, Step]] = []
        while not any(isinstance(step, Piece | End) for _, step in given):
            given += model.step(TYPING)
        model.step(TYPING)
        model.cancel(typed)  # the next key is pressed before the answer is complete
        prompt_tokens += next(step.total for _, step in given if isinstance(step, Prefill))
    assert model.counters.reused_tokens / prompt_tokens > share
    last = InfillPrompt(before + TYPED, after, "thing.py")
    assert answer(model, last, priority=TYPING)[0] == alone(folder, last)


def test_caches_that_cannot_be_trimmed_or_batched_still_work(folder: Path) -> None:
    mlx_loader.prepare()
    from mlx_lm.models.cache import ChunkedKVCache, RotatingKVCache

    kinds: list[Callable[[], Any]] = [lambda: ChunkedKVCache(CONTEXT), lambda: RotatingKVCache(max_size=64)]
    for make_cache in kinds:
        expected = [answer(with_network(folder, make_cache)[0], prompt)[0] for prompt in PROMPTS]
        model, _ = with_network(folder, make_cache)
        for number, prompt in enumerate(PROMPTS):
            model.start(number, prompt, GREEDY, CHAT)
        found = run(model)
        assert [text(found[number]) for number in range(len(PROMPTS))] == expected
        model.start(9, LONG, GREEDY, CHAT)
        model.step(CHAT)
        model.cancel(9)
        assert answer(model, LONG)[0] == expected[2]


#: Sliding windows beside full attention, and layers that keep a state instead of keys and values.
FAMILIES: dict[str, dict[str, Any]] = {
    "gemma3_text": {
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 32,
        "sliding_window": 64,
        "sliding_window_pattern": 2,
    },
    "mamba2": {
        "num_hidden_layers": 2,
        "num_heads": 4,
        "head_dim": 32,
        "state_size": 16,
        "conv_kernel": 4,
        "n_groups": 1,
        "use_bias": False,
        "use_conv_bias": True,
        "time_step_limit": [0.0, 100.0],
        "time_step_rank": "auto",
        "time_step_min": 0.001,
        "time_step_max": 0.1,
        "chunk_size": 64,
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        "residual_in_fp32": False,
        "rms_norm": True,
        "norm_before_gate": False,
    },
}


@pytest.mark.parametrize("family", FAMILIES)
def test_models_with_other_caches_batch_and_resume_too(folder: Path, family: str) -> None:
    mlx_loader.load_network(folder, mlx_loader.read_config(folder))  # makes MLX ready for a CPU
    from importlib import import_module

    import mlx.core as mx
    from mlx.utils import tree_flatten

    from impetus.adapters.mlx_text_model import MlxTextModel

    config = {"hidden_size": 64, "intermediate_size": 128, "vocab_size": 320, "rms_norm_eps": 1e-6}
    module = import_module(f"mlx_lm.models.{family}")
    network = module.Model(module.ModelArgs.from_dict(config | {"model_type": family} | FAMILIES[family]))
    keys = iter(mx.random.split(mx.random.key(1), 200))
    weights = tree_flatten(network.parameters())
    network.load_weights(
        [(n, mx.random.normal(w.shape, key=next(keys)) * 0.2 if w.ndim > 1 else w) for n, w in weights]
    )
    tokenizer = ModelTokenizer(folder, {"model_type": "qwen3", "eos_token_id": 2})

    def fresh() -> TextModel:
        return MlxTextModel(network, tokenizer, CONTEXT, family, PREFIX_BYTES)

    expected = [answer(fresh(), prompt)[0] for prompt in PROMPTS]
    model = fresh()
    for number, prompt in enumerate(PROMPTS):
        model.start(number, prompt, GREEDY, CHAT)
    found = run(model)
    assert [text(found[number]) for number in range(len(PROMPTS))] == expected
    model = fresh()
    model.start(9, LONG, GREEDY, CHAT)
    model.step(CHAT)
    model.step(CHAT)
    model.cancel(9)
    again, last = answer(model, LONG)
    assert (again, last.usage.cached_tokens) == (expected[2], 512)


def test_closing_gives_the_memory_back(folder: Path) -> None:
    model = load_model(folder)
    import mlx.core as mx

    answer(model, LONG)
    held = mx.get_active_memory()
    assert model.nbytes > 400_000
    model.close()
    del model
    assert mx.get_active_memory() <= held - 400_000


# -- how tokens are chosen -------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_text_and_does_not_touch_others(model: TextModel) -> None:
    warm = Sampling(max_tokens=12, temperature=1.5, top_p=1.0, seed=5)
    first, _ = answer(model, ONE, warm)
    model.start(7, TWO, Sampling(max_tokens=30, temperature=1.5, seed=9), CHAT)
    model.step(CHAT)
    assert answer(model, ONE, warm)[0] == first
    assert answer(model, ONE, Sampling(max_tokens=12, temperature=1.5, top_p=1.0, seed=6))[0] != first
    unseeded = Sampling(max_tokens=12, temperature=1.5, top_p=1.0)
    assert len({answer(model, ONE, unseeded)[0] for _ in range(3)}) > 1


@pytest.mark.parametrize(
    "narrow",
    [
        Sampling(max_tokens=12, temperature=1.0, top_k=1, top_p=1.0),
        Sampling(max_tokens=12, temperature=1.0, top_p=1e-6),
        Sampling(max_tokens=12, temperature=1.0, top_p=1.0, min_p=1.0),
    ],
)
def test_narrow_sampling_is_greedy(model: TextModel, narrow: Sampling) -> None:
    assert answer(model, ONE, narrow)[0] == answer(model, ONE)[0]


def drawn(sampling: Sampling, logits: list[float], count: int, prompt: tuple[int, ...] = ()) -> list[int]:
    mlx_loader.prepare()
    import mlx.core as mx

    from impetus.adapters.mlx_sampler import Sampler, draw

    sampler = Sampler(sampling, prompt)
    return [draw(mx.array([logits]), [sampler]).read()[0].token for _ in range(count)]


LEVELS = [0.5] * 50
LEVELS[3] = 1.0


@pytest.mark.parametrize(
    "penalty", [{"repetition_penalty": 1e6}, {"presence_penalty": 1e6}, {"frequency_penalty": 1e6}]
)
def test_penalties_prevent_repetition(penalty: dict[str, float]) -> None:
    picked = drawn(Sampling(temperature=0.0, **penalty), LEVELS, 21)  # type: ignore[arg-type]
    assert picked[0] == 3
    assert len(set(picked)) == 21


def test_frequency_counts_and_presence_does_not() -> None:
    assert drawn(Sampling(temperature=0.0, frequency_penalty=0.3), LEVELS[:4], 4) == [3, 3, 0, 1]
    assert drawn(Sampling(temperature=0.0, presence_penalty=0.3), LEVELS[:4], 4) == [3, 3, 3, 3]


def test_the_repetition_penalty_looks_at_the_prompt_and_the_others_do_not() -> None:
    assert drawn(Sampling(temperature=0.0, repetition_penalty=4.0), LEVELS[:4], 1, (3, 0)) == [1]
    assert drawn(Sampling(temperature=0.0, presence_penalty=4.0), LEVELS[:4], 1, (3, 0)) == [3]


def test_a_bias_moves_tokens() -> None:
    assert drawn(Sampling(temperature=0.0, logit_bias=((7, 100.0),)), LEVELS, 2) == [7, 7]
    assert drawn(Sampling(temperature=0.0, logit_bias=((3, -100.0), (9, 0.1))), LEVELS, 1) == [9]


def test_rows_of_one_batch_keep_their_own_settings(folder: Path) -> None:
    settings = [
        GREEDY,
        Sampling(max_tokens=12, temperature=0.0, repetition_penalty=3.0),
        Sampling(max_tokens=12, temperature=0.0, logit_bias=((70, 100.0),)),
        Sampling(max_tokens=12, temperature=2.0, seed=4),
        Sampling(max_tokens=12, temperature=0.0, frequency_penalty=2.0, top_logprobs=2),
    ]
    model = load_model(folder)
    repeating = PROMPTS[4]
    for number, sampling in enumerate(settings):
        model.start(number, repeating, sampling, CHAT)
    found = run(model)
    texts = [text(found[number]) for number in range(len(settings))]
    assert texts == [alone(folder, repeating, sampling) for sampling in settings]
    assert len(set(texts)) == len(settings)


def test_a_piece_says_how_sure_the_model_was() -> None:
    mlx_loader.prepare()
    import mlx.core as mx

    from impetus.adapters.mlx_sampler import Sampler, draw

    chances = [0.7, 0.2, 0.1]
    for temperature in (0.0, 5.0):
        sampler = Sampler(Sampling(temperature=temperature, seed=3, logit_bias=((1, 2.0),), top_logprobs=2), [])
        for _ in range(8):
            found = draw(mx.log(mx.array([chances])) + 4, [sampler]).read()[0]
            assert found.logprob == pytest.approx(math.log(chances[found.token]), abs=1e-5)
            assert [token for token, _ in found.likely] == [0, 1]
            assert [math.exp(logprob) for _, logprob in found.likely] == pytest.approx([0.7, 0.2], abs=1e-5)


@pytest.mark.parametrize("count", [None, 0, 3])
def test_scores_come_when_asked_for(model: TextModel, count: int | None) -> None:
    model.start(1, ONE, Sampling(max_tokens=5, temperature=0.0, top_logprobs=count), CHAT)
    pieces = [step for step in run(model)[1] if isinstance(step, Piece)]
    assert {len(piece.scores) for piece in pieces} == {0 if count is None else count + 1}
    for piece in pieces:
        assert piece.logprob is not None and piece.logprob < 0
        if count is not None:
            assert piece.scores[0].logprob == piece.logprob
            assert not piece.text or piece.text.encode().endswith(piece.scores[0].data) or "\ufffd" in piece.text
        if count:
            assert piece.scores[1] == piece.scores[0]  # greedy: the token is the most likely one
            assert [s.logprob for s in piece.scores[1:]] == sorted((s.logprob for s in piece.scores[1:]), reverse=True)


# -- answers in JSON -------------------------------------------------------------------------------------------------

SCHEMA = JsonSchema(
    json.dumps(
        {
            "type": "object",
            "properties": {
                "kind": {"enum": ["bug", "feature"]},
                "urgent": {"type": "boolean"},
                "counts": {"type": "array", "items": {"enum": [1, 2]}, "minItems": 2, "maxItems": 3},
            },
            "required": ["kind", "urgent", "counts"],
            "additionalProperties": False,
        }
    )
)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_keeps_to_its_schema(model: TextModel, temperature: float) -> None:
    for seed in range(3):
        sampling = Sampling(max_tokens=400, temperature=temperature, seed=seed, grammar=SCHEMA)
        found, last = answer(model, ONE, sampling)
        value = json.loads(found)
        assert set(value) == {"kind", "urgent", "counts"}
        assert value["kind"] in ("bug", "feature") and isinstance(value["urgent"], bool)
        assert 2 <= len(value["counts"]) <= 3 and set(value["counts"]) <= {1, 2}
        assert last.reason is FinishReason.STOP


def test_a_schema_in_a_batch_changes_nothing_for_the_others(folder: Path) -> None:
    constrained = Sampling(max_tokens=60, temperature=0.0, grammar=SCHEMA)
    longer = Sampling(max_tokens=60, temperature=0.0)
    model = load_model(folder)
    model.start(1, TWO, longer, CHAT)
    for _ in range(4):
        model.step(CHAT)
    model.start(2, ONE, constrained, CHAT)
    model.start(3, LONG, longer, CHAT)
    found = run(model)
    assert text(found[2]) == alone(folder, ONE, constrained)
    assert text(found[3]) == alone(folder, LONG, longer)
    assert alone(folder, TWO, longer).endswith(text(found[1]))


def test_any_object_begins_as_one(model: TextModel) -> None:
    found, _ = answer(model, ONE, Sampling(max_tokens=30, temperature=0.0, grammar=ANY_OBJECT))
    assert found.lstrip().startswith("{")


@pytest.mark.parametrize("schema", ["no json", '{"type": "nonsense"}', '{"$ref": "https://example.org/x"}', "3"])
def test_a_schema_that_cannot_be_used_is_refused(model: TextModel, schema: str) -> None:
    with pytest.raises(BadRequest, match="JSON schema") as refused:
        model.start(1, ONE, Sampling(grammar=JsonSchema(schema)), CHAT)
    assert refused.value.parameter == "response_format"
    assert model.waiting() is None


# -- ends and limits -------------------------------------------------------------------------------------------------


def test_end_tokens_stop(model: TextModel, tmp_path: Path) -> None:
    model.start(1, ONE, GREEDY, CHAT)
    first = next(step.text for step in run(model)[1] if isinstance(step, Piece))
    ending = make_model(tmp_path / "ending")
    tokenizer = ModelTokenizer(ending, {"model_type": "qwen3"})
    # Declared in the file that overrules config.json, as chat models do.
    (ending / "generation_config.json").write_text(json.dumps({"eos_token_id": tokenizer.encode(first)}), "utf-8")
    found, last = answer(load_model(ending), ONE)
    assert (found, last.reason, last.usage.completion_tokens) == ("", FinishReason.STOP, 1)


@pytest.mark.parametrize("words", [100, 2])
def test_the_answer_ends_where_the_context_does(tmp_path: Path, words: int) -> None:
    model = load_model(make_model(tmp_path / "small", context=512))
    endless = Sampling(max_tokens=10_000, temperature=0.0, logit_bias=((0, -100.0), (2, -100.0)))
    _, last = answer(model, TextPrompt("x = 1\n" * words), endless)
    assert last.usage.prompt_tokens + last.usage.completion_tokens == model.context_length == 512
    assert last.reason is FinishReason.LENGTH


def test_an_infill_prompt_is_cut_to_the_context(tmp_path: Path) -> None:
    model = load_model(make_model(tmp_path / "small", context=512))
    _, last = answer(model, InfillPrompt("a = 1\n" * 900, "b = 2\n" * 900, "a.py"))
    assert last.usage.prompt_tokens < 512
    assert last.usage.completion_tokens > 0


def test_chat_runs_through_the_models_template(model: TextModel) -> None:
    found, last = answer(model, ChatPrompt((Message(Role.USER, "hello"),)))
    assert found
    assert last.usage.prompt_tokens > 5


# -- folders ---------------------------------------------------------------------------------------------------------


def test_quantized_weights_are_used_in_full_precision_on_a_cpu(tmp_path: Path) -> None:
    found, _ = answer(load_model(make_model(tmp_path / "q8", quantized=True)), ONE)
    assert found


def test_weights_that_are_unpacked_are_not_held_twice(tmp_path: Path) -> None:
    shape = {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 1024, "head_dim": 128}
    folder = make_model(tmp_path / "q8", quantized=True, shape=shape)
    import mlx.core as mx
    from mlx.utils import tree_flatten

    held = mx.get_active_memory()
    mx.reset_peak_memory()
    network = mlx_loader.load_network(folder, mlx_loader.read_config(folder))
    sizes = [array.nbytes for _, array in tree_flatten(network.parameters())]
    assert mx.get_peak_memory() - held < sum(sizes) + 2 * max(sizes), "one array and what it is made from, no more"
    assert sum(sizes) / 4 > 2 * max(sizes), "or this shows nothing"


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="set the right path"):
        load_model(tmp_path / "gone")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("tokenizer.json", "nonsense"),
        ("tokenizer_config.json", "{"),
        ("model.safetensors", "not weights"),
        ("config.json", '{"model_type": "no_such_model"}'),
    ],
)
def test_a_broken_folder_says_what_to_do(tmp_path: Path, name: str, content: str) -> None:
    folder = make_model(tmp_path / "broken")
    (folder / name).write_text(content, "utf-8")
    with pytest.raises(ModelError, match="fetch"):
        load_model(folder)


def test_a_folder_without_weights_is_broken(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "empty")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="safetensors"):
        load_model(folder)


def test_a_model_without_fill_in_tokens_says_so(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "chat-only")
    make_tokenizer(folder)
    tokens = (folder / "tokenizer.json").read_text("utf-8")
    (folder / "tokenizer.json").write_text(tokens.replace("<|fim_", "<|other_"), "utf-8")
    with pytest.raises(ModelError, match="not trained to fill in"):
        load_model(folder).start(1, InfillPrompt("a", "b"), GREEDY, TYPING)


# -- quantized caches --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heads of 64, as real models have at least."""
    shape = {"head_dim": 64}
    return make_model(tmp_path_factory.mktemp("wide") / "model", context=CONTEXT, shape=shape)


@pytest.mark.parametrize(("bits", "share"), [(8, 0.3), (4, 0.16)])
def test_caches_of_fewer_bits_take_less_memory_and_say_much_the_same(wide: Path, bits: int, share: float) -> None:
    """On a CPU, caches of float32 shrink to a share of their size; group scales take some of it."""
    plain, small = load_model(wide), load_model(wide, cache_bits=bits)
    weights = plain.nbytes
    said = []
    for model in (plain, small):
        model.start(1, LONG, GREEDY, CHAT)
        said.append(run(model, 1)[1])
    assert (small.nbytes - weights) / (plain.nbytes - weights) < share
    assert end(said[0]).usage.prompt_tokens == end(said[1]).usage.prompt_tokens
    small.start(2, LONG, GREEDY, CHAT)
    again = run(small, 2)[2]
    assert text(again) == text(said[1])
    assert small.counters.reused_tokens > 1000


def test_caches_of_fewer_bits_serve_several_at_once(wide: Path) -> None:
    model = load_model(wide, cache_bits=8)
    alone = {}
    for number, prompt in enumerate((ONE, TWO)):
        model.start(number, prompt, GREEDY, CHAT)
        alone[number] = text(run(model, number)[number])
    for number, prompt in enumerate((ONE, TWO)):
        model.start(number, prompt, GREEDY, CHAT)
    together = run(model)
    assert {number: text(steps) for number, steps in together.items()} == alone


def test_heads_that_cannot_be_quantized_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_model(tmp_path / "narrow", shape={"head_dim": 16})
    model = load_model(folder, cache_bits=8)
    assert "too narrow" in caplog.text
    model.start(1, ONE, GREEDY, CHAT)
    assert end(run(model, 1)[1]).usage.completion_tokens > 0
