"""The MLX generator on a tiny random model: same nonsense every time, so texts can be compared exactly.

MLX arrays belong to the thread that made them; everything runs on the test's own thread here.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.tiny_model import make_model, make_tokenizer

from impetus.adapters.mlx_generator import PREFILL_CHUNK, MlxGenerator
from impetus.adapters.mlx_tokenizer import ModelTokenizer
from impetus.domain.types import (
    ChatPrompt,
    End,
    FinishReason,
    InfillPrompt,
    Message,
    Piece,
    Prefill,
    Prompt,
    Role,
    Sampling,
    Step,
    TextPrompt,
)
from impetus.errors import BadRequest, ContextOverflow, ModelError, ModelUnavailable

GREEDY = Sampling(max_tokens=12, temperature=0.0)
ONE = TextPrompt("def function(argument):\n    return ")
TWO = TextPrompt("class Thing:\n    value = ")
LONG = TextPrompt("for item in items:\n    pass\n" * 45)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def generator(folder: Path) -> MlxGenerator:
    return MlxGenerator(folder)


def text(steps: Iterator[Step]) -> str:
    return "".join(step.text for step in steps if isinstance(step, Piece))


def run(generator: MlxGenerator, prompt: Prompt, sampling: Sampling = GREEDY) -> tuple[str, End]:
    steps = list(generator.steps(prompt, sampling))
    assert isinstance(steps[-1], End)
    return text(iter(steps)), steps[-1]


def test_steps_are_prefill_then_pieces_then_end(generator: MlxGenerator) -> None:
    steps = list(generator.steps(ONE, GREEDY))
    kinds = [type(step) for step in steps]
    assert kinds == [Prefill, Prefill, *[Piece] * 12, End]
    assert steps[-1].reason is FinishReason.LENGTH
    assert steps[-1].usage.completion_tokens == 12
    assert text(iter(steps))


def test_a_long_prompt_is_read_in_chunks_with_a_step_between(generator: MlxGenerator) -> None:
    prefills = [step for step in generator.steps(LONG, GREEDY) if isinstance(step, Prefill)]
    total = prefills[-1].total
    assert total > PREFILL_CHUNK
    assert [step.done for step in prefills] == [*range(PREFILL_CHUNK, total, PREFILL_CHUNK), total - 1, total]


def test_two_interleaved_generations_are_what_each_is_alone(folder: Path) -> None:
    expected = [run(MlxGenerator(folder), prompt)[0] for prompt in (LONG, TWO)]
    generator = MlxGenerator(folder)
    streams = [generator.steps(LONG, GREEDY), generator.steps(TWO, GREEDY)]
    found = ["", ""]
    open_streams = {0, 1}
    while open_streams:
        for i in sorted(open_streams):
            step = next(streams[i], None)
            if step is None:
                open_streams.discard(i)
            elif isinstance(step, Piece):
                found[i] += step.text
    assert found == expected


def test_a_shared_beginning_is_not_read_again_and_changes_nothing(folder: Path) -> None:
    longer = TextPrompt(LONG.text + "class Thing:\n")
    expected, cold = run(MlxGenerator(folder), longer)
    generator = MlxGenerator(folder)
    run(generator, LONG)
    found, warm = run(generator, longer)
    assert found == expected
    assert cold.usage.cached_tokens == 0
    assert warm.usage.cached_tokens > 0.9 * warm.usage.prompt_tokens - 20
    again, same = run(generator, longer)
    assert again == expected
    assert same.usage.cached_tokens == same.usage.prompt_tokens - 1


def test_a_long_conversation_is_not_lost_to_one_that_shares_its_beginning_only(generator: MlxGenerator) -> None:
    run(generator, LONG)
    run(generator, TextPrompt(LONG.text[:60] + "class Thing:"))
    _, end = run(generator, LONG)
    assert end.usage.cached_tokens == end.usage.prompt_tokens - 1


def test_what_a_cancelled_request_has_read_is_kept(generator: MlxGenerator) -> None:
    steps = generator.steps(LONG, GREEDY)
    first = next(steps)
    assert isinstance(first, Prefill)
    assert first.done == PREFILL_CHUNK < first.total
    steps.close()  # type: ignore[attr-defined]
    _, end = run(generator, LONG)
    assert end.usage.cached_tokens == PREFILL_CHUNK


def test_a_stop_string_ends_the_text_before_it(generator: MlxGenerator) -> None:
    whole, _ = run(generator, ONE)
    stop = whole[3:6]
    found, end = run(generator, ONE, Sampling(max_tokens=12, temperature=0.0, stop=(stop,)))
    assert found == whole[: whole.index(stop)]
    assert end.reason is FinishReason.STOP


def test_end_tokens_stop(folder: Path, tmp_path: Path) -> None:
    steps = MlxGenerator(folder).steps(ONE, GREEDY)
    first = next(step.text for step in steps if isinstance(step, Piece))
    ending = make_model(tmp_path / "ending")
    tokenizer = ModelTokenizer(ending, {"model_type": "qwen3"})
    # Declared in the file that overrules config.json, as chat models do.
    (ending / "generation_config.json").write_text(json.dumps({"eos_token_id": tokenizer.encode(first)}), "utf-8")
    found, end = run(MlxGenerator(ending), ONE)
    assert (found, end.reason) == ("", FinishReason.STOP)


def test_a_seed_gives_the_same_text_and_does_not_touch_others(generator: MlxGenerator) -> None:
    warm = Sampling(max_tokens=12, temperature=1.5, top_p=1.0, seed=5)
    first, _ = run(generator, ONE, warm)
    other = generator.steps(TWO, Sampling(max_tokens=30, temperature=1.5, seed=9))
    next(other)
    next(other)
    assert run(generator, ONE, warm)[0] == first
    assert run(generator, ONE, Sampling(max_tokens=12, temperature=1.5, top_p=1.0, seed=6))[0] != first
    other.close()


@pytest.mark.parametrize(
    "narrow",
    [
        Sampling(max_tokens=12, temperature=1.0, top_k=1, top_p=1.0),
        Sampling(max_tokens=12, temperature=1.0, top_p=1e-6),
        Sampling(max_tokens=12, temperature=1.0, top_p=1.0, min_p=1.0),
    ],
)
def test_narrow_sampling_is_greedy(generator: MlxGenerator, narrow: Sampling) -> None:
    assert run(generator, ONE, narrow)[0] == run(generator, ONE)[0]


@pytest.mark.parametrize(
    "penalty",
    [
        {"repetition_penalty": 1e6},
        {"presence_penalty": 1e6},
        {"frequency_penalty": 1e6},
    ],
)
def test_penalties_prevent_repetition(generator: MlxGenerator, penalty: dict[str, float]) -> None:
    next(generator.steps(ONE, GREEDY))  # MLX is imported by the generator, never before it
    import mlx.core as mx

    from impetus.adapters.mlx_sampler import Sampler

    logits = mx.full((1, 50), 0.5)
    logits[0, 3] = 1.0
    sampler = Sampler(Sampling(temperature=0.0, **penalty), [])  # type: ignore[arg-type]
    assert sampler.pick(logits) == 3
    picked = [sampler.pick(logits) for _ in range(20)]
    assert 3 not in picked
    assert len(set(picked)) == 20


@pytest.mark.parametrize("temperature", [0.0, 5.0])
def test_the_sampler_says_how_sure_the_model_was(generator: MlxGenerator, temperature: float) -> None:
    next(generator.steps(ONE, GREEDY))  # MLX is imported by the generator, never before it
    import mlx.core as mx

    from impetus.adapters.mlx_sampler import Sampler

    chances = [0.7, 0.2, 0.1]
    sampler = Sampler(Sampling(temperature=temperature, seed=3), [])
    for _ in range(8):
        token = sampler.pick(mx.log(mx.array([chances])) + 4)
        assert sampler.logprob == pytest.approx(math.log(chances[token]), abs=1e-5)


def test_pieces_carry_the_probability_of_their_token(generator: MlxGenerator) -> None:
    pieces = [step for step in generator.steps(TextPrompt("def f"), Sampling(max_tokens=4)) if isinstance(step, Piece)]
    assert pieces and all(piece.logprob is not None and piece.logprob < 0 for piece in pieces if piece.text)


def test_the_answer_ends_where_the_context_does(generator: MlxGenerator) -> None:
    _, end = run(generator, TextPrompt("x = 1\n" * 100), Sampling(max_tokens=10_000, temperature=0.0))
    assert end.usage.prompt_tokens + end.usage.completion_tokens <= generator.context_length == 512


def test_a_prompt_beyond_the_context_is_refused_before_any_step(generator: MlxGenerator) -> None:
    with pytest.raises(ContextOverflow) as refused:
        next(generator.steps(TextPrompt("x = 1\n" * 2000), GREEDY))
    assert refused.value.limit == 512
    assert refused.value.requested > 512
    assert generator.state == "not loaded"


def test_an_infill_prompt_is_cut_to_the_context_instead(generator: MlxGenerator) -> None:
    _, end = run(generator, InfillPrompt("a = 1\n" * 900, "b = 2\n" * 900, "a.py"))
    assert end.usage.prompt_tokens < 512
    assert end.usage.completion_tokens > 0


def test_an_empty_text_prompt_is_refused(generator: MlxGenerator) -> None:
    with pytest.raises(BadRequest):
        next(generator.steps(TextPrompt(""), GREEDY))


def test_chat_runs_through_the_models_template(generator: MlxGenerator) -> None:
    found, end = run(generator, ChatPrompt((Message(Role.USER, "hello"),)))
    assert found
    assert end.usage.prompt_tokens > 5


def test_quantized_weights_are_used_in_full_precision_on_a_cpu(tmp_path: Path) -> None:
    found, _ = run(MlxGenerator(make_model(tmp_path / "q8", quantized=True)), ONE)
    assert found


def test_unload_and_load_again(generator: MlxGenerator) -> None:
    assert generator.state == "not loaded"
    before, _ = run(generator, ONE)
    assert generator.state == "ready"
    assert generator.load_seconds > 0
    generator.unload()
    assert generator.state == "not loaded"
    assert run(generator, ONE)[0] == before


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    generator = MlxGenerator(tmp_path / "gone")
    assert generator.state == "missing"
    with pytest.raises(ModelUnavailable, match="set the right path"):
        next(generator.steps(ONE, GREEDY))


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
    generator = MlxGenerator(folder)
    with pytest.raises(ModelError, match="fetch") as failure:
        next(generator.steps(ONE, GREEDY))
    assert generator.state == "failed"
    assert generator.detail == str(failure.value)


def test_a_folder_without_weights_is_broken(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "empty")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="safetensors"):
        next(MlxGenerator(folder).steps(ONE, GREEDY))


def test_a_model_without_fill_in_tokens_says_so(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "chat-only")
    make_tokenizer(folder)
    tokens = (folder / "tokenizer.json").read_text("utf-8")
    (folder / "tokenizer.json").write_text(tokens.replace("<|fim_", "<|other_"), "utf-8")
    with pytest.raises(ModelError, match="not trained to fill in"):
        next(MlxGenerator(folder).steps(InfillPrompt("a", "b"), GREEDY))
