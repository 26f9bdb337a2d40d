"""Models fetched from a hub over real HTTP on loopback: what is taken, checked, resumed, refused and given up."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.hub_server import COMMIT, HubServer

from impetus.adapters.hub import Hub
from impetus.domain.model_catalogue import CatalogueModel
from impetus.errors import BadRequest, Busy, Denied, ModelError, ModelUnavailable, NotFound
from impetus.services.model_pull import ModelPuller, PullProgress

TINY = CatalogueModel("tiny", "completion", "owner/Tiny-4bit", "Apache-2.0", 0.1, 512, 8, "4 bits", "qwen")
WEIGHTS = "model.safetensors"
#: The library writes pieces of ten megabytes.
LARGE = bytes(range(256)) * 100_000


@pytest.fixture
def hub() -> Iterator[HubServer]:
    server = HubServer()
    server.repos[TINY.repo] = {
        "config.json": b'{"model_type": "qwen3"}',
        "tokenizer.json": b'{"words": []}',
        "README.md": b"# Tiny",
        WEIGHTS: LARGE,
        "model.gguf": b"x" * 50_000,
        "onnx/model.onnx": b"x" * 50_000,
        "run.py": b"raise SystemExit",
    }
    yield server
    server.close()


class Pull:
    """One home directory with its puller, and what it said."""

    def __init__(self, folder: Path, hub: HubServer, free: int = 10**12) -> None:
        self.folder = folder
        self.said: list[PullProgress] = []
        self.quantized: list[int] = []
        self.puller = ModelPuller(folder, [TINY], Hub(hub.url), self._quantize, lambda path: free)

    async def __call__(self, name: str = "tiny", bits: int = 0) -> Path:
        return await self.puller.pull(name, self.said.append, bits=bits)

    def _quantize(self, whole: Path, target: Path, bits: int) -> None:
        self.quantized.append(bits)
        shutil.copytree(whole, target)


@pytest.fixture
def pull(tmp_path: Path, hub: HubServer) -> Pull:
    return Pull(tmp_path / "models", hub)


async def test_what_a_model_needs_is_fetched_and_nothing_else(pull: Pull, hub: HubServer) -> None:
    folder = await pull()
    assert folder == pull.folder / "tiny"
    names = {path.name for path in folder.rglob("*")}
    assert names == {"config.json", "tokenizer.json", "README.md", WEIGHTS, "impetus.json"}
    assert (folder / WEIGHTS).read_bytes() == LARGE
    origin = json.loads((folder / "impetus.json").read_text())
    assert origin == {"repo": TINY.repo, "commit": COMMIT, "license": "mit", "role": "completion"}
    assert all(COMMIT in path for method, path, _ in hub.requests if "/resolve/" in path)


async def test_progress_is_told_over_all_files(pull: Pull) -> None:
    await pull()
    await asyncio.sleep(0)  # the last word is on its way
    assert pull.said[0].state == "listing"
    assert pull.said[-1].state == "done"
    fetching = [each for each in pull.said if each.state in ("fetching", "checking")]
    assert [each.bytes for each in fetching] == sorted(each.bytes for each in fetching)
    assert {each.total for each in fetching} == {len(LARGE) + 42}
    assert fetching[-1] == PullProgress("checking", WEIGHTS, len(LARGE) + 42, len(LARGE) + 42)


async def test_any_model_of_the_hub_can_be_named(pull: Pull) -> None:
    assert (await pull(TINY.repo)).name == "Tiny-4bit"


async def test_a_model_that_is_there_is_not_fetched_again(pull: Pull, hub: HubServer) -> None:
    await pull()
    asked = len(hub.requests)
    await pull()
    assert len(hub.requests) == asked


async def test_a_cut_connection_is_gone_on_with(pull: Pull, hub: HubServer) -> None:
    hub.cuts[WEIGHTS] = [15_000_000]
    folder = await pull()
    assert (folder / WEIGHTS).read_bytes() == LARGE
    first, second = hub.ranges(WEIGHTS)
    assert first == ""
    assert second == "bytes=10485760-"


async def test_a_cancelled_fetch_is_gone_on_with_by_the_next(pull: Pull, hub: HubServer, tmp_path: Path) -> None:
    began = asyncio.Event()

    def told(progress: PullProgress) -> None:
        if progress.state == "fetching" and progress.file == WEIGHTS:
            began.set()

    work = asyncio.create_task(pull.puller.pull("tiny", told))
    await began.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not (pull.folder / "tiny").exists()
    again = Pull(pull.folder, hub)
    while True:
        try:
            folder = await again()
            break
        except Busy:  # the thread that was left has not come to its next piece
            await asyncio.sleep(0)
    assert (folder / WEIGHTS).read_bytes() == LARGE
    # On a slow machine the thread has all of it before it hears that it was left.
    assert hub.ranges(WEIGHTS)[1:] in ([], ["bytes=10485760-"], ["bytes=20971520-"])
    assert len(hub.ranges("config.json")) == 1, "what is whole is not fetched again"


async def test_what_is_fetched_already_is_not_fetched_by_two(pull: Pull, hub: HubServer) -> None:
    hub.gated.add(WEIGHTS)
    work = asyncio.create_task(pull())
    await asyncio.to_thread(hub.began.wait)
    with pytest.raises(Busy):
        await pull()
    with pytest.raises(Busy, match="another process"):
        await Pull(pull.folder, hub)()
    hub.gate.set()
    assert (await work).exists()


@pytest.mark.parametrize("name", ["config.json", WEIGHTS])
async def test_a_wrong_digest_is_noticed_and_the_file_thrown_away(pull: Pull, hub: HubServer, name: str) -> None:
    right = hub.repos[TINY.repo][name]
    hub.lies[name] = right[:-1] + b"!"
    with pytest.raises(ModelError, match=f"{name} .* arrived damaged"):
        await pull()
    assert not (pull.folder / "tiny").exists()
    hub.lies.clear()
    folder = await pull()
    assert (folder / name).read_bytes() == right
    assert hub.ranges(name) == ["", ""]


async def test_another_commit_does_not_go_on_with_the_pieces_of_the_last(pull: Pull, hub: HubServer) -> None:
    part = pull.folder / ".tiny-ffffffffffff.part"
    part.mkdir(parents=True)
    (part / f"{WEIGHTS}.piece").write_bytes(b"old")
    assert ((await pull()) / WEIGHTS).read_bytes() == LARGE


async def test_a_disk_without_room_is_said_before_anything_is_fetched(hub: HubServer, tmp_path: Path) -> None:
    pull = Pull(tmp_path / "models", hub, free=510_000_000)
    with pytest.raises(ModelError, match=r"needs 0\.0 GB more and 0\.0 GB can be had"):
        await pull()
    assert hub.ranges(WEIGHTS) == []


@pytest.mark.skipif("not Path('/dev/full').exists()", reason="there is no /dev/full")
async def test_a_disk_that_is_full_in_the_middle_is_said(pull: Pull, hub: HubServer) -> None:
    """/dev/full takes nothing, as a full disk does."""
    part = pull.folder / f".tiny-{COMMIT[:12]}.part"
    part.mkdir(parents=True)
    (part / "config.json.piece").symlink_to("/dev/full")
    with pytest.raises(ModelError, match=r"is full; make room"):
        await pull()


async def test_a_folder_that_cannot_be_written_is_said(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        await Pull(tmp_path / "file" / "models", hub)()


async def test_quantizing_makes_a_model_of_its_own(pull: Pull) -> None:
    folder = await pull(bits=4)
    assert folder.name == "tiny-4bit"
    assert pull.quantized == [4]
    assert (folder / WEIGHTS).exists()
    assert [path.name for path in pull.folder.iterdir() if path.is_dir()] == ["tiny-4bit"]


@pytest.mark.parametrize("name", ["unknown", "a/b/c", "/", ""])
async def test_a_name_that_is_none_is_refused(pull: Pull, hub: HubServer, name: str) -> None:
    with pytest.raises(BadRequest, match="catalogue"):
        await pull(name)
    assert hub.requests == []


async def test_a_repository_that_is_not_there_is_said(pull: Pull) -> None:
    with pytest.raises(NotFound, match="no model owner/other that may be read"):
        await pull("owner/other")


async def test_a_gated_model_says_what_to_accept(pull: Pull, hub: HubServer) -> None:
    hub.status, hub.code = 403, "GatedRepo"
    with pytest.raises(Denied, match="wants its licence to be accepted"):
        await pull()


async def test_a_hub_in_trouble_is_said(pull: Pull, hub: HubServer) -> None:
    hub.status = 501
    with pytest.raises(ModelError, match="answered 501"):
        await pull()


async def test_a_model_without_safetensors_is_refused(pull: Pull, hub: HubServer) -> None:
    hub.repos["owner/old"] = {"config.json": b"{}", "pytorch_model.bin": b"x"}
    with pytest.raises(BadRequest, match="no weights in safetensors"):
        await pull("owner/old")


async def test_without_a_network_the_reason_is_told(tmp_path: Path) -> None:
    puller = ModelPuller(tmp_path, [TINY], Hub("http://127.0.0.1:9"), lambda *_: None)
    with pytest.raises(ModelUnavailable, match=r"cannot be reached .*HF_ENDPOINT"):
        await puller.pull("tiny", lambda progress: None)
