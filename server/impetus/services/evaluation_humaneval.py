"""HumanEval infilling, one line each: the rest of a function stands there, its tests tell whether the line is right.

Problems come from a file in the form of openai/human-eval-infilling. The line is asked for as in an editor, on the
empty line where it belongs. What the model wrote is run in a process of its own with a time limit, and nothing else
holds it back: use the problems of that collection only.
"""

import asyncio
import gzip
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from impetus.domain.types import Cursor, Document
from impetus.errors import BadRequest, NotFound
from impetus.services.evaluation_completion import first_line
from impetus.services.session import Session

#: A right solution of a problem takes far less.
TESTS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Problem:
    """`test` defines `check`, which takes the function named `entry_point`."""

    name: str
    prompt: str
    suffix: str
    test: str
    entry_point: str


@dataclass(frozen=True, slots=True)
class ProblemScore:
    passed: bool
    seconds: float  # of the completion, not of the tests


@dataclass(frozen=True, slots=True)
class InfillingFigures:
    count: int
    pass_rate: float
    seconds_p50: float

    def as_json(self) -> dict[str, Any]:
        return {"pass_rate": round(self.pass_rate, 4), "count": self.count, "seconds_p50": round(self.seconds_p50, 4)}


def read_problems(file: Path, count: int, seed: int) -> list[Problem]:
    """`count` of the problems at random, all when there are no more. Raises NotFound and BadRequest."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read ({error}); name a file of human-eval-infilling") from error
    try:
        text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode()
        rows = [json.loads(line) for line in text.splitlines()]
        problems = [
            Problem(row["task_id"], row["prompt"], row["suffix"], row["test"], row["entry_point"]) for row in rows
        ]
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise BadRequest(f"{file} is not in the format of human-eval-infilling: {error!r}", parameter="file") from error
    return random.Random(seed).sample(problems, min(count, len(problems)))


async def evaluate_problems(
    session: Session,
    problems: Sequence[Problem],
    *,
    clock: Callable[[], float] = time.perf_counter,
    report: Callable[[Problem, str, bool], None] = lambda problem, line, passed: None,
) -> list[ProblemScore]:
    """Ask for the line of every problem and run its tests; `report` hears of each."""
    scores = []
    with tempfile.TemporaryDirectory(prefix="impetus-eval-") as folder:
        for problem in problems:
            text = f"{problem.prompt}\n{problem.suffix}"
            document = Document(str(Path(folder, "problem.py")), text, 1, "python", dirty=True)
            session.documents.set(document)
            cursor = Cursor(document, len(problem.prompt))
            await session.prepare_completion(cursor)
            start = clock()
            line = first_line(await session.complete(cursor, explicit=True))
            seconds = clock() - start
            session.close_document(document.key)
            passed = bool(line.strip()) and await passes(problem, line, Path(folder))
            report(problem, line, passed)
            scores.append(ProblemScore(passed, seconds))
    return scores


async def passes(problem: Problem, line: str, folder: Path, within: float = TESTS_WITHIN_S) -> bool:
    """Whether the problem's tests pass with `line` in its place; run in `folder`."""
    program = f"{problem.prompt}{line}\n{problem.suffix}\n{problem.test}\ncheck({problem.entry_point})\n"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-", cwd=folder, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.wait_for(process.communicate(program.encode()), within)
    except TimeoutError:
        process.kill()
        await process.wait()
    return process.returncode == 0


def summarize(scores: Sequence[ProblemScore]) -> InfillingFigures:
    if not scores:
        raise BadRequest("The file holds no problems; name one of human-eval-infilling", parameter="file")
    return InfillingFigures(
        len(scores), fmean(score.passed for score in scores), median(score.seconds for score in scores)
    )
