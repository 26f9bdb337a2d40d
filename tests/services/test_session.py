"""Several clients of one engine, each with settings of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from tests.support.documents import documents_in
from tests.support.embedder import HashEmbedder
from tests.support.fakes import FakeFiles, FakeWorker, fake_models
from tests.support.scripted_session import MemoryConversations, MemoryTallies, NothingToPull

from impetus.adapters.parse_pool import ParsePool
from impetus.app import create_engine
from impetus.config import Settings, resolve
from impetus.domain.types import (
    ChatTurn,
    Completion,
    Cursor,
    Document,
    Grounding,
    Health,
    Message,
    Role,
    Sampling,
    SearchQuery,
    Sources,
)
from impetus.services.engine import Engine, Parts
from impetus.services.repository import Repository
from impetus.services.session import Session


def settings(**sections: dict[str, Any]) -> Settings:
    chosen, problems = resolve({"index": {"watch": False}}, sections)
    assert not problems
    return chosen


def no_folders(root: Path) -> Repository:
    raise AssertionError("these tests open no folder")


def engine_with(worker: FakeWorker) -> Engine:
    parts = Parts(
        files_for=lambda _: FakeFiles(),
        embedder=HashEmbedder(),
        analyzer=ParsePool(1),
        watcher=None,
        models=fake_models(worker),
        tallies=MemoryTallies(),
        repository_for=no_folders,
        documents=documents_in(Path("/dev/null")),
        conversations=MemoryConversations(),
        pull=NothingToPull(),
    )  # type: ignore[arg-type]
    return Engine(Settings(), parts)


async def complete(session: Session, text: str) -> Completion | None:
    return await session.complete(Cursor(Document("/a.py", text, 1, "python"), len(text)))


# -- models ------------------------------------------------------------------------------------------------------------


async def test_two_clients_in_one_document_do_not_overtake_each_other() -> None:
    gate = asyncio.Semaphore(0)
    worker = FakeWorker("1", gate=gate)
    engine = engine_with(worker)
    one, two = Session(engine), Session(engine)

    async def asked(session: Session, text: str) -> "asyncio.Task[Completion | None]":
        worker.asked.clear()
        task = asyncio.create_task(complete(session, text))
        await worker.asked.wait()
        return task

    requests = [await asked(one, "x = "), await asked(two, "y = "), await asked(two, "yy = ")]
    for _ in range(3):
        gate.release()
    answers = await asyncio.gather(*requests)
    assert [answer.text if answer else None for answer in answers] == ["1", None, "1"]
    await engine.close()


async def test_each_client_has_its_models_and_may_change_them() -> None:
    worker = FakeWorker("1")
    engine = engine_with(worker)
    one, two = Session(engine), Session(engine, settings(completion={"enable": False}, chat={"model": "/models/big"}))
    answer = await complete(one, "x = ")
    assert answer is not None
    assert answer.model == "fim"
    assert await complete(two, "x = ") is None
    assert [[state.id for state in each.status().models if state.role == "chat"] for each in (one, two)] == [
        [""],
        ["big"],
    ]
    await two.configure(settings(completion={"model": "/models/other"}))
    answer = await complete(two, "x = ")
    assert answer is not None
    assert answer.model == "other"
    assert await two.context_length("completion") == 8192
    assert await two.context_length("chat") is None  # none is configured
    await engine.close()


async def test_the_status_is_told_when_a_model_is_ready() -> None:
    engine = engine_with(FakeWorker("1"))
    told = asyncio.Event()
    engine.subscribe(lambda status: told.set())
    session = Session(engine)
    assert await complete(session, "x = ") is not None
    await told.wait()
    assert [state.detail for state in session.status().models if state.state == "failed"] == []
    await engine.close()


# -- folders -----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made = await create_engine(settings(), home=tmp_path / "home")
    yield made
    await made.close()


async def found(session: Session, text: str) -> list[str]:
    await session.indexed()
    return sorted({hit.path for hit in await session.search(SearchQuery(text))})


async def test_an_index_keeps_the_settings_of_its_first_client_and_the_other_is_told(
    engine: Engine, root: Path
) -> None:
    (root / "a.py").write_text("def parse_header(): pass\n")
    (root / "b.py").write_text("def parse_header_again(): pass\n")
    first, second = Session(engine, settings(index={"exclude": ["b.py"]})), Session(engine)
    await first.open_root(root)
    await second.open_root(root)
    for session, path in ((first, "a.py"), (second, "b.py")):
        session.documents.set(Document(str(root / path), "", 1, "python"))
    assert engine.index(root).open_first() == {"a.py", "b.py"}
    assert await found(second, "parse_header") == ["a.py"]
    assert first.status().problems == ()
    (problem,) = second.status().problems
    assert "opened it first" in problem.message
    assert second.status().health is Health.WARNING
    await first.close()
    await second.configure(settings(index={"exclude": ["a.py"]}))  # alone now: its settings hold
    assert await found(second, "parse_header") == ["b.py"]
    assert second.status().problems == ()
    await second.close()


async def test_a_client_over_all_folders_keeps_none_of_others_open_and_sets_none_up(engine: Engine, root: Path) -> None:
    """The HTTP port is one."""
    (root / "a.py").write_text("def parse_header(): pass\n")
    (root / "b.py").write_text("def parse_header_again(): pass\n")
    over_all, editor = Session(engine, sees_all=True), Session(engine, settings(index={"exclude": ["b.py"]}))
    await editor.open_root(root)
    editor.documents.set(Document(str(root / "a.py"), "", 1, "python"))
    assert await found(over_all, "parse_header") == ["a.py"]
    assert engine.index(root).open_first() == {"a.py"}
    assert (over_all.status().problems, editor.status().problems) == ((), ())
    assert [index.root for index in over_all.status().indexes] == [root]
    await editor.configure(settings(index={"exclude": ["a.py"]}))
    assert await found(over_all, "parse_header") == ["b.py"]
    await over_all.configure(settings())
    assert await found(over_all, "parse_header") == ["b.py"]
    await editor.close()
    assert over_all.roots == ()
    await over_all.close()


async def test_a_client_over_all_folders_keeps_those_of_its_own(engine: Engine, root: Path) -> None:
    (root / "a.py").write_text("def parse_header(): pass\n")
    over_all, editor = Session(engine, sees_all=True), Session(engine)
    for session in (over_all, editor):
        await session.open_root(root)
    await editor.close()
    assert over_all.roots == (root,)
    assert await found(over_all, "parse_header") == ["a.py"]
    await over_all.close()
    assert engine.roots == ()


async def test_a_file_is_read_within_the_limit_of_its_index(tmp_path: Path, root: Path) -> None:
    """Not of the engine's own settings."""
    engine = await create_engine(settings(index={"max_file_size": 1_000}), home=tmp_path / "home")
    (root / "large.py").write_text("def needle_in_it(): pass\n" + "# padding line\n" * 100)
    small, large = Session(engine), Session(engine, settings(index={"max_file_size": 100_000}))
    await small.open_root(root)
    assert await found(small, "needle_in_it") == []
    await small.close()
    await large.open_root(root)
    assert await found(large, "needle_in_it") == ["large.py"]
    await large.close()
    await engine.close()


async def test_a_client_sees_the_state_of_its_own_folders(engine: Engine, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    one, two = Session(engine), Session(engine)
    await one.open_root(root)
    await two.open_root(other)
    assert [index.root for index in one.status().indexes] == [root]
    assert {index.root for index in engine.status().indexes} == {root, other}
    await engine.close()  # before its clients
    assert one.status().indexes == ()
    await one.close()
    await two.close()


async def test_a_chat_can_be_kept_to_one_folder(engine: Engine, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "gate.py").write_text("def open_gate():\n    return 1\n")
    session = Session(engine)
    for each in (root, other):
        await session.open_root(each)
    await session.indexed()
    asked = [Message(Role.USER, "Where is open_gate?")]
    seen = []
    for roots in ((), (other,), (root,)):
        async with aclosing(session.chat(ChatTurn(tuple(asked), Sampling(), Grounding(roots=tuple(roots))))) as events:
            sources = [event.sources async for event in events if isinstance(event, Sources)]
        seen.append({source.hit.root for source in sources[0]})
    assert other in seen[0]
    assert seen[1] == {other}
    assert other not in seen[2]
    await session.close()
