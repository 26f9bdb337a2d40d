"""Clients as their makers publish them, against `impetus serve` with a scripted chat model behind it."""

import json
from pathlib import Path

import pytest

from tests.compatibility.server import PROGRAMS, Server
from tests.support.upstream import Upstream

MODEL = """- model_id: gate
  model_name: {name}
  api_base: {url}
  api_key_name: impetus
  supports_tools: true
"""
CALL = ["weather", '{"city": "Paris"}']


def test_openai_npm(server: Server, clients: Path, tmp_path: Path) -> None:
    # Modules are found from where the program lies.
    program = clients / "openai_client.mjs"
    program.write_text((PROGRAMS / "openai_client.mjs").read_text("utf-8"), "utf-8")
    got = json.loads(server.run(["node", str(program)], tmp_path))
    assert (got["whole"], got["response"]) == ("You asked: hello", "You asked: hello")
    assert (got["call"], got["reason"]) == (CALL, "tool_calls")
    assert len(got["vectors"]) == 2 and got["vectors"][0] > 100
    assert "impetus" in got["models"]
    assert got["refused"] == ["NotFoundError", 404, "MODEL_NOT_FOUND"]


def test_litellm(server: Server, clients: Path, tmp_path: Path) -> None:
    python = str(clients / "python/bin/python")
    printed = server.run([python, str(PROGRAMS / "litellm_client.py")], tmp_path, LITELLM_LOCAL_MODEL_COST_MAP="True")
    got = json.loads(printed.splitlines()[-1])
    assert (got["whole"], got["streamed"]) == ("You asked: hello", "You asked: hello")
    assert got["call"] == [*CALL, "tool_calls"]
    assert len(got["vectors"]) == 2


def test_langchain(server: Server, clients: Path, tmp_path: Path) -> None:
    python = str(clients / "python/bin/python")
    got = json.loads(server.run([python, str(PROGRAMS / "langchain_client.py")], tmp_path))
    assert (got["whole"], got["streamed"]) == ("You asked: hello", "You asked: hello")
    assert got["call"] == ["weather", {"city": "Paris"}]
    for sent_as_tokens, sent_as_text in zip(got["tokens"], got["text"], strict=True):
        assert sent_as_tokens == pytest.approx(sent_as_text, abs=1e-6)


def test_llm(server: Server, clients: Path, tmp_path: Path) -> None:
    models = MODEL.format(name="impetus-plain", url=server.url)
    (tmp_path / "extra-openai-models.yaml").write_text(models, "utf-8")
    llm = [str(clients / "python/bin/llm"), "-m", "gate", "--key", server.key]
    assert server.run([*llm, "hello"], tmp_path, LLM_USER_PATH=str(tmp_path)).strip() == "You asked: hello"
    tool = "def weather(city: str) -> str:\n    return f'sunny in {city}'\n"
    command = [*llm, "--functions", tool, "weather"]
    assert "The tool said sunny in Paris." in server.run(command, tmp_path, LLM_USER_PATH=str(tmp_path))


def test_aider(server: Server, clients: Path, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text("print('hello')\n", "utf-8")
    aider = [str(clients / "python-aider/bin/aider"), "--model", "openai/impetus-plain", "--edit-format", "whole"]
    quiet = ["--no-git", "--yes-always", "--no-check-update", "--no-show-release-notes", "--no-show-model-warnings"]
    command = [*aider, *quiet, "--analytics-disable", "--message", "make it shout", "hello.py"]
    server.run(command, tmp_path, LITELLM_LOCAL_MODEL_COST_MAP="True")
    assert (tmp_path / "hello.py").read_text("utf-8") == "print('HELLO')\n"


def test_continue(server: Server, clients: Path, tmp_path: Path) -> None:
    config = {
        "name": "impetus",
        "version": "1.0.0",
        "schema": "v1",
        "models": [
            {
                "name": "Impetus",
                "provider": "openai",
                "model": "impetus-plain",
                "apiBase": server.url,
                "apiKey": server.key,
                "roles": ["chat"],
            }
        ],
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config), "utf-8")  # JSON is YAML
    command = [str(clients / "node_modules/.bin/cn"), "--config", str(tmp_path / "config.yaml"), "-p", "hello"]
    assert "You asked: hello" in server.run(command, tmp_path, CONTINUE_TELEMETRY_ENABLED="0")


def test_the_workspace_is_read(server: Server, clients: Path, tmp_path: Path, upstream: Upstream) -> None:
    models = MODEL.format(name="impetus", url=server.url)
    (tmp_path / "extra-openai-models.yaml").write_text(models, "utf-8")
    command = [str(clients / "python/bin/llm"), "-m", "gate", "--key", server.key, "Where is open_gate?"]
    answer = server.run(command, tmp_path, LLM_USER_PATH=str(tmp_path))
    assert "gate.py:1-2" in answer
    assert "def open_gate" in upstream.requests[-1]["messages"][-1]["content"]
