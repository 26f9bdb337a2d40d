"""What the port `Generator` adds to a text model: loading on first use, its state, iterators that may interleave."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.text_model import text
from tests.support.tiny_model import make_model

from impetus.adapters.mlx_generator import MlxGenerator
from impetus.domain.types import End, Piece, Prefill, Sampling, Step, TextPrompt
from impetus.errors import ContextOverflow, ModelError, ModelUnavailable

GREEDY = Sampling(max_tokens=12, temperature=0.0)
TWO = TextPrompt("class Thing:\n    value = ")
LONG = TextPrompt("for item in items:\n    pass\n" * 45)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def generator(folder: Path) -> MlxGenerator:
    return MlxGenerator(folder)


def answer(generator: MlxGenerator, prompt: TextPrompt) -> str:
    return text(list(generator.steps(prompt, GREEDY)))


def test_interleaved_generations_are_what_each_is_alone(folder: Path) -> None:
    expected = [answer(MlxGenerator(folder), prompt) for prompt in (LONG, TWO)]
    generator = MlxGenerator(folder)
    streams: list[Iterator[Step]] = [generator.steps(LONG, GREEDY), generator.steps(TWO, GREEDY)]
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


def test_what_a_closed_stream_has_read_is_kept(generator: MlxGenerator) -> None:
    steps = generator.steps(LONG, GREEDY)
    first = next(steps)
    assert isinstance(first, Prefill)
    steps.close()  # type: ignore[attr-defined]
    last = list(generator.steps(LONG, GREEDY))[-1]
    assert isinstance(last, End)
    assert last.usage.cached_tokens == first.done


def test_a_prompt_beyond_the_context_is_refused_before_any_step(generator: MlxGenerator) -> None:
    with pytest.raises(ContextOverflow) as refused:
        next(generator.steps(TextPrompt("x = 1\n" * 2000), GREEDY))
    assert refused.value.limit == generator.context_length == 512


def test_unload_and_load_again(generator: MlxGenerator) -> None:
    assert generator.state == "not loaded"
    assert generator.count_tokens("class Thing") > 1
    before = answer(generator, TWO)
    assert generator.state == "ready"
    assert generator.load_seconds > 0
    generator.unload()
    assert generator.state == "not loaded"
    assert answer(generator, TWO) == before


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    generator = MlxGenerator(tmp_path / "gone")
    assert generator.state == "missing"
    with pytest.raises(ModelUnavailable, match="set the right path"):
        next(generator.steps(TWO, GREEDY))


def test_a_broken_folder_is_a_state(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "broken")
    (folder / "model.safetensors").write_text("not weights", "utf-8")
    generator = MlxGenerator(folder)
    with pytest.raises(ModelError, match="fetch") as failure:
        next(generator.steps(TWO, GREEDY))
    assert generator.state == "failed"
    assert generator.detail == str(failure.value)
