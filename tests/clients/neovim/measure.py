"""Times of the Neovim plugin, as ratios within one run: `run.sh measure`.

What the plugin adds to the start of Neovim (`--startuptime`, with a file named), and how long it takes from the start
of an editor that has just got the plugin to the first answer about a project of 1,000 files that nobody has indexed.
"""

import os
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.clients.neovim.editor import editor, install, xdg
from tests.clients.project import create, environment, server_command, stop_engine

STARTS = 100
FILES = 1_000


def started(nvim: Path, folder: Path, file: Path) -> tuple[float, float]:
    """Milliseconds until `NVIM STARTED`, and those of them in the plugin's one file."""
    log = folder / "startuptime"
    log.unlink(missing_ok=True)
    env = {**os.environ, **xdg(folder), "IMPETUS_HOME": str(folder / "home")}
    command = [nvim, "--headless", "--startuptime", log, file, "+qall!"]
    subprocess.run(command, env=env, check=True, capture_output=True)
    times = log.read_text()
    whole = re.search(r"^([0-9.]+).*NVIM STARTED", times, re.MULTILINE)
    own = re.search(r"^[0-9.]+ +([0-9.]+) .*plugin/impetus.lua", times, re.MULTILINE)
    assert whole
    return float(whole[1]), float(own[1]) if own else 0.0


def start_up(nvim: Path, folder: Path) -> str:
    """Turn by turn, so that both see the same machine."""
    file = folder / "file.txt"  # a Python file makes Neovim look for Pythons, which takes seconds
    file.write_text("x\n")
    bare, full = folder / "bare", folder / "full"
    bare.mkdir()
    install(nvim, full)
    times: dict[Path, list[tuple[float, float]]] = {bare: [], full: []}
    for turn in range(STARTS):
        for place in (bare, full) if turn % 2 else (full, bare):
            times[place].append(started(nvim, place, file))
    without, with_it = (min(whole for whole, _own in times[place]) for place in (bare, full))
    own = statistics.median(own for _whole, own in times[full])
    return (
        f"start-up {with_it:.1f} ms with the plugin, {without:.1f} ms without (best of {STARTS}): "
        f"{with_it - without:+.2f} ms; {own:.2f} ms in plugin/impetus.lua"
    )


def first_answer(nvim: Path, folder: Path) -> str:
    project, home = create(folder / "large", FILES), folder / "home"
    began = time.perf_counter()
    where = {"home": home, "env": environment()}
    with editor(nvim, folder / "new", project, server_command(), ["manifest.py"], **where) as shown:
        shown.indexed()
        indexed = time.perf_counter() - began
        shown.command("Impetus ask how is the parcel manifest parsed?")
        shown.until(" answered")
        taken = time.perf_counter() - began
        assert any("manifest.py" in line for line in shown.lines())
    stop_engine(home)
    return f"first answer on {FILES:,} unindexed files after {taken:.1f} s, indexed after {indexed:.1f} s"


def main() -> None:
    for path in os.environ["IMPETUS_NVIM"].split(os.pathsep):
        nvim = Path(path)
        print(subprocess.check_output([nvim, "--version"], text=True).splitlines()[0])
        with tempfile.TemporaryDirectory(prefix="impetus") as folder:
            print("  " + start_up(nvim, Path(folder)))
            print("  " + first_answer(nvim, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
