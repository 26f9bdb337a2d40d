"""A whole process with a model in it: what it imports when, and that it ends without an abort."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.tiny_model import make_model

PROGRAM = """
import asyncio, sys
from contextlib import aclosing
from pathlib import Path

from impetus.adapters.mlx_generator import MlxGenerator, clear_streams
from impetus.domain.types import Priority, Sampling, TextPrompt
from impetus.services.models import Models
from impetus.services.scheduler import ModelThread


async def main():
    models = Models(ModelThread(teardown=clear_streams), chat=MlxGenerator(Path(sys.argv[1])))
    heavy = {"mlx", "mlx.core", "mlx_lm", "transformers"}
    print("before:", sorted(heavy & set(sys.modules)))
    steps = 0
    sampling = Sampling(max_tokens=20, temperature=1.0, seed=2)
    async with aclosing(models.stream("chat", TextPrompt("class Thing:"), sampling, Priority.CHAT)) as stream:
        async for step in stream:
            steps += 1
            if steps == 10:
                break
    await models.close()
    print("after:", steps, "transformers" in sys.modules)


asyncio.run(main())
"""


def test_heavy_imports_wait_for_the_first_use_and_the_process_ends_cleanly(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "tiny")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["before: []", "after: 10 False"]
    assert done.stderr == ""
