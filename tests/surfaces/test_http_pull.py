"""Models fetched over HTTP: progress as events, errors with their status, and an end when the client leaves."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.http import Port, frames, post, refusal, send

from impetus.errors import ImpetusError, ModelError, NotFound
from impetus.services.models import PullStep

DEADLINE = 20


@dataclass(frozen=True)
class Step:
    state: str
    file: str = ""
    bytes: int = 0
    total: int = 0


class FakePull:
    """Tells its steps, then fails, waits for ever, or is done."""

    def __init__(self, *steps: Step, fails: ImpetusError | None = None, waits: bool = False) -> None:
        self._steps = steps
        self._fails = fails
        self._waits = waits
        self.names: list[str] = []
        self.asked = asyncio.Event()
        self.canceled = asyncio.Event()

    async def pull(self, name: str, on_progress: Callable[[PullStep], None]) -> Path:
        self.names.append(name)
        self.asked.set()
        for step in self._steps:
            on_progress(step)
        if self._fails is not None:
            raise self._fails
        if self._waits:
            try:
                await asyncio.Event().wait()
            finally:
                self.canceled.set()
        return Path("/models") / name


def port(pull: FakePull, role: Any = "admin") -> Port:
    made = Port(role=role)
    made.session.engine.pull = pull
    return made


STEPS = (Step("listing"), Step("fetching", "model.safetensors", 5, 10), Step("done"))


async def test_progress_comes_as_events() -> None:
    _, text = await post(port(FakePull(*STEPS)), "/api/models/pull", {"model": "qwen"})
    assert frames(text) == [
        {"model": "qwen", "state": "listing", "file": "", "bytes": 0, "total": 0},
        {"model": "qwen", "state": "fetching", "file": "model.safetensors", "bytes": 5, "total": 10},
        {"model": "qwen", "state": "done"},
        "[DONE]",
    ]


async def test_it_can_be_waited_for() -> None:
    assert await post(port(FakePull(*STEPS)), "/api/models/pull", {"model": "qwen", "stream": False}) == (
        200, {"model": "qwen", "state": "done"},
    )  # fmt: skip


@pytest.mark.parametrize("stream", [True, False])
async def test_what_fails_at_once_has_its_own_status(stream: bool) -> None:
    body = {"model": "qwen", "stream": stream}
    error = await refusal(port(FakePull(fails=NotFound("There is none"))), "/api/models/pull", body, 404)
    assert error["message"] == "There is none"


async def test_what_fails_later_is_told_in_the_stream() -> None:
    _, text = await post(port(FakePull(STEPS[0], fails=ModelError("cut"))), "/api/models/pull", {"model": "qwen"})
    assert frames(text)[-1]["error"]["message"] == "cut"


@pytest.mark.parametrize("name", ["../etc/passwd", "owner/repository", "http://x", "a b", ""])
async def test_only_names_of_the_catalogue_are_taken(name: str) -> None:
    pull = FakePull()
    assert (await refusal(port(pull), "/api/models/pull", {"model": name}))["param"] == "model"
    assert pull.names == []


async def test_it_is_for_admins() -> None:
    pull = FakePull()
    assert (await refusal(port(pull, "user"), "/api/models/pull", {"model": "qwen"}, 403))["code"] == "ROLE_REQUIRED"
    assert pull.names == []


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_ends_the_fetch(stream: bool) -> None:
    pull = FakePull(STEPS[0], waits=True)
    made = port(pull)
    async with asyncio.timeout(DEADLINE), made.served() as url:
        reader, writer = await send(url, made.key, "/api/models/pull", {"model": "qwen", "stream": stream})
        if stream:
            await reader.readuntil(b"listing")
        else:
            await pull.asked.wait()
        writer.close()
        await pull.canceled.wait()
