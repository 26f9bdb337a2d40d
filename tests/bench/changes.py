"""What changes cost: a first index, saved files, a branch switch and back, a second worktree.

    python -m tests.bench.changes FOLDER [--saves 21] [--switched 1000]

Works on a copy of FOLDER. Times are from `note` (what an editor's save or the watcher calls) to searchable.
"""

import argparse
import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import disk_mb, rss_mb, spread
from tests.support.live_index import index_worker, live_index, repository_in

from impetus.adapters.static_embedder import StaticEmbedder
from impetus.adapters.store import folder_for
from impetus.services.root_index import RootIndex

_CODE = frozenset({"python", "rust", "typescript", "javascript", "go", "c"})


async def measure(source: Path, saves: int, switched: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "one"), Path(folder, "home")
        _prepare(source, root)
        embedder = StaticEmbedder()
        repository = repository_in(folder_for(home, root), embedder, worker=index_worker(folder_for(home, root)))
        first: list[float] = []
        started = time.perf_counter()

        def progressed() -> None:
            if not first and index.progress.done:
                first.append(time.perf_counter() - started)

        async with live_index(home, root, embedder, repository=repository, on_change=progressed) as index:
            await index.idle()
            seconds = time.perf_counter() - started
            counts = f"{index.progress.files:,} files, {index.progress.chunks:,} chunks"
            print(f"first index      {counts}: first searchable {first[0]:.2f} s, complete {seconds:.1f} s", flush=True)
            while await asyncio.to_thread(index.repository.store.vectors.settle):
                pass
            print(f"settled          after {time.perf_counter() - started:.1f} s", flush=True)
            await _saves(index, saves)
            await _switch(index, switched)
            await _worktree(index, home, root, embedder, Path(folder, "two"))
            print(f"memory           {rss_mb():,.0f} MB")
        await repository.close()


def _prepare(source: Path, root: Path) -> None:
    """A repository with one commit that holds what `source` holds."""
    shutil.copytree(source, root, symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv", "node_modules"))
    _git(root, "init", "-q")
    # Git gives every byte back as it was, whatever line ends the project asks for.
    Path(root, ".git", "info").mkdir(exist_ok=True)
    Path(root, ".git", "info", "attributes").write_text("* -text -filter\n")
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", "start")


async def _saves(index: RootIndex, saves: int) -> None:
    files = _sources(index, saves)
    times = []
    for number, file in enumerate(files):
        name = f"saved_{number}_function"
        text = file.read_text("utf-8", "replace")
        file.write_text(f"{text}\n# {name}\n", "utf-8")
        started = time.perf_counter()
        index.note([file])
        await index.idle()
        times.append(time.perf_counter() - started)
        assert index.repository.store.reader.lexical([name], 1), f"{file} is not searchable"
    print(f"saved file       {spread(times)}, {len(files)} files one after the other", flush=True)


async def _switch(index: RootIndex, switched: int) -> None:
    _git(index.root, "commit", "-q", "-a", "-m", "saved")
    _git(index.root, "checkout", "-q", "-b", "other")
    files = _sources(index, switched)
    for number, file in enumerate(files):
        file.write_text(file.read_text("utf-8", "replace") + f"\n# switched {number}\n", "utf-8")
    _git(index.root, "commit", "-q", "-a", "-m", "other")
    # The files of `other` are new to the index; from here on it knows both branches.
    there, embedded_there = await _noted(index, files)
    _git(index.root, "checkout", "-q", "-")
    back, embedded_back = await _noted(index, files)
    print(f"branch switch    {len(files):,} files: there {there:.2f} s, {embedded_there:,} chunks embedded", flush=True)
    print(f"                 back {back:.2f} s, {embedded_back:,} chunks embedded", flush=True)
    assert embedded_back == 0


async def _noted(index: RootIndex, files: Sequence[Path]) -> tuple[float, int]:
    """Seconds until `files` are in the index, and how many chunks got a vector."""
    vectors = index.repository.store.vectors
    before, started = len(vectors), time.perf_counter()
    index.note(files)
    await index.idle()
    return time.perf_counter() - started, len(vectors) - before


async def _worktree(index: RootIndex, home: Path, root: Path, embedder: StaticEmbedder, second: Path) -> None:
    _git(root, "worktree", "add", "-q", "--detach", str(second))
    folder = folder_for(home, root)
    assert folder == folder_for(home, second)
    vectors = index.repository.store.vectors
    before, disk, started = len(vectors), disk_mb(folder), time.perf_counter()
    async with live_index(home, second, embedder, repository=index.repository) as other:
        await other.idle()
        seconds = time.perf_counter() - started
        files, grown = other.progress.files, disk_mb(folder) - disk
    print(
        f"second worktree  {files:,} files: {seconds:.2f} s ({seconds / files * 1000:.2f} s per 1,000 files), "
        f"{len(vectors) - before} chunks embedded, disk +{grown / disk:.1%} of {disk:,.0f} MB",
        flush=True,
    )


def _sources(index: RootIndex, count: int) -> list[Path]:
    """Indexed files of code, spread over the tree."""
    paths = index.repository.store.reader.paths(index.root)
    files = [index.root / path for path, language in sorted(paths.items()) if language in _CODE]
    return files[:: max(1, len(files) // count)][:count]


def _git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--saves", type=int, default=21)
    parser.add_argument("--switched", type=int, default=1000)
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.folder.resolve(), arguments.saves, arguments.switched))


if __name__ == "__main__":
    main()
