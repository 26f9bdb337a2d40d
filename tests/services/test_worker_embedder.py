"""An embedding model in the worker: on the fake, and in the real process with MLX."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.fakes import FakeEmbedder, FakeWorker
from tests.support.tiny_encoder import write_encoder

from impetus import __version__
from impetus.adapters.local_embedder import LocalEmbedder
from impetus.adapters.verdict_file import VerdictFile
from impetus.domain.hardware import Hardware
from impetus.domain.ports import ModelWorker
from impetus.domain.prefixes import Prefixes
from impetus.errors import EngineStopped, ModelError
from impetus.services.dispatcher import Backend, Dispatcher
from impetus.services.worker_embedder import WorkerEmbedder
from impetus.worker.supervisor import Supervisor


def over(worker: ModelWorker, local: LocalEmbedder, folder: Path) -> WorkerEmbedder:
    return WorkerEmbedder(worker, folder, local.id, local.dimensions, local.prefixes)


@pytest.fixture
async def worker() -> AsyncIterator[Supervisor]:
    made = Supervisor((sys.executable, "-P", "-m", "impetus.app_worker", __version__, "0", "0"))
    yield made
    await made.close()


async def test_prefixes_go_before_the_texts() -> None:
    worker = FakeWorker("")
    made = WorkerEmbedder(worker, Path(FakeEmbedder.id), "model", 2, Prefixes("query: ", "text: "))
    expected = FakeEmbedder().embed(["text: one", "text: second", "query: one"])
    found = await asyncio.to_thread(lambda: [*made.embed(["one", "second"]), made.embed_query("one")])
    np.testing.assert_array_equal(found, expected)
    assert made.embed([]).shape == (0, 2)


async def test_an_engine_that_ends_is_no_failure_of_the_model() -> None:
    worker = FakeWorker("")
    made = WorkerEmbedder(worker, Path(FakeEmbedder.id), "model", 2, Prefixes())
    await worker.close()
    with pytest.raises(EngineStopped):
        await asyncio.to_thread(made.embed, ["one"])


@pytest.mark.parametrize("kind", ["bert", "nomic_bert"])
async def test_the_real_worker_and_numpy_are_one_space(worker: Supervisor, tmp_path: Path, kind: str) -> None:
    folder = write_encoder(tmp_path, kind, _name_or_path="nomic-ai/nomic-embed-text-v1.5")
    local = LocalEmbedder(folder)
    made = over(worker, local, folder)
    texts = ["def add(a, b):", "", "x" * 500]
    found = await asyncio.to_thread(made.embed, texts)
    assert (found * local.embed(texts)).sum(axis=1).min() > 0.9999
    query = await asyncio.to_thread(made.embed_query, "add two numbers")
    assert float(query @ local.embed_query("add two numbers")) > 0.9999


async def test_a_folder_that_is_gone_is_said(worker: Supervisor, tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "there")
    made = over(worker, LocalEmbedder(folder), tmp_path / "gone")
    with pytest.raises(ModelError, match="no embedding model"):
        await asyncio.to_thread(made.embed, ["one"])


async def test_the_dispatcher_trusts_the_worker_after_its_canary(worker: Supervisor, tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    local = LocalEmbedder(folder)
    verdicts = VerdictFile(tmp_path / "verdicts", local.id, Hardware("Linux", build="1"))
    slow = iter(range(10**9))
    dispatcher = Dispatcher(
        [Backend("GPU", over(worker, local, folder)), Backend("CPU", local)], verdicts, clock=lambda: next(slow)
    )
    await asyncio.to_thread(dispatcher.embed, ["one"])
    assert dispatcher.backend == "GPU"
    verdict = dispatcher.states()[0].verdict
    assert verdict is not None
    assert verdict.cosine > 0.9999
