"""`impetus models` on a home of its own and a hub on loopback."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.hub_server import HubServer
from tests.support.terminal import Terminal
from tests.support.tiny_model import make_model

from impetus.adapters.hub import Hub
from impetus.adapters.mlx_convert import quantize
from impetus.app_models import ModelTools, catalogue, model_tools, models_check, models_folder
from impetus.config import Settings
from impetus.domain.hardware import Conditions, Hardware
from impetus.errors import BadRequest
from impetus.services.model_pull import ModelPuller

NAME = "qwen2.5-coder-1.5b"
REPO = "mlx-community/Qwen2.5-Coder-1.5B-4bit"


class Mac:
    def hardware(self) -> Hardware:
        return Hardware("Darwin", "26.1", "25B78", "Apple M3", memory_bytes=16 << 30)

    def conditions(self) -> Conditions:
        return Conditions()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPETUS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    server = HubServer()
    folder = make_model(tmp_path / "source")
    server.repos[REPO] = {path.name: path.read_bytes() for path in folder.iterdir()}
    yield server
    server.close()


@pytest.fixture
def terminal(home: Path, hub: HubServer) -> Terminal:
    def tools(settings: Settings) -> ModelTools:
        made = model_tools(settings)
        return replace(
            made, puller=ModelPuller(models_folder(home), catalogue(), Hub(hub.url), quantize), machine=Mac()
        )

    terminal = Terminal()
    terminal.runtime = replace(terminal.runtime, open_models=tools)
    return terminal


def test_a_model_is_found_fetched_used_and_deleted(terminal: Terminal, home: Path) -> None:
    shown = terminal.run("models", "list").stdout
    assert "→ completion  qwen2.5-coder-7b  " in shown
    assert "→ chat        qwen3-4b-instruct  " in shown
    pulled = terminal.run("models", "pull", NAME)
    assert pulled.exit_code == 0
    assert f"{NAME} is in {home / 'models' / NAME}" in pulled.stdout
    assert "model.safetensors  (" in pulled.stderr
    assert terminal.run("models", "use", NAME).exit_code == 0
    value = terminal.value("models", "list")
    (model,) = value["installed"]
    assert (model["name"], model["role"], model["used_for"]) == (NAME, "completion", ["completion"])
    entry = next(each for each in value["catalogue"] if each["name"] == NAME)
    assert (entry["installed"], entry["recommended"]) == (True, False)
    assert "used for completion" in terminal.run("models", "list").stdout
    refused = terminal.run("models", "remove", NAME)
    assert (refused.exit_code, "is used for completion" in refused.stderr) == (2, True)
    (home / "settings.toml").unlink()
    assert terminal.value("models", "remove", NAME)["removed"] == NAME
    assert terminal.run("models", "use", NAME).exit_code == 2


def test_weights_are_quantized_here(terminal: Terminal, home: Path) -> None:
    assert terminal.value("models", "pull", NAME, "--bits", "4")["name"] == f"{NAME}-4bit"
    config = json.loads((home / "models" / f"{NAME}-4bit" / "config.json").read_text())
    assert config["quantization"]["bits"] == 4
    assert not any(path.name.startswith(".") and path.is_dir() for path in (home / "models").iterdir())


def test_what_cannot_be_quantized_is_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "quantized", quantized=True)
    for bits, said in ((1, "not to 1"), (4, "quantized already")):
        with pytest.raises(BadRequest, match=said):
            quantize(folder, tmp_path / "out", bits)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(BadRequest, match="Embedding models"):
        quantize(folder, tmp_path / "out", 4)


def test_the_hub_of_the_environment_is_used(home: Path, hub: HubServer) -> None:
    command = [sys.executable, "-m", "impetus", "models", "pull", REPO, "--json"]
    environment = {"IMPETUS_HOME": str(home), "HF_ENDPOINT": hub.url, "PYTHONPATH": ":".join(sys.path), "PATH": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folder"] == str(home / "models" / "Qwen2.5-Coder-1.5B-4bit")
    offline = subprocess.run(
        [*command[:-2], "owner/other"],
        env={**environment, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert offline.returncode == 3
    assert "HF_HUB_OFFLINE is set" in offline.stderr


def test_a_killed_fetch_is_gone_on_with_by_the_next(terminal: Terminal, home: Path, hub: HubServer) -> None:
    weights = bytes(range(256)) * 160_000
    hub.repos[REPO]["model.safetensors"] = weights
    hub.halves.add("model.safetensors")
    command = [sys.executable, "-m", "impetus", "models", "pull", NAME]
    environment = {"IMPETUS_HOME": str(home), "HF_ENDPOINT": hub.url, "PYTHONPATH": ":".join(sys.path), "PATH": ""}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert hub.began.wait(60)
        process.kill()
    hub.halves.clear()
    assert terminal.run("models", "pull", NAME).exit_code == 0
    assert (home / "models" / NAME / "model.safetensors").read_bytes() == weights
    first, second = hub.ranges("model.safetensors")
    assert first == ""
    assert second in ("bytes=10485760-", ""), "nothing or one piece was written when it died"


def test_the_doctor_says_what_suits_the_machine(home: Path) -> None:
    tools = model_tools(Settings())
    assert "qwen2.5-coder-7b (4.3 GB)" in models_check(replace(tools, machine=Mac())).finding
    linux = replace(tools, machine=type("Linux", (Mac,), {"hardware": lambda self: Hardware("Linux")})())
    assert "better left to a server" in models_check(linux).finding


def test_without_an_engine_there_is_nothing_to_load(terminal: Terminal) -> None:
    done = terminal.run("models", "load", "chat")
    assert (done.exit_code, "No engine runs" in done.stderr) == (1, True)
