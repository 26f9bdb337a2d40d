"""A disk that is really full, under the engine's whole home: it says so, lives on, and goes on once there is room."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.engine_home import EngineHome, engine_home, indexed

KB = 1024


class SmallDisk:
    """A file system in memory, mounted on a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mount(self, size: int) -> None:
        folder = str(self._folder)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")

    def grow(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self._folder)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self._folder)], capture_output=True)


@pytest.fixture
def home() -> Iterator[EngineHome]:
    with engine_home() as home:
        home.path.mkdir(mode=0o700)
        yield home


@pytest.fixture
def disk(home: EngineHome) -> Iterator[SmallDisk]:
    disk = SmallDisk(home.path)
    yield disk
    home.kill_all()  # without its disk nobody finds the engine any more
    disk.unmount()


def write_modules(home: EngineHome, count: int) -> None:
    for number in range(count):
        body = "".join(f"def function_{number}_{each}(argument):\n    return argument * {each}\n" for each in range(60))
        home.write(f"module_{number}.py", body)


@pytest.mark.parametrize(("modules", "room"), [(40, 500 * KB), (600, 2500 * KB)])  # here; and in the index worker
async def test_the_engine_says_that_the_disk_is_full_and_goes_on_when_there_is_room(
    home: EngineHome, disk: SmallDisk, modules: int, room: int
) -> None:
    disk.mount(room)
    write_modules(home, modules)
    async with home.editor(opens=False) as client:
        folder = {"uri": home.project.as_uri(), "name": "project"}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
        status = await client.notification(
            "impetus/statusChanged", lambda status: any(index["phase"] == "failed" for index in status["indexes"])
        )
        assert status["health"] == "error"
        assert "disk space" in status["message"]
        engine = home.pid
        disk.grow(64 * 1024 * KB)
        await client.notification("impetus/statusChanged", lambda status: indexed(status, home.project))
        query = f"function_{modules - 1}_7"
        hits = (await client.request("impetus/search", {"query": query}))["hits"]
        assert f"module_{modules - 1}.py" in {hit["path"] for hit in hits}
        assert home.pid == engine
