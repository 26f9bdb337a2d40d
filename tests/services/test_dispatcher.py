"""Which backend computes an embedding model: every reason to use one, to pass it over, and to leave it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.support.embedder import HashEmbedder

from impetus.adapters.verdict_file import VerdictFile
from impetus.domain.canary import TEXTS, Verdict
from impetus.domain.hardware import Hardware
from impetus.domain.ports import Embedder, Vectors
from impetus.errors import BadVectors, Busy, EngineStopped, ModelError, ModelUnavailable
from impetus.services.dispatcher import Backend, Dispatcher
from impetus.services.neural import Neural

MAC = Hardware("Darwin", "26.1", "25B78", "Apple M4")
TEXT = "def add(a, b): return a + b"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeBackend(HashEmbedder):
    """Vectors of one space in `seconds` each call; `change` spoils them, `error` is raised instead."""

    def __init__(self, clock: Clock, seconds: float = 0.004) -> None:
        super().__init__(id="model-1")
        self.clock = clock
        self.seconds = seconds
        self.change: Callable[[Vectors], Vectors] = lambda vectors: vectors
        self.error: Exception | None = None
        self.batches: list[int] = []
        self.closed = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(len(texts))
        self.clock.now += self.seconds
        if self.error is not None:
            raise self.error
        return self.change(np.stack([self._vector(f"start {text}") for text in texts]))

    def embed_query(self, text: str) -> Vectors:
        return self.embed([text])[0]

    def close(self) -> None:
        self.closed += 1


class Machine:
    """A Mac with all three backends, whose engine may be started again and again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = Clock()
        self.engine, self.gpu, self.cpu = (FakeBackend(self.clock, seconds) for seconds in (0.004, 0.003, 0.05))
        self.placed: float | Exception = 0.99
        self.heat = ""
        self.hardware = MAC

    def start(self) -> Dispatcher:
        return Dispatcher(
            [
                Backend("Neural Engine", self.engine, self._placed),
                Backend("GPU", self.gpu),
                Backend("CPU", self.cpu),
            ],
            VerdictFile(self.home, self.cpu.id, self.hardware),
            lambda: self.heat,
            self.clock,
        )

    def _placed(self) -> float:
        if isinstance(self.placed, Exception):
            raise self.placed
        return self.placed

    def tried(self, backend: FakeBackend) -> bool:
        return sum(backend.batches) >= len(TEXTS)


@pytest.fixture
def mac(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def is_right(dispatcher: Embedder) -> bool:
    return bool(np.allclose(dispatcher.embed([TEXT])[0], HashEmbedder()._vector(f"start {TEXT}")))


def reasons(dispatcher: Dispatcher) -> dict[str, tuple[str, str]]:
    return {one.name: (one.state, one.reason) for one in dispatcher.states()}


def test_the_neural_engine_computes_once_it_has_proved_itself(mac: Machine) -> None:
    dispatcher = mac.start()
    assert dispatcher.backend == "CPU"
    assert is_right(dispatcher)
    assert dispatcher.backend == "Neural Engine"
    assert mac.engine.batches[-1] == 1
    assert mac.cpu.closed, "the reference gives its memory back"
    verdict = dispatcher.states()[0].verdict
    assert verdict is not None
    assert verdict.cosine == pytest.approx(1)
    assert (verdict.placed, verdict.seconds, verdict.other_seconds) == pytest.approx((0.99, 0.004, 0.003))


def test_a_query_never_waits_for_the_canary(mac: Machine) -> None:
    dispatcher = mac.start()
    dispatcher.embed_query(TEXT)
    assert not mac.engine.batches and not mac.gpu.batches
    dispatcher.embed([TEXT])
    dispatcher.embed_query(TEXT)
    assert mac.engine.batches[-1] == 1


def test_a_verdict_outlives_the_process(mac: Machine) -> None:
    mac.start().embed([TEXT])
    mac.engine.batches.clear()
    again = mac.start()
    assert again.backend == "Neural Engine"
    again.embed([TEXT])
    assert mac.engine.batches == [1]


def spoil(value: float) -> Callable[[Vectors], Vectors]:
    def change(vectors: Vectors) -> Vectors:
        spoiled = vectors.copy()
        spoiled[-1] = value
        return spoiled

    return change


def turn(vectors: Vectors) -> Vectors:
    """By three degrees or so."""
    turned = vectors + 0.06 * np.roll(vectors, 1, axis=1)
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (spoil(float("nan")), "zero or not finite"),
        (spoil(float("inf")), "zero or not finite"),
        (spoil(0.0), "zero or not finite"),
        (turn, "least cosine 0.99"),
        (lambda vectors: vectors[:-1], "zero or not finite"),
    ],
)
def test_wrong_vectors_fail_the_canary(mac: Machine, fault: Callable[[Vectors], Vectors], said: str) -> None:
    mac.engine.change = fault
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert dispatcher.backend == "GPU"
    state, reason = reasons(dispatcher)["Neural Engine"]
    assert state == "failed"
    assert said in reason
    assert mac.engine.closed


def test_a_backend_that_says_so_itself_fails_too(mac: Machine) -> None:
    mac.engine.error = BadVectors("zero or not finite, says the adapter")
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert reasons(dispatcher)["Neural Engine"] == ("failed", "zero or not finite, says the adapter")


def test_operations_that_are_placed_elsewhere_fail_it(mac: Machine) -> None:
    mac.placed = 0.93
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert dispatcher.backend == "GPU"
    assert "93%" in reasons(dispatcher)["Neural Engine"][1]


@pytest.mark.parametrize(("seconds", "backend"), [(0.0059, "Neural Engine"), (0.0061, "GPU")])
def test_a_slow_neural_engine_is_passed_over(mac: Machine, seconds: float, backend: str) -> None:
    mac.engine.seconds = seconds
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert dispatcher.backend == backend


def test_a_machine_that_is_busy_for_a_while_slows_all_alike(mac: Machine) -> None:
    """Of the texts that are timed, the quickest counts."""
    slow = iter([0.0] * 9 + [3.0, 0.0, 2.0, 0.0, 0.0] + [0.0] * 1000)
    seconds = mac.engine.seconds

    def change(vectors: Vectors) -> Vectors:
        mac.clock.now += next(slow)
        return vectors

    mac.engine.change = change
    dispatcher = mac.start()
    dispatcher.embed([TEXT])
    verdict = dispatcher.states()[0].verdict
    assert verdict is not None
    assert verdict.seconds == pytest.approx(seconds)
    assert dispatcher.backend == "Neural Engine"


def test_without_core_ml_the_gpu_computes(mac: Machine) -> None:
    mac.engine.error = ModelUnavailable("There is no Core ML here")
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert dispatcher.backend == "GPU"
    assert reasons(dispatcher)["Neural Engine"] == ("left", "There is no Core ML here")
    mac.engine.error = None
    assert mac.start().states()[0].state == "untried", "nothing was measured, so nothing is remembered"


def test_where_core_ml_does_not_say_where_it_runs_the_gpu_computes(mac: Machine) -> None:
    mac.placed = ModelError("no compute plan")
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert dispatcher.backend == "GPU"


def test_without_anything_else_the_cpu_computes(mac: Machine) -> None:
    mac.engine.error = ModelUnavailable("There is no Core ML here")
    mac.gpu.error = ModelUnavailable("There is no MLX here")
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert dispatcher.backend == "CPU"
    mac.gpu.error, mac.gpu.change = None, turn
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert dispatcher.backend == "CPU"


def test_the_neural_engine_is_compared_with_the_cpu_where_the_gpu_fails(mac: Machine) -> None:
    mac.gpu.error = ModelError("no memory")
    dispatcher = mac.start()
    dispatcher.embed([TEXT])
    verdict = dispatcher.states()[0].verdict
    assert verdict is not None
    assert verdict.other_seconds == pytest.approx(0.05)
    assert dispatcher.backend == "Neural Engine"


@pytest.mark.parametrize("fault", [spoil(float("nan")), spoil(0.0), lambda vectors: vectors[:0]])
def test_a_bad_vector_demotes_and_the_batch_is_computed_again(
    mac: Machine, fault: Callable[[Vectors], Vectors]
) -> None:
    dispatcher = mac.start()
    dispatcher.embed([TEXT])
    mac.engine.change = fault
    vectors = dispatcher.embed([TEXT, "other"])
    assert np.array_equal(vectors, HashEmbedder.embed(HashEmbedder(), [f"start {TEXT}", "start other"]))
    assert dispatcher.backend == "GPU", "the GPU was tried and passed before it was used"
    mac.engine.change = lambda vectors: vectors
    again = mac.start()
    again.embed([TEXT])
    assert again.backend == "GPU", "it is not forgotten"


def test_a_bad_query_vector_demotes_too(mac: Machine) -> None:
    dispatcher = mac.start()
    dispatcher.embed([TEXT])
    mac.engine.change = spoil(float("nan"))
    assert np.isfinite(dispatcher.embed_query(TEXT)).all()
    assert dispatcher.backend != "Neural Engine"


def test_a_failure_demotes_for_the_life_of_the_process(mac: Machine) -> None:
    dispatcher = mac.start()
    dispatcher.embed([TEXT])
    mac.engine.error = ModelError("the driver is gone")
    assert is_right(dispatcher)
    assert dispatcher.backend == "GPU"
    assert reasons(dispatcher)["Neural Engine"] == ("left", "the driver is gone")
    mac.engine.error = None
    assert is_right(dispatcher)
    assert dispatcher.backend == "GPU"
    assert mac.start().backend == "Neural Engine"


def test_a_busy_backend_is_not_to_blame(mac: Machine) -> None:
    dispatcher = mac.start()
    dispatcher.embed([TEXT])
    mac.engine.error = Busy("try again")
    with pytest.raises(Busy):
        dispatcher.embed([TEXT])
    assert dispatcher.backend == "Neural Engine"


def test_the_reference_has_nobody_to_take_its_place(mac: Machine) -> None:
    for backend in (mac.engine, mac.gpu, mac.cpu):
        backend.error = ModelError("damaged weights")
    with pytest.raises(ModelError, match="damaged"):
        mac.start().embed([TEXT])
    for backend in (mac.engine, mac.gpu, mac.cpu):
        backend.error, backend.change = None, spoil(0.0)
    with pytest.raises(ModelError, match="zero or not finite"):
        mac.start().embed([TEXT])


def test_a_hot_machine_times_nothing(mac: Machine) -> None:
    mac.heat = "too hot, thermal pressure is heavy"
    dispatcher = mac.start()
    assert is_right(dispatcher)
    assert (dispatcher.backend, mac.engine.batches) == ("CPU", [])
    assert reasons(dispatcher)["Neural Engine"] == ("untried", "")
    mac.heat = ""
    assert is_right(dispatcher)
    assert dispatcher.backend == "Neural Engine"


def test_an_engine_that_closes_does_not_wait_for_the_canary(mac: Machine) -> None:
    dispatcher = mac.start()

    def close(vectors: Vectors) -> Vectors:
        dispatcher.close()
        return vectors

    mac.engine.change = close
    with pytest.raises(EngineStopped):
        dispatcher.embed([TEXT])
    assert len(mac.engine.batches) == 1
    assert mac.start().states()[0].state == "untried"


def test_heat_does_not_move_what_has_proved_itself(mac: Machine) -> None:
    dispatcher = mac.start()
    dispatcher.embed([TEXT])
    mac.heat = "too hot, thermal pressure is heavy"
    assert is_right(dispatcher)
    assert dispatcher.backend == "Neural Engine"


@pytest.mark.parametrize(
    "hardware",
    [Hardware("Darwin", "26.2", "25C56", "Apple M4"), Hardware("Darwin", "26.1", "25B78", "Apple M5")],
)
def test_an_update_of_the_system_or_another_chip_asks_anew(mac: Machine, hardware: Hardware) -> None:
    mac.engine.change = turn
    mac.start().embed([TEXT])
    mac.engine.change = lambda vectors: vectors
    mac.hardware = hardware
    dispatcher = mac.start()
    assert dispatcher.states()[0].state == "untried"
    dispatcher.embed([TEXT])
    assert dispatcher.backend == "Neural Engine"


def test_another_model_asks_anew(mac: Machine) -> None:
    mac.start().embed([TEXT])
    mac.engine.batches.clear()
    for backend in (mac.engine, mac.gpu, mac.cpu):
        backend.id = "model-2"
    dispatcher = mac.start()
    assert dispatcher.backend == "CPU"
    dispatcher.embed([TEXT])
    assert mac.tried(mac.engine)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"machine": 1}', '{"machine": {}, "verdicts": {"GPU": 3}}'])
def test_a_damaged_file_of_verdicts_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    verdicts = VerdictFile(tmp_path, "model", MAC)
    assert verdicts.get("GPU") is None
    verdicts.put("GPU", Verdict("slow"))
    assert VerdictFile(tmp_path, "model", MAC).get("GPU") == Verdict("slow")


async def test_no_vector_of_a_failed_backend_leaves_the_service(mac: Machine) -> None:
    """All that is stored comes from here."""
    neural = Neural(mac.start())
    await neural.embed([TEXT])
    mac.engine.change = spoil(0.0)
    mac.gpu.change = spoil(float("nan"))
    vectors = await neural.embed([TEXT, "other"])
    assert np.array_equal(vectors, HashEmbedder().embed([f"start {TEXT}", "start other"]))
    assert [one.state for one in neural.backends] == ["failed", "failed", "in use"]
    mac.cpu.change = spoil(0.0)
    with pytest.raises(ModelError, match="zero or not finite"):
        await neural.embed([TEXT])
    assert "zero or not finite" in neural.failure
    neural.close()


async def test_queries_and_batches_at_once_agree_on_the_backend(mac: Machine) -> None:
    dispatcher = mac.start()
    dispatcher.embed([TEXT])
    mac.engine.change = spoil(float("nan"))
    asked = [asyncio.to_thread(dispatcher.embed_query, TEXT) for _ in range(8)]
    assert all(np.isfinite(vector).all() for vector in await asyncio.gather(*asked))
    assert dispatcher.backend != "Neural Engine"
