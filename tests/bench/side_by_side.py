"""Compare engines on the same labeled repositories in one run: NDCG, index time, query times, repository by repository.

    python -m tests.bench.side_by_side --labels DIR --repos DIR --semble-python PYTHON --semble-model DIR [--whole-repo]

Semble runs in its own environment (see semble_worker.py) and times itself. To add an engine, write one function like
`semble` and name it in ENGINES.
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
from impetus.services.evaluation_labels import read_labels
from impetus.services.evaluation_session import SessionEngine
from impetus.services.session import Session

WORKER = Path(__file__).with_name("semble_worker.py")


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine and the clock that measures it: wall time, or what a child process says it took."""

    engine: Engine
    clock: Callable[[], float]


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
            yield Contender(SessionEngine(session), time.perf_counter)
        finally:
            await session.close()
            await session.engine.close()


ENGINES: dict[str, Callable[[argparse.Namespace], AbstractAsyncContextManager[Contender]]] = {
    "impetus": impetus,
    "semble": semble,
}


async def compare(arguments: argparse.Namespace) -> dict[str, Evaluation]:
    repositories = [one for one in read_labels(arguments.labels) if not arguments.only or one.name in arguments.only]
    results = {}
    for name in arguments.engine:
        async with ENGINES[name](arguments) as contender:
            results[name] = await evaluate(
                contender.engine,
                repositories,
                checkouts_in(arguments.repos.absolute()),
                whole_repository=arguments.whole_repo,
                depth=arguments.depth,
                clock=contender.clock,
                report=lambda score, name=name: print(_line(name, score), flush=True),  # type: ignore[misc]
            )
    return results


def _line(engine: str, score: RepositoryScore) -> str:
    return f"{engine:10} {score.name:20} {_figures(summarize([score]))}"


def _figures(result: Evaluation) -> str:
    return (
        f"n {result.queries:4}  ndcg@10 {result.ndcg10:.3f}  file {result.ndcg10_file:.3f}"
        f"  recall {result.recall10:.3f}  index {result.index_seconds:7.2f} s"
        f"  query p50 {result.query_ms_p50:6.2f} ms  p95 {result.query_ms_p95:6.2f} ms"
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
    for name, result in asyncio.run(compare(arguments)).items():
        print(f"{name:10} {'ALL':20} {_figures(result)}")
        print(f"{name:10} {json.dumps(result.as_json())}")


if __name__ == "__main__":
    main()
