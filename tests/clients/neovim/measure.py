"""Times of the Neovim plugin, as ratios within one run: `run.sh measure`.

What the plugin adds to the start of Neovim (`--startuptime`, with a file named), what it does right after it, and how
long it takes from the start of an editor that has just got the plugin to the first answer about a project of 1,000
files that nobody has indexed.
"""

import os
import re
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from tests.clients.neovim.editor import editor, install, xdg
from tests.clients.project import create, environment, server_command, stop_engine

STARTS = 100
FILES = 1_000


class Start(NamedTuple):
    """Milliseconds."""

    whole: float  #: until `NVIM STARTED`
    own: float  #: of that, in the plugin's one file
    cpu: float  #: of the process until its end; other work on the machine hardly changes it


def started(nvim: Path, folder: Path, file: Path) -> Start:
    log = folder / "startuptime"
    log.unlink(missing_ok=True)
    env = {**os.environ, **xdg(folder), "IMPETUS_HOME": str(folder / "home")}
    command = [nvim, "--headless", "--startuptime", log, file, "+qall!"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = log.read_text()
    whole = re.search(r"^([0-9.]+).*NVIM STARTED", times, re.MULTILINE)
    own = re.search(r"^[0-9.]+ +([0-9.]+) .*plugin/impetus.lua", times, re.MULTILINE)
    assert whole
    cpu = 1e3 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return Start(float(whole[1]), float(own[1]) if own else 0.0, cpu)


def start_up(nvim: Path, folder: Path, file: Path) -> str:
    """Turn by turn, so that all see the same machine: without plugins, with one that does nothing, with ours.

    The one that does nothing tells what Neovim itself needs to look for plugins.
    """
    places = {name: folder / name for name in ("none", "empty", "impetus")}
    places["none"].mkdir()
    empty = places["empty"] / "data" / "nvim" / "site" / "pack" / "empty" / "start" / "empty" / "plugin"
    empty.mkdir(parents=True)
    (empty / "empty.lua").touch()
    install(nvim, places["impetus"])
    starts: dict[str, list[Start]] = {name: [] for name in places}
    for turn in range(STARTS):
        for name in sorted(places, reverse=turn % 2 == 0):
            starts[name].append(started(nvim, places[name], file))
    own = [start.own for start in starts["impetus"]]
    lines = [f"plugin/impetus.lua: least {min(own):.2f} ms, median {statistics.median(own):.2f} ms of {STARTS} starts"]
    for other, words in (("none", "no plugin"), ("empty", "a plugin that does nothing")):
        lines.append(f"against {words}: " + "; ".join(difference(starts["impetus"], starts[other])))
    return "\n  ".join(lines)


def difference(with_it: Sequence[Start], without: Sequence[Start]) -> Iterator[str]:
    for name, of in (("until started", attrgetter("whole")), ("CPU", attrgetter("cpu"))):
        ours, theirs = [of(start) for start in with_it], [of(start) for start in without]
        low, middle, high = statistics.quantiles([a - b for a, b in zip(ours, theirs, strict=True)])
        yield (
            f"{name} least {min(ours):.1f} and {min(theirs):.1f} ms, "
            f"median of the differences {middle:+.2f} ms (quartiles {low:+.2f}, {high:+.2f})"
        )


def after_start(nvim: Path, folder: Path, file: Path) -> str:
    """Once Neovim has started, it loads the client and starts the server; here a program that does nothing."""
    lua = (
        "lua require('impetus').setup({ cmd = { 'true', 'lsp' } }) "
        "local began = vim.uv.hrtime() require('impetus.client').autostart() "
        "io.write((vim.uv.hrtime() - began) / 1e6)"
    )
    env = {**os.environ, **xdg(folder)}
    command = [nvim, "--headless", file, "-c", lua, "-c", "qall!"]
    times = [float(subprocess.check_output(command, env=env, text=True)) for _ in range(STARTS // 5)]
    return f"then, with the editor on the screen: least {min(times):.1f} ms, median {statistics.median(times):.1f} ms"


def first_answer(nvim: Path, folder: Path) -> str:
    project, home = create(folder / "large", FILES), folder / "home"
    began = time.perf_counter()
    where = {"home": home, "env": environment()}
    with editor(nvim, folder / "new", project, server_command(), ["manifest.py"], **where) as shown:
        shown.command("Impetus ask how is the parcel manifest parsed?")
        shown.until(" answered")
        taken = time.perf_counter() - began
        assert any("manifest.py" in line for line in shown.lines())
        shown.indexed()
        indexed = time.perf_counter() - began
    stop_engine(home)
    return f"first answer on {FILES:,} unindexed files after {taken:.1f} s, indexed after {indexed:.1f} s"


def main() -> None:
    for path in os.environ["IMPETUS_NVIM"].split(os.pathsep):
        nvim = Path(path)
        print(subprocess.check_output([nvim, "--version"], text=True).splitlines()[0])
        with tempfile.TemporaryDirectory(prefix="impetus") as folder:
            file = Path(folder) / "file.txt"  # a Python file makes Neovim look for Pythons, which takes seconds
            file.write_text("x\n")
            print("  " + start_up(nvim, Path(folder), file))
            print("  " + after_start(nvim, Path(folder) / "impetus", file), flush=True)
            print("  " + first_answer(nvim, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
