"""Compare engines on the same labeled repositories in one run: NDCG, index time, query times, repository by repository.

    python -m tests.bench.side_by_side --labels DIR --repos DIR --semble-python PYTHON --semble-model DIR [--whole-repo]

Two times of an index: until the first passages can be found (`searchable`), and until it is complete (`index`); semble
has one. Semble runs in its own environment (see semble_worker.py) and times itself. To add an engine, write one
function like `semble` and name it in ENGINES.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impetus import config
from impetus.app import create_engine
from impetus.services.evaluation import DEPTH, Engine, Evaluation, RepositoryScore, checkouts_in, evaluate, summarize
from impetus.services.evaluation_labels import LabeledRepository, read_labels
from impetus.services.evaluation_session import SessionEngine
from impetus.services.session import Session

#: How often the progress of an index is looked at.
_LOOK_S = 0.002
WORKER = Path(__file__).with_name("semble_worker.py")


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine, the clock that measures it (wall time, or what a child process says it took), and the seconds until
    the last indexed repository was searchable, None where that is when its index is complete.
    """

    engine: Engine
    clock: Callable[[], float]
    searchable: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    figures: Evaluation
    searchable: dict[str, float]  # repository → seconds


@dataclass(frozen=True, slots=True)
class Found:
    path: str
    start_line: int
    end_line: int


@dataclass(slots=True)
class SembleEngine:
    process: asyncio.subprocess.Process
    elapsed: float = field(default=0.0)

    async def index(self, root: Path) -> None:
        await self._ask({"index": str(root)})

    async def search(self, query: str, root: Path, limit: int) -> Sequence[Found]:
        answer = await self._ask({"search": query, "limit": limit})
        return [Found(*place) for place in answer["found"]]

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        await self.process.stdin.drain()
        line = await self.process.stdout.readline()
        if not line:
            raise SystemExit("semble's process ended; its error is printed above")
        answer: dict[str, Any] = json.loads(line)
        self.elapsed += answer["seconds"]
        return answer


class ImpetusEngine(SessionEngine):
    """Ours, watched while it indexes: a batch that is reported is committed, so its passages can be found."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, keep=True)  # to close the former repository is no part of indexing the next
        self._watched = session
        self.searchable = 0.0

    async def index(self, root: Path) -> None:
        start = time.perf_counter()
        first = asyncio.create_task(self._first(root))
        await super().index(root)
        self.searchable = await first - start

    async def _first(self, root: Path) -> float:
        while root not in self._watched.roots or not self._watched.engine.index(root).progress.done:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)  # what the engine tells its listeners is throttled
        return time.perf_counter()


@asynccontextmanager
async def semble(arguments: argparse.Namespace) -> AsyncIterator[Contender]:
    """semble from the environment of `--semble-python`, with the model2vec folder of `--semble-model`."""
    if not arguments.semble_python or not arguments.semble_model:
        raise SystemExit("semble needs --semble-python and --semble-model")
    with tempfile.TemporaryDirectory() as home:  # its caches and statistics start empty and leave nothing behind
        environment = {**os.environ, "HOME": home, "XDG_CACHE_HOME": home, "SEMBLE_MODEL_NAME": arguments.semble_model}
        environment.pop("PYTHONPATH", None)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            arguments.semble_python, str(WORKER), stdin=pipe, stdout=pipe, env=environment, limit=1 << 24
        )
        engine = SembleEngine(process)
        try:
            yield Contender(engine, lambda: engine.elapsed)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


@asynccontextmanager
async def impetus(arguments: argparse.Namespace) -> AsyncIterator[Contender]:
    """Ours, as an editor has it, with an empty home and nobody watching files."""
    settings, _ = config.resolve({"index": {"watch": False}})
    with tempfile.TemporaryDirectory() as home:
        session = Session(await create_engine(settings, home=Path(home)))
        try:
            engine = ImpetusEngine(session)
            yield Contender(engine, time.perf_counter, lambda: engine.searchable)
        finally:
            await session.close()
            await session.engine.close()


ENGINES: dict[str, Callable[[argparse.Namespace], AbstractAsyncContextManager[Contender]]] = {
    "impetus": impetus,
    "semble": semble,
}


async def compare(arguments: argparse.Namespace) -> dict[str, Result]:
    repositories = [one for one in read_labels(arguments.labels) if not arguments.only or one.name in arguments.only]
    results = {}
    for name in arguments.engine:
        async with ENGINES[name](arguments) as contender:
            results[name] = await _measure(name, contender, repositories, arguments)
    return results


async def _measure(
    name: str, contender: Contender, repositories: Sequence[LabeledRepository], arguments: argparse.Namespace
) -> Result:
    searchable: dict[str, float] = {}

    def report(score: RepositoryScore) -> None:
        seconds = searchable[score.name] = contender.searchable() if contender.searchable else score.index_seconds
        print(f"{name:10} {score.name:20} {_figures(summarize([score]), seconds)}", flush=True)

    figures = await evaluate(
        contender.engine,
        repositories,
        checkouts_in(arguments.repos.absolute()),
        whole_repository=arguments.whole_repo,
        depth=arguments.depth,
        clock=contender.clock,
        report=report,
    )
    return Result(figures, searchable)


def _figures(result: Evaluation, searchable: float) -> str:
    return (
        f"n {result.queries:4}  ndcg@10 {result.ndcg10:.3f}  file {result.ndcg10_file:.3f}"
        f"  recall {result.recall10:.3f}  searchable {searchable:6.2f} s  index {result.index_seconds:6.2f} s"
        f"  query p50 {result.query_ms_p50:6.2f} ms  p95 {result.query_ms_p95:6.2f} ms"
    )


def _against(ours: Result, theirs: Result) -> str:
    """On how many repositories ours is within what is asked of it, and by what share it is at worst."""
    index = {one.name: one.index_seconds for one in theirs.figures.repositories}
    searchable = [ours.searchable[name] / seconds for name, seconds in index.items()]
    complete = [one.index_seconds / index[one.name] for one in ours.figures.repositories]
    return (
        f"by semble's index time: searchable at most 1 on {sum(share <= 1 for share in searchable)} of {len(index)}"
        f" (worst {max(searchable):.2f}), complete at most 2 on {sum(share <= 2 for share in complete)}"
        f" (worst {max(complete):.2f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--labels", type=Path, required=True, help="folder with repos.jsonl, or with *.jsonl of commits"
    )
    parser.add_argument("--repos", type=Path, required=True, help="folder with a checkout of each repository")
    parser.add_argument("--whole-repo", action="store_true", help="index whole repositories, not benchmark_root")
    parser.add_argument("--depth", type=int, default=DEPTH, help="passages asked for; times depend on it")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="these repositories alone")
    parser.add_argument("--engine", nargs="+", choices=sorted(ENGINES), default=sorted(ENGINES))
    parser.add_argument("--semble-python", help="Python of an environment with semble")
    parser.add_argument("--semble-model", help="model2vec folder")
    arguments = parser.parse_args()
    results = asyncio.run(compare(arguments))
    for name, result in results.items():
        print(f"{name:10} {'ALL':20} {_figures(result.figures, sum(result.searchable.values()))}")
        print(f"{name:10} {json.dumps(result.figures.as_json())}")
    if len(results) == len(ENGINES):
        print(_against(results["impetus"], results["semble"]))


if __name__ == "__main__":
    main()
