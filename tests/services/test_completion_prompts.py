"""What the model is given: the whole window once that was read, the lines next to the cursor until then."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.support.fakes import FakePower, FakeRemote, FakeRetrieval, FakeWorker, fake_models
from tests.support.worker import supervisor

from impetus.config import CompletionSettings, Settings
from impetus.domain.completion import BRIEF_PREFIX_CHARACTERS
from impetus.domain.types import Cursor, Definition, Document, InfillPrompt, Priority, SymbolHit
from impetus.errors import ModelError
from impetus.services.completer import Completer
from impetus.services.completion_prompts import FIRST_SPEED, SOON_S
from impetus.services.workspace import View

ROOT = Path("/project")
INDEX = Priority.INDEX
VIEW = View((ROOT,), {})
LINES = "".join(f"number_{i} = helper({i})\n" for i in range(200))
HELPER = Definition("helper", "function", 0, 30, 1, 2, 1, (), "def helper(x: int) -> int:", "")


class World:
    """The cursor rests when `rested` is set; the clock stands where `time` is."""

    def __init__(self, *answers: str | Exception, remote: bool = False, power: FakePower | None = None) -> None:
        self.worker = FakeWorker(*answers)
        self.remote = FakeRemote("1\n")
        self.models = fake_models(self.worker, self.remote, power=power)
        address = {"base_url": "http://localhost:1/v1", "model": "far"} if remote else {}
        settings = CompletionSettings(ahead=False, **address)  # type: ignore[arg-type]
        self.rested = asyncio.Event()
        self.time = 0.0
        self.completer = Completer(
            self.models.named_by(Settings(completion=settings)),
            FakeRetrieval(definitions=[SymbolHit(ROOT, "lib/helpers.py", HELPER)]),
            settings,
            clock=lambda: self.time,
            rest=self.rested.wait,
        )

    def cursor(self, marked: str, version: int = 1) -> Cursor:
        text = marked.replace("|", "", 1)
        return Cursor(Document(str(ROOT / "a.py"), text, version, "python"), marked.index("|"))

    async def complete(self, marked: str) -> None:
        await self.completer.complete(self.cursor(marked), VIEW)

    async def read_ahead(self) -> None:
        """Until the model has read what it would need here."""
        self.rested.set()
        while INDEX not in self.worker.priorities:  # noqa: ASYNC110 - tasks of the completer's own
            await asyncio.sleep(0)
        while self.worker.ended < len(self.worker.prompts):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    @property
    def prompts(self) -> Sequence[InfillPrompt]:
        return [prompt for prompt in self.worker.prompts if isinstance(prompt, InfillPrompt)]


@pytest.fixture
async def worlds():
    made: list[World] = []

    def make(*answers: str | Exception, **more) -> World:
        made.append(World(*answers, **more))
        return made[-1]

    yield make
    for world in made:
        world.completer.close()
        await world.models.close()


async def test_the_first_request_of_a_place_gets_the_next_lines(worlds) -> None:
    world = worlds("1\n")
    await world.complete(f"{LINES}x = |\n{LINES}")
    (prompt,) = world.prompts
    assert prompt.context == () and len(prompt.prefix) <= BRIEF_PREFIX_CHARACTERS
    assert prompt.prefix.endswith("x = ") and prompt.prefix.startswith("number_")


async def test_when_the_cursor_has_rested_there_is_everything(worlds) -> None:
    world = worlds("1\n")
    await world.complete(f"{LINES}x = |\n{LINES}")
    async with asyncio.timeout(5):
        await world.read_ahead()
    await world.complete(f"{LINES}x = y|\n{LINES}")
    first, read, second = world.prompts
    assert world.worker.priorities == [Priority.TYPING, INDEX, Priority.TYPING]
    assert len(read.prefix) > len(first.prefix) and [file.path for file in read.context] == ["lib/helpers.py"]
    assert (second.prefix, second.suffix, second.context) == (f"{read.prefix}y", read.suffix, read.context)


async def test_what_is_read_leaves_the_room_that_the_answer_will_want(worlds) -> None:
    """Or a model with little room would read other passages than those it is asked with."""
    world = worlds("1 2 3\n")
    await world.completer.prepare(world.cursor(f"{LINES}x = |\n"), VIEW)
    await world.complete(f"{LINES}x = |\n")
    read, asked = world.worker.samplings
    assert world.prompts[0] == world.prompts[1]
    assert read.max_tokens == asked.max_tokens


async def test_of_what_is_read_nothing_more_is_computed_than_the_first_piece(worlds) -> None:
    world = worlds("1 2 3\n")
    await world.completer.prepare(world.cursor(f"{LINES}x = |\n"), VIEW)
    assert (world.worker.pieces, world.worker.ended) == (1, 1)


async def test_a_small_document_is_given_whole_from_the_beginning(worlds) -> None:
    world = worlds("1\n")
    await world.complete("x = helper(|")
    assert [file.path for file in world.prompts[0].context] == ["lib/helpers.py"]


async def test_what_is_read_is_where_the_cursor_was_last(worlds) -> None:
    world = worlds("1\n")
    await world.complete(f"{LINES}x = |\n")
    await world.complete(f"{LINES}x = 1\n{LINES}y = |\n")
    async with asyncio.timeout(5):
        await world.read_ahead()
    (read,) = [p for p, priority in zip(world.prompts, world.worker.priorities, strict=True) if priority is INDEX]
    assert read.prefix.endswith("y = ")


async def test_a_closed_document_is_not_read(worlds) -> None:
    world = worlds("1\n")
    await world.complete(f"{LINES}x = |\n")
    world.completer.forget(str(ROOT / "a.py"))
    world.rested.set()
    await world.complete("x = |")
    assert INDEX not in world.worker.priorities


async def test_a_cursor_that_rests_is_reason_enough(worlds) -> None:
    world = worlds("1\n")
    world.completer.rest(world.cursor(f"{LINES}x = |\n"), VIEW)
    async with asyncio.timeout(5):
        await world.read_ahead()
    assert world.prompts[0].prefix.endswith("x = ")
    await world.complete(f"{LINES}x = |\n")
    assert world.prompts[1] == world.prompts[0]


async def test_the_same_is_not_read_twice(worlds) -> None:
    world = worlds("1\n")
    cursor = world.cursor(f"{LINES}x = |\n")
    await world.completer.prepare(cursor, VIEW)
    await world.completer.prepare(cursor, VIEW)
    assert world.worker.priorities == [INDEX]


async def test_a_fast_model_gets_more_at_once(worlds) -> None:
    world = worlds("1\n")
    marked = f"{LINES}x = |\n{LINES}"
    await world.complete(marked)
    brief = len(world.prompts[0].prefix) + len(world.prompts[0].suffix)
    assert brief > FIRST_SPEED * SOON_S, "the test needs a longer text"
    world.worker.on_prompt = lambda: setattr(world, "time", world.time + 0.01)
    await world.complete(f"{LINES * 2}y = |\n")  # seen reading it in 10 ms
    await world.complete(f"{LINES * 3}z = |\n")
    assert len(world.prompts[2].prefix) > len(world.prompts[1].prefix)


async def test_a_model_that_was_unloaded_has_read_nothing(worlds) -> None:
    world = worlds("1\n")
    cursor = world.cursor(f"{LINES}x = |\n")
    await world.completer.prepare(cursor, VIEW)
    await world.worker.unload(Path("/models/fim"))
    await world.completer.complete(cursor, VIEW)
    assert len(world.prompts[1].prefix) < len(world.prompts[0].prefix)


async def test_a_machine_that_is_to_be_spared_reads_nothing_ahead(worlds) -> None:
    power = FakePower(*["on battery"] * 1_000)
    world = worlds("1\n", power=power)
    world.completer.rest(world.cursor(f"{LINES}x = |\n"), VIEW)
    world.rested.set()
    async with asyncio.timeout(5):
        while power.asked < 3:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    assert world.worker.prompts == []


async def test_remote_models_read_nothing_ahead_and_get_everything(worlds) -> None:
    world = worlds(remote=True)
    cursor = world.cursor(f"{LINES}x = |\n")
    await world.completer.prepare(cursor, VIEW)
    assert world.remote.prompts == []
    await world.completer.complete(cursor, VIEW)
    assert len(world.remote.prompts[0].prefix) > BRIEF_PREFIX_CHARACTERS
    assert world.remote.prompts[0].context


async def test_a_model_that_fails_is_not_in_the_way(worlds) -> None:
    world = worlds(ModelError("broken"), "1\n")
    world.completer.rest(world.cursor(f"{LINES}x = |\n"), VIEW)
    async with asyncio.timeout(5):
        await world.read_ahead()
    found = await world.completer.complete(world.cursor(f"{LINES}x = |\n"), VIEW)
    assert found is not None and found.text == "1"


async def test_a_model_that_crashes_is_not_loaded_with_every_document_that_is_opened() -> None:
    settings = Settings(completion=CompletionSettings(model="/models/lethal"))
    worker = supervisor()
    models = fake_models(worker)
    completer = Completer(models.named_by(settings), FakeRetrieval(), settings.completion)
    said = []
    for _ in range(4):
        with pytest.raises(ModelError) as failed:
            await completer.load()
        said.append("SIGKILL" in str(failed.value))
    assert said == [True, True, False, False]
    await models.close()


async def test_without_a_model_nothing_is_loaded(worlds) -> None:
    world = worlds("1\n")
    await world.completer.load()
    assert world.worker.states()
    models, chosen = fake_models(FakeWorker()), CompletionSettings(model="")
    completer = Completer(models.named_by(Settings(completion=chosen)), FakeRetrieval(), chosen)
    await completer.load()
    completer.rest(world.cursor("x = |"), VIEW)
    await models.close()
