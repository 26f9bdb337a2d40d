"""HumanEval infilling: problems read, asked for on the empty line, judged by their own tests in another process."""

import gzip
import json
from pathlib import Path

import pytest
from tests.support.scripted_session import Script, ScriptedEngine

from impetus.domain.types import Completion
from impetus.errors import BadRequest, NotFound
from impetus.services.evaluation_humaneval import Problem, evaluate_problems, passes, read_problems, summarize

PROBLEM = Problem(
    "Add/L0",
    "def add(a, b):\n",
    "\ndef other():\n    pass\n",
    "def check(candidate):\n    assert candidate(2, 3) == 5\n",
    "add",
)


def write(path: Path, *names: str) -> Path:
    rows = [
        {"task_id": name, "prompt": "p", "suffix": "s", "test": "t", "entry_point": "e", "canonical_solution": "c"}
        for name in names
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("name", ["problems.jsonl", "problems.jsonl.gz"])
def test_problems_are_drawn_by_the_seed(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, *(str(i) for i in range(20)))
    assert read_problems(file, 5, seed=1) == read_problems(file, 5, seed=1)
    assert read_problems(file, 5, seed=1) != read_problems(file, 5, seed=2)
    assert len(read_problems(file, 99, seed=1)) == 20


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="human-eval-infilling"):
        read_problems(tmp_path / "none.jsonl", 1, 0)
    (tmp_path / "broken.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(BadRequest, match="format"):
        read_problems(tmp_path / "broken.jsonl.gz", 1, 0)
    with pytest.raises(BadRequest, match="no problems"):
        summarize([])


@pytest.mark.parametrize(
    ("line", "expected"),
    [("    return a + b", True), ("    return a - b", False), ("    return (", False), ("    while True: pass", False)],
)
async def test_the_problems_own_tests_decide(tmp_path: Path, line: str, expected: bool) -> None:
    endless = "while True" in line
    assert await passes(PROBLEM, line, tmp_path, **({"within": 0.5} if endless else {})) is expected


async def test_the_line_is_asked_for_where_it_belongs() -> None:
    engine = ScriptedEngine(Script(completion=Completion("    return a + b\n    more", 0, 0, 1, "scripted")))
    session = engine.session()
    heard: list[tuple[str, str, bool]] = []
    scores = await evaluate_problems(
        session,  # type: ignore[arg-type]
        [PROBLEM],
        clock=iter((1.0, 1.25)).__next__,
        report=lambda problem, line, passed: heard.append((problem.name, line, passed)),
    )
    assert heard == [("Add/L0", "    return a + b", True)]
    assert summarize(scores).as_json() == {"pass_rate": 1.0, "count": 1, "seconds_p50": 0.25}
    ((_, (cursor, _)),) = [call for call in session.calls if call[0] == "complete"]
    assert cursor.document.text[: cursor.offset] == PROBLEM.prompt
    assert cursor.document.text[cursor.offset :] == "\n" + PROBLEM.suffix
