"""The loop of the model thread: whose turn it is, what a cancel costs, what is in memory. All on the test's own thread:
models put messages into the inbox in the middle of their steps, as the reading thread would."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.fakes import FakeEmbedder
from tests.support.text_model import FakeTextModel

from impetus.domain.types import End, Piece, Prefill, Priority, Sampling, TextPrompt
from impetus.errors import ContextOverflow, InsufficientMemory, ModelError, NotFound
from impetus.worker import messages
from impetus.worker.loop import EMBED_BATCH, Loop
from impetus.worker.messages import Cancel, Done, Embed, Embedded, Failed, Held, Load, Stop, Unload, Working
from impetus.worker.residency import SCARCE_BYTES, Machine

GB = 1 << 30


def start(number: int, text: str, priority: Priority = Priority.CHAT, model: str = "/m/a") -> messages.Start:
    return messages.start(number, model, TextPrompt(text), Sampling(), priority)


class World:
    """A loop over fake models that share one list of actions, and all that it sent."""

    def __init__(self, available: int = 100 * GB, limit: int = 100 * GB, needed: int = GB, nbytes: int = GB) -> None:
        self.available = available
        self.now = 0.0
        self.slow_load_s = 0.0
        self.actions: dict[str, Callable[[], None]] = {}
        self.models: dict[str, FakeTextModel] = {}
        self.loads: list[str] = []
        self.sent: list[Any] = []
        self.embedded: list[int] = []
        self.failing: Exception | None = None
        self.nbytes = nbytes
        machine = Machine(lambda: self.available, lambda folder: needed, limit)
        self.loop = Loop(self.load, self.embedder, machine, self.send, lambda: self.now)

    def load(self, folder: Path) -> FakeTextModel:
        self.loads.append(str(folder))
        self.now += self.slow_load_s
        if self.failing is not None:
            raise self.failing
        model = FakeTextModel(actions=self.actions, context_length=64, chunk=1, nbytes=self.nbytes)
        self.models[str(folder)] = model
        return model

    def embedder(self, name: str) -> FakeEmbedder:
        if name != FakeEmbedder.id:
            raise NotFound(f"There is no embedder {name}")
        world = self
        self.loads.append(name)

        class Recording(FakeEmbedder):
            def embed(self, texts: Any) -> Any:
                world.embedded.append(len(texts))
                for text in texts:
                    world.actions.get(text, lambda: None)()
                return super().embed(texts)

        return Recording()

    def put(self, *items: Any) -> None:
        for item in items:
            self.loop.inbox.put(item)

    def send(self, *items: Any) -> None:
        self.sent += items
        if Working("") in items:
            self.put(Stop())

    def run(self, *items: Any) -> None:
        """Until nothing is left to do."""
        self.put(*items)
        self.loop.run()

    def told(self, number: int) -> list[Any]:
        return [item for item in self.sent if getattr(item, "number", None) == number]

    def error(self, number: int) -> Exception:
        answers = self.told(number)
        assert isinstance(answers[-1], Failed)
        assert sum(isinstance(item, Failed) for item in answers) == 1
        return messages.error_of(answers[-1])


def test_a_sequence_is_read_said_and_ended() -> None:
    world = World()
    world.run(start(1, "read this | one two"), start(2, "| x last", Priority.INDEX))
    assert [type(item.step) for item in world.told(1)] == [Prefill, Prefill, Piece, Piece, End]
    assert world.loads == ["/m/a"]
    assert world.models["/m/a"].closed


def test_who_types_goes_before_who_chats_before_the_index() -> None:
    world = World()
    world.actions["chat2"] = lambda: world.put(start(3, "type1 | type2", Priority.TYPING))
    world.run(start(1, "| index1 last", Priority.INDEX), start(2, "chat1 chat2 chat3 | chat4", Priority.CHAT))
    assert world.models["/m/a"].log == ["chat1", "chat2", "type1", "type2", "chat3", "chat4", "index1", "last"]


def test_priority_holds_over_all_models_and_equals_take_turns() -> None:
    world = World()
    order: list[str] = []
    for word in ("a1", "a2", "b1", "b2", "t1"):
        world.actions[word] = lambda word=word: order.append(word)
    world.actions["a2"] = lambda: (order.append("a2"), world.put(start(3, "| t1", Priority.TYPING, "/m/b")))[0]
    world.run(start(1, "| a1 a2"), start(2, "| b1 b2", model="/m/b"), start(9, "| last", Priority.INDEX))
    assert order == ["a1", "b1", "a2", "t1", "b2"]


def test_a_cancelled_sequence_takes_no_further_step() -> None:
    world = World()
    world.actions["two"] = lambda: world.put(Cancel(1))
    world.run(start(1, "| one two three four"), start(2, "| x last", Priority.INDEX))
    assert world.models["/m/a"].log == ["one", "two", "x", "last"]
    assert [item.step.text for item in world.told(1)] == ["one ", "two "]


def test_what_is_cancelled_before_its_turn_is_not_even_begun() -> None:
    world = World()
    world.run(
        start(1, "| one", model="/m/never"), Embed(3, "fake-v1", ("a",)), Cancel(1), Cancel(3), start(2, "| last")
    )
    assert world.loads == ["/m/a"]
    assert world.told(1) == world.told(3) == []


def test_an_error_reaches_its_own_sequence_only() -> None:
    world = World()
    world.run(start(1, "too long " * 100), Load(2, "/m/a"), start(3, "| fine last"))
    error = world.error(1)
    assert isinstance(error, ContextOverflow)
    assert error.limit == 64
    assert world.told(2) == [Done(2)]
    assert [item.step.text for item in world.told(3)[:-1]] == ["fine ", "last "]


def test_a_step_that_fails_fails_its_priority_and_nobody_else() -> None:
    world = World()

    def fail() -> None:
        raise RuntimeError("the kernel failed\nwith details")

    world.actions["!fail"] = fail
    world.run(
        start(1, "| !fail"),
        start(2, "| waits too"),
        start(3, "| x y", Priority.INDEX),
        start(4, "| last", Priority.INDEX),
    )
    for number in (1, 2):
        error = world.error(number)
        assert type(error) is ModelError
        assert "the kernel failed;" in str(error)
    assert "x" in world.models["/m/a"].log
    assert world.models["/m/a"].waiting() is None


def test_a_failure_that_names_its_sequences_spares_the_others() -> None:
    world = World()

    def fail() -> None:
        raise ModelError("out of memory", numbers=(1,))

    world.actions["!fail"] = fail
    world.run(start(1, "read !fail | x"), start(2, "| fine"))
    assert str(world.error(1)) == "out of memory"
    assert isinstance(world.told(2)[-1].step, End)


def test_a_request_that_loaded_its_model_is_timed_from_then_on() -> None:
    """A slow disk may take longer over a load than anything else is allowed to take."""
    world = World()
    world.slow_load_s = 1_000
    seen: list[tuple[str, float]] = []
    world.actions["look"] = lambda: seen.append(world.loop.progress())
    world.run(start(1, "!begin look | last"))
    assert seen == [("request", 0.0)]


def test_the_model_is_named_before_its_work_begins() -> None:
    world = World()
    world.actions["look"] = lambda: seen.append(world.sent[-1])
    seen: list[Any] = []
    world.run(start(1, "| look"), start(2, "| last", Priority.INDEX, "/m/b"))
    working = [item.model for item in world.sent if isinstance(item, Working)]
    assert working == ["/m/a", "/m/b", "/m/a", "/m/b", ""]  # both are loaded first
    assert seen == [Working("/m/a")]


def test_the_model_is_named_before_a_request_for_it_is_taken_in() -> None:
    world = World()
    world.actions["look"] = lambda: seen.append(world.sent[-1])
    world.actions["next"] = lambda: world.put(start(2, "!begin look | last"))
    seen: list[Any] = []
    world.run(Load(1, "/m/a"), start(3, "| next then", model="/m/b"))
    assert seen == [Working("/m/a")]


def test_progress_says_what_is_computed_and_for_how_long() -> None:
    world = World()
    seen: list[tuple[str, float]] = []

    def look() -> None:
        world.now += 7
        seen.append(world.loop.progress())

    world.actions["look"] = look
    world.run(start(1, "!begin look | look last"))
    assert seen == [("request", 7.0), ("step", 7.0)]
    assert world.loop.progress() == ("", 0.0)


def test_texts_are_embedded_batch_by_batch_and_everybody_else_goes_first() -> None:
    world = World()
    texts = tuple(f"text {number}" for number in range(EMBED_BATCH * 2 + 5))
    world.actions["early"] = lambda: world.put(Embed(1, "fake-v1", texts), Embed(2, "other", ("x",)))
    world.run(start(5, "| early late"), start(6, "| 1 2 3 4 last", Priority.INDEX))
    assert world.models["/m/a"].log.index("late") < world.models["/m/a"].log.index("last")
    assert world.embedded == [EMBED_BATCH, EMBED_BATCH, 5]
    answer = world.told(1)[0]
    assert isinstance(answer, Embedded)
    found = np.frombuffer(answer.vectors, "<f4").reshape(-1, answer.dimensions)
    np.testing.assert_array_equal(found, FakeEmbedder().embed(texts))
    assert isinstance(world.error(2), NotFound)


# -- memory ------------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_refused_with_both_figures_and_loads_nothing() -> None:
    world = World(available=2 * GB, needed=3 * GB)
    world.run(start(1, "| x"))
    error = world.error(1)
    assert isinstance(error, InsufficientMemory)
    assert (error.needed, error.available) == (3 * GB, 2 * GB)
    assert "3.2 GB" in str(error)
    assert world.loads == []
    states = [item for item in world.sent if isinstance(item, Held)][-1].models
    assert states["/m/a"].state == "failed"


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({"available": 2 * GB}, "needs 3.2 GB of memory and 2.1 GB can be had; .* or close other programs"),
        ({"limit": 2 * GB}, "needs 3.2 GB of memory and 2.1 GB can be had; .* or raise models.memory_mb"),
    ],
)
def test_a_refusal_advises_what_helps(figures: dict[str, int], says: str) -> None:
    world = World(needed=3 * GB, **figures)
    world.run(start(1, "| x"))
    assert re.search(says, str(world.error(1)))


def test_the_least_recently_used_idle_model_makes_room() -> None:
    world = World(limit=2 * GB, needed=GB)
    world.actions["next"] = lambda: world.put(start(9, "| last", Priority.INDEX, "/m/c"))
    world.run(Load(1, "/m/a"), Load(2, "/m/b"), start(3, "| next x", model="/m/a"))
    assert world.loads == ["/m/a", "/m/b", "/m/c"]
    assert world.models["/m/b"].closed
    states = [set(item.models) for item in world.sent if isinstance(item, Held)]
    assert {"/m/a", "/m/b"} in states
    assert states[-1] == {"/m/a", "/m/c"}


def test_a_model_that_is_answering_is_not_let_go() -> None:
    world = World(limit=GB, needed=GB)
    world.actions["now"] = lambda: world.put(Load(2, "/m/b"))
    world.run(start(1, "| now then last"))
    assert isinstance(world.error(2), InsufficientMemory)
    assert world.loads == ["/m/a"]
    assert "then" in world.models["/m/a"].log


def drafted(number: int, text: str) -> messages.Start:
    return messages.start(number, "/m/a", TextPrompt(text), Sampling(), Priority.CHAT, "/m/small")


def test_a_draft_is_loaded_beside_its_model_and_handed_to_it() -> None:
    world = World()
    world.run(drafted(1, "| x last"), start(2, "| y"))
    assert world.loads == ["/m/a", "/m/small"]
    assert world.models["/m/a"].drafts == [world.models["/m/small"], None]


@pytest.mark.parametrize("times", [1, 2])
def test_a_model_does_not_make_room_for_its_draft_and_answers_without(times: int) -> None:
    world = World(limit=GB, needed=GB)
    world.run(*(drafted(number, "| x last") for number in range(times)))
    assert world.loads == ["/m/a"]
    assert world.models["/m/a"].drafts == [None] * times
    assert isinstance(world.told(0)[-1].step, End)


def test_unloading_tells_who_was_being_answered() -> None:
    world = World()
    world.actions["one"] = lambda: world.put(Unload(2, "/m/a"))
    world.run(start(1, "| one two"), start(3, "| last", Priority.INDEX, "/m/b"))
    assert "unloaded" in str(world.error(1))
    assert world.told(2) == [Done(2)]
    assert world.models["/m/a"].closed
    assert "two" not in world.models["/m/a"].log


def test_caches_of_a_model_in_use_make_room() -> None:
    world = World(limit=20, needed=10, nbytes=5)
    world.actions["now"] = lambda: world.put(Load(2, "/m/b"))
    world.run(start(1, "12345678 | x"), start(3, "| y now then last"))
    assert world.told(2) == [Done(2)]
    assert world.models["/m/a"].cached == 0
    assert "then" in world.models["/m/a"].log


def test_scarce_memory_halves_caches_and_then_lets_idle_models_go_one_at_a_time() -> None:
    world = World()
    seen: list[tuple[list[str], int]] = []

    def look() -> None:
        models = [name for name, model in world.models.items() if not model.closed]
        seen.append((models, world.models["/m/a"].cached))
        world.available, world.now = SCARCE_BYTES - 1, world.now + 10

    world.actions["look"] = look
    world.run(Load(8, "/m/b"), Load(9, "/m/c"), start(1, "1234 5678 | x"), start(2, "| y look look look look last"))
    assert seen == [
        (["/m/b", "/m/c", "/m/a"], 8),
        (["/m/b", "/m/c", "/m/a"], 0),
        (["/m/c", "/m/a"], 0),
        (["/m/a"], 0),
    ]
    assert isinstance(world.told(2)[-1].step, End)  # the model in use went on


def test_models_that_have_grown_past_the_limit_let_go_as_when_the_machine_has_no_more() -> None:
    world = World(limit=3 * GB)

    def grow() -> None:
        world.models["/m/a"].weights += 2 * GB
        world.now += 10

    closed: list[bool] = []
    world.actions |= {"grow": grow, "look": lambda: closed.append(world.models["/m/b"].closed)}
    world.run(Load(8, "/m/b"), start(2, "| look grow look last"))
    assert closed == [False, True]
    assert isinstance(world.told(2)[-1].step, End)


def test_caches_of_all_models_share_one_limit() -> None:
    world = World(limit=80, needed=0, nbytes=0)
    world.actions["look"] = lambda: setattr(world, "now", world.now + 10)
    world.run(start(1, "12345678 | x"), start(2, "abcdefgh | x", model="/m/b"), start(3, "| y look last", model="/m/b"))
    assert (world.models["/m/a"].cached, world.models["/m/b"].cached) == (0, 8)


def test_an_encoder_takes_what_is_free_and_goes_before_any_model() -> None:
    world = World(limit=GB)
    world.actions["next"] = lambda: world.put(Load(2, "/m/a"))
    world.run(Embed(1, "fake-v1", ("next",)), Embed(3, "fake-v1", ("a",)))
    assert isinstance(world.told(1)[-1], Embedded)
    assert world.told(2) == [Done(2)]
    assert isinstance(world.error(3), InsufficientMemory)
    assert world.loads == ["fake-v1", "/m/a"]


def test_an_encoder_that_nobody_uses_goes_where_memory_is_scarce() -> None:
    world = World()

    def scarce() -> None:
        world.available, world.now = SCARCE_BYTES - 1, world.now + 10

    def last() -> None:
        world.available = 100 * GB
        world.put(Embed(3, "fake-v1", ("a",)))

    world.actions |= {"scarce": scarce, "ask": last}
    world.run(Embed(1, "fake-v1", ("a",)), start(2, "| scarce x ask last", Priority.INDEX))
    assert isinstance(world.told(3)[-1], Embedded)
    assert world.loads == ["/m/a", "fake-v1", "fake-v1"]


@pytest.mark.parametrize(
    ("failure", "says"), [(ModelError("no config.json"), "no config.json"), (ValueError("odd"), "did not foresee: odd")]
)
def test_a_model_that_cannot_be_loaded_is_shown_as_failed_until_it_can(failure: Exception, says: str) -> None:
    world = World()
    world.failing = failure
    world.run(Load(1, "/m/a"))
    assert says in str(world.error(1))
    held = [item.models["/m/a"] for item in world.sent if isinstance(item, Held)]
    assert [state.state for state in held] == ["loading", "failed"]
    assert says in held[-1].detail
    world.failing = None
    world.run(start(2, "| last"))
    held = [item.models["/m/a"] for item in world.sent if isinstance(item, Held)]
    assert held[-1].state == "ready"
