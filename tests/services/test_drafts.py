"""When a draft model is used, what the status says of it, and how `impetus bench` comes to its verdict."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.support.fakes import FakeDraftVerdicts, FakeRemote, FakeWorker, fake_models
from tests.support.scripted_session import ScriptedSession
from tests.support.terminal import Terminal
from tests.support.tiny_model import make_model, make_tokenizer

from impetus.cli.runtime import Runtime
from impetus.config import ChatSettings, Settings
from impetus.domain import drafts
from impetus.domain.canary import Verdict
from impetus.domain.types import Priority, Sampling, TextPrompt
from impetus.services import bench_draft
from impetus.services.bench import Report
from impetus.services.models import Models, SessionModels

PROMPT = TextPrompt("x")


class World:
    """A chat model with a draft, over a fake worker."""

    def __init__(self, folder: Path) -> None:
        self.model, self.draft = folder / "big", folder / "small"
        for path in (self.model, self.draft):
            path.mkdir()
        self.worker = FakeWorker("x")
        self.verdicts = FakeDraftVerdicts()
        self.models: Models = fake_models(self.worker, FakeRemote("far"), drafts=self.verdicts)

    def session(self, **chat: str) -> SessionModels:
        settings = ChatSettings(**{"model": str(self.model), "draft_model": str(self.draft)} | chat)  # type: ignore[arg-type]
        return self.models.named_by(Settings(chat=settings))

    async def ask(self, session: SessionModels, role: Any = "chat") -> Path | None:
        """The draft that the worker was given."""
        async with aclosing(session.stream(role, PROMPT, Sampling(), Priority.CHAT)) as steps:
            async for _ in steps:
                pass
        return self.worker.drafts[-1]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.models.close()


@pytest.mark.parametrize(
    ("verdict", "used", "says"),
    [
        (None, False, "draft: not measured; run `impetus bench`"),
        (drafts.judge(14.0, 10.0), True, "draft: in use (1.40 ×)"),
        (drafts.judge(11.0, 10.0), True, "draft: in use (1.10 ×)"),
        (drafts.judge(10.9, 10.0), False, "draft: no gain here (1.09 ×)"),
        (drafts.judge(8.3, 10.0), False, "draft: no gain here (0.83 ×)"),
        (Verdict("it cannot be used"), False, "draft: it cannot be used"),
    ],
)
async def test_it_is_used_where_it_was_measured_to_gain(
    world: World, verdict: Verdict | None, used: bool, says: str
) -> None:
    if verdict is not None:
        world.verdicts.put(world.model, world.draft, verdict)
    session = world.session()
    assert await world.ask(session) == (world.draft if used else None)
    chat, completion = session.states()
    assert chat.detail.endswith(f"; {says}")
    assert "draft" not in completion.detail
    assert await world.ask(session, "completion") is None


async def test_a_verdict_counts_from_when_it_is_there(world: World) -> None:
    session = world.session()
    assert await world.ask(session) is None
    world.verdicts.put(world.model, world.draft, drafts.judge(2.0, 1.0))
    assert await world.ask(session) == world.draft


async def test_without_the_setting_or_with_a_server_there_is_none(world: World) -> None:
    for chat in ({"draft_model": ""}, {"base_url": "http://127.0.0.1:1/v1"}, {"model": ""}):
        session = world.session(**chat)
        assert session.draft is None
        assert "draft" not in session.states()[0].detail


async def test_a_folder_that_is_not_there_is_said(world: World) -> None:
    session = world.session(draft_model="/models/gone")
    assert session.states()[0].detail.endswith(
        "draft: there is no model folder at /models/gone; set chat.draft_model to another one"
    )


async def test_unloading_gives_back_both(world: World) -> None:
    session = world.session()
    assert session.draft is not None
    await session.draft.load()
    assert set(world.worker.states()) == {world.model, world.draft}
    await session.unload("chat")
    assert not world.worker.states()


async def test_a_draft_that_was_given_and_never_guessed_is_not_measured_but_said(tmp_path: Path) -> None:
    """As a model with sliding windows behaves, or one that leaves its draft no memory."""
    world = World(tmp_path)
    world.worker = FakeWorker("one two three")
    world.models = fake_models(world.worker, drafts=world.verdicts)
    session, report = ScriptedSession(), Report()
    session.models.draft = world.session().draft
    await bench_draft.draft(report, session, lambda _: None)  # type: ignore[arg-type]
    assert report.figures == []
    assert "big with small: it cannot be used" in report.missing[0]
    assert world.draft in world.worker.drafts and None in world.worker.drafts
    assert "draft: it cannot be used" in world.session().states()[0].detail
    await world.models.close()


# -- `impetus bench`, on tiny models -----------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("IMPETUS_HOME", str(path))
    for name, seed in (("big", 7), ("small", 7), ("stranger", 8)):
        make_model(path / "models" / name, context=2048, seed=seed)
    make_tokenizer(path / "models" / "stranger", texts=("SELECT name FROM people;\n" * 5,))
    monkeypatch.setenv("IMPETUS_CHAT_MODEL", str(path / "models" / "big"))
    monkeypatch.setenv("IMPETUS_CHAT_DRAFT_MODEL", str(path / "models" / "small"))
    return path


def terminal() -> Terminal:
    made = Terminal()
    made.runtime = Runtime()
    return made


def detail(folder: Path) -> str:
    return next(
        model["detail"]
        for model in terminal().value("status", "--workspace", str(folder))["models"]
        if model["role"] == "chat"
    )


def test_the_bench_measures_both_ways_and_keeps_the_verdict(home: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    assert detail(root).endswith("draft: not measured; run `impetus bench`")
    value = terminal().value("models", "bench", "big", "--role", "chat")
    figures = {(figure["kind"], figure["subject"]): figure for figure in value["figures"]}
    drafted = figures["tokens per second", "big with small"]
    alone = figures["tokens per second", "big without it"]
    gain = figures["gain of the draft", "big with small"]
    share = int(drafted["conditions"].removeprefix("3 questions, ").partition("%")[0])
    assert share > 50, "the same weights; all but ids without a token are guessed"
    assert gain["value"] == pytest.approx(drafted["value"] / alone["value"])
    assert gain["conditions"] == detail(root).rpartition("; ")[2]
    assert ("in use" in gain["conditions"]) == (gain["value"] >= drafts.LEAST_GAIN)


def test_a_draft_with_other_tokens_is_said_by_the_bench_and_by_the_status(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setenv("IMPETUS_CHAT_DRAFT_MODEL", str(home / "models" / "stranger"))
    value = terminal().value("models", "bench", "big", "--role", "chat")
    assert not any("stranger" in figure["subject"] for figure in value["figures"])
    (said,) = value["not_measured"]
    assert "stranger cannot draft for big" in said and "set chat.draft_model" in said
    assert "draft: stranger cannot draft for big" in detail(root)
