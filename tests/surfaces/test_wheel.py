"""An installed wheel works outside the checkout: grammars, embedder and completion model included."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and unpacked as an installer would; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def impetus(installed: Path, home: Path, *arguments: str, text: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": str(installed), "IMPETUS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "impetus", *arguments],
        cwd=home,
        env=environment,
        input=text,
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_the_wheel_that_runs(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = "import impetus.languages; print(impetus.__file__, len(impetus.languages.languages()))"
    out = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True).split()
    assert Path(out[0]).is_relative_to(installed)
    assert int(out[1]) == len(list((REPOSITORY / "grammars").glob("*/language.toml")))


def test_without_its_grammars_it_says_so(installed: Path, tmp_path: Path) -> None:
    """Code is then indexed as plain text, which nothing else would tell."""
    grammars = installed / "impetus" / "grammars"
    away = grammars.rename(installed / "away")
    environment = {**os.environ, "PYTHONPATH": str(installed), "IMPETUS_HOME": str(tmp_path)}
    code = (
        "import asyncio; from impetus.app import create_engine; from impetus.config import Settings;"
        "print([problem.subject for problem in asyncio.run(create_engine(Settings())).status().problems])"
    )
    try:
        said = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True)
    finally:
        away.rename(grammars)
    assert "'grammars'" in said


def test_index_search_and_complete(installed: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "retry.py").write_text("class RetryPolicy:\n    def delay(self, attempt):\n        return 2**attempt\n")
    counts = json.loads(impetus(installed, tmp_path, "index", str(project), "--json"))
    assert (counts["files"], counts["languages"]) == (1, {"python": 1})
    hits = json.loads(impetus(installed, tmp_path, "search", "retry delay", "--workspace", str(project), "--json"))
    assert hits[0]["symbol"] == "RetryPolicy"
    text = "class Stack:\n    def push(self, item):\n        self.items."
    arguments = ("complete", "-:3:20", "--name", "stack.py", "--workspace", str(project), "--json")
    assert "append" in impetus(installed, tmp_path, *arguments, text=text)
