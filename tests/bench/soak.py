"""Live with the engine for a while: edits, saves, questions, completions, branch switches, new indexes, windows, kills.

    python -m tests.bench.soak [--minutes 30] [--seed 1]

Two minutes are the version for CI. Fails when an answer is missing or doubled, when memory or open files grow after
the warm-up, or when the index at the end differs from one made anew. Memory is that of the first engine, which lives
longest, after everything was done a few times; its successors live after kills.
"""

import argparse
import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

from tests.support.crash import edit_project, module_source, rebuilt, write_project
from tests.support.engine_home import EngineHome, engine_home
from tests.support.lsp_client import LspError
from tests.support.lsp_process import ServerProcess

from impetus.adapters.static_embedder import StaticEmbedder
from impetus.daemon.state import resident

MB = 1_000_000
FILES = 400  # enough for the index worker to take part when all is indexed anew

#: How often everything is done before memory is looked at.
WARM_UP = 3

#: Caches of words, paths and shown files fill for about six minutes. A run whose first life is shorter than this many
#: seconds sees them do so, and memory may grow by so much beside 5 %.
SHORT_S, SLACK = 900, 12 * MB


@dataclass(slots=True)
class Soak:
    home: EngineHome
    random: Random
    done: dict[str, int] = field(default_factory=dict)
    drafts: int = 0

    # -- what people do ------------------------------------------------------------------------------------------------

    async def save(self, client: ServerProcess) -> None:
        file = self._some_file()
        file.write_text(module_source(self.random, self.random.randint(2, 6)))
        client.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})

    async def type(self, client: ServerProcess) -> None:
        """Open a draft, type into it, ask for a completion after each key, leave it unsaved."""
        self.drafts += 1
        uri = (self.home.project / f"draft_{self.drafts}.py").as_uri()
        text = "def total(items):\n    result = 0\n    for item in items:\n        result"
        client.open(uri, text)
        for version, key in enumerate(" += it", 2):
            text += key
            change = {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]}
            client.notify("textDocument/didChange", change)
            position = {"line": 3, "character": len(text.rpartition("\n")[2])}
            await client.request("impetus/complete", {"textDocument": {"uri": uri}, "position": position})
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    async def ask(self, client: ServerProcess) -> None:
        await client.request("impetus/ask", {"question": f"Where is the {self.random.choice(WORDS)} policy made?"})

    async def search(self, client: ServerProcess) -> None:
        await client.request("impetus/search", {"query": f"{self.random.choice(WORDS)}_{self.random.choice(WORDS)}"})

    async def cancel(self, client: ServerProcess) -> None:
        client.cancel(question := client.start("impetus/ask", {"question": "What is this for?"}))
        try:
            await client.response(question)
        except LspError as error:
            assert error.code == -32800

    async def switch(self, _client: ServerProcess) -> None:
        other = "two" if git(self.home.project, "branch", "--show-current") == "one" else "one"
        git(self.home.project, "add", "-A")
        git(self.home.project, "commit", "-qm", "work", "--allow-empty")
        git(self.home.project, "checkout", "-q", other)

    async def visit(self, _client: ServerProcess) -> None:
        async with self.home.editor(opens=False) as visitor:
            await visitor.request("impetus/status")

    async def vanish(self, _client: ServerProcess) -> None:
        """A window that is killed."""
        async with self.home.editor(opens=False) as visitor:
            visitor.process.kill()
            await visitor.exit_code()

    async def rebuild(self, client: ServerProcess) -> None:
        """The whole index anew."""
        await client.request("impetus/reindex", {"full": True})
        phases: list[str] = []
        while phases != ["ready"]:
            await asyncio.sleep(0.2)
            phases = [index["phase"] for index in (await client.request("impetus/status"))["indexes"]]

    # -- the time between two kills of the engine --------------------------------------------------------------------

    async def live(self, seconds: float, *, measured: bool) -> None:
        """Two windows, for so long; then every answer must have come once, and nothing may have leaked."""
        deeds: list[Callable[[ServerProcess], Awaitable[None]]]
        deeds = [self.save, self.type, self.ask, self.search, self.search, self.cancel, self.switch, self.visit]
        deeds += [self.vanish, self.rebuild]
        until, warm = time.monotonic() + seconds, time.monotonic() + seconds / 3
        held: list[tuple[int, int]] = []
        async with self.home.editor() as first, self.home.editor() as second:
            for deed in deeds * WARM_UP:
                await deed(first)
            while time.monotonic() < until:
                client = self.random.choice((first, second))
                deed = self.random.choice(deeds)
                await deed(client)
                self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1
                if time.monotonic() > warm:
                    held.append((resident(self.home.pid), self.home.open_files()))
                for each in (first, second):
                    ids = [response["id"] for response in each.responses]
                    assert len(ids) == len(set(ids)), "a request was answered twice"
                    each.notifications.clear()
            for each in (first, second):
                await each.leave()
                assert await each.exit_code() == 0
        if measured:
            self._compare(held, SLACK if seconds < SHORT_S else 0)

    def _compare(self, held: list[tuple[int, int]], slack: int) -> None:
        """The medians of the first tenth and of the last: between two rebuilds memory goes up and down by a tenth."""
        tenth = max(1, len(held) // 10)
        before, after = (median(memory for memory, _ in part) for part in (held[:tenth], held[-tenth:]))
        files_before, files = (median(files for _, files in part) for part in (held[:tenth], held[-tenth:]))
        print(
            f"memory {before / MB:.0f} → {after / MB:.0f} MB ({100 * (after / before - 1):+.1f} %), "
            f"files {files_before:.0f} → {files:.0f}",
            flush=True,
        )
        assert after <= before * 1.05 + slack, "memory grows"
        assert files <= files_before + 4, "open files grow"

    def _some_file(self) -> Path:
        return self.random.choice(sorted(self.home.project.rglob("*.py")))


WORDS = ("retry", "parser", "token", "stream", "buffer", "cursor", "window", "session", "budget", "header")


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Soak", "-c", "user.email=soak@example.org", "-c", "gc.auto=0"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def prepare(home: EngineHome, random: Random) -> None:
    write_project(home.project, random, FILES)
    git(home.project, "init", "-q", "-b", "one")
    git(home.project, "add", "-A")
    git(home.project, "commit", "-qm", "one")
    git(home.project, "checkout", "-qb", "two")
    edit_project(home.project, random)
    git(home.project, "add", "-A")
    git(home.project, "commit", "-qm", "two")


async def soak(home: EngineHome, minutes: float, random: Random) -> None:
    await asyncio.to_thread(prepare, home, random)
    run = Soak(home, random)
    lives = [0.6, 0.2, 0.2]  # shares of the time; a kill between each two
    for number, share in enumerate(lives):
        await run.live(minutes * 60 * share, measured=number == 0)
        if number < len(lives) - 1:
            home.kill(signal.SIGKILL)
            await home.gone()
    home.kill(signal.SIGTERM)
    await home.gone()
    print(", ".join(f"{count} × {deed}" for deed, count in sorted(run.done.items())), flush=True)


def compare_index(home: EngineHome) -> None:
    embedder = StaticEmbedder()
    found = rebuilt(home.path, home.project, embedder)
    fresh = rebuilt(home.path.with_name("fresh"), home.project, embedder)
    for part, content in fresh.items():
        assert found[part] == content, f"{part} of the index differ from those of a new one"
    print(f"the index equals a new one: {len(fresh['files']):,} files, {len(fresh['chunks']):,} chunks")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with engine_home() as home:
        asyncio.run(soak(home, arguments.minutes, Random(arguments.seed)))
        compare_index(home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
