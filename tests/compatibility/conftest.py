"""Collected only where run.sh has got the clients: `IMPETUS_COMPATIBILITY` is the folder that they are in."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compatibility.server import Server
from tests.support.upstream import Upstream

if not os.environ.get("IMPETUS_COMPATIBILITY"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def clients() -> Path:
    return Path(os.environ["IMPETUS_COMPATIBILITY"])


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, clients: Path) -> Iterator[Server]:
    """`impetus serve` over a small project, with the scripted chat model behind it."""
    home, project = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("project")
    (project / "gate.py").write_text("def open_gate(name):\n    return f'{name} is open'\n", "utf-8")
    environment = os.environ | {
        "IMPETUS_HOME": str(home),
        "IMPETUS_CHAT_BASE_URL": upstream.url,
        "IMPETUS_CHAT_MODEL": "scripted",
        "IMPETUS_HTTP_INFERENCE_PER_MINUTE": "0",
        # litellm brings OpenAI's tokenizer along, which LangChain counts with and the server decodes with.
        "TIKTOKEN_CACHE_DIR": str(next(clients.glob("python/lib/*/site-packages/litellm/**/tokenizers"))),
    }
    command = [sys.executable, "-m", "impetus"]
    made = subprocess.run(
        [*command, "keys", "create", "--name", "clients", "--json"], env=environment, check=True, capture_output=True
    )
    serve = [*command, "serve", "--port", "0", "--json", "--workspace", str(project)]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            yield Server(url, json.loads(made.stdout)["key"], environment["TIKTOKEN_CACHE_DIR"])
        finally:
            process.terminate()
