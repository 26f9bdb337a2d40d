"""LoRA adapters in folders of their own, on tiny random weights."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.text_model import run, text
from tests.support.tiny_model import make_model

from impetus.adapters import lora, mlx_loader
from impetus.adapters.mlx_model import load_model
from impetus.domain.types import Priority, Sampling, TextPrompt
from impetus.errors import ModelError, ModelUnavailable

PROMPT = TextPrompt("def function(argument):\n    return ")
GREEDY = Sampling(max_tokens=12, temperature=0.0)
LORA = {"rank": 4, "scale": 20.0, "dropout": 0.0}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "quantized"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_model(tmp_path_factory.mktemp("models") / "base", quantized=request.param)
    (folder / "impetus.json").write_text('{"repo": "owner/Base-4bit"}')
    return folder


def make_adapter(folder: Path, base: Path, model: str, *, strength: float = 0.5, **config: Any) -> Path:
    """As mlx-lm's training writes it, with random weights."""
    mlx_loader.prepare()
    import mlx.core as mx
    from mlx.utils import tree_flatten
    from mlx_lm.tuner.utils import linear_to_lora_layers

    folder.mkdir()
    network = mlx_loader.load_network(base, mlx_loader.read_config(base))
    linear_to_lora_layers(network, 2, LORA)
    mx.random.seed(7)
    names = [(name, value) for name, value in tree_flatten(network.parameters()) if "lora_" in name]
    weights = {name: strength * mx.random.normal(value.shape) for name, value in names}
    mx.save_safetensors(str(folder / "adapters.safetensors"), weights)
    settings = {"fine_tune_type": "lora", "num_layers": 2, "lora_parameters": LORA, "model": model, **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def said(folder: Path) -> str:
    model = load_model(folder)
    try:
        model.start(1, PROMPT, GREEDY, Priority.CHAT)
        return text(run(model, 1)[1])
    finally:
        model.close()


@pytest.mark.parametrize("named", ["folder", "owner/Base-4bit", "somebody/base"])
def test_an_adapter_changes_what_its_model_says(base: Path, named: str) -> None:
    model = str(base) if named == "folder" else named
    adapter = make_adapter(base.parent / f"adapter-{named.replace('/', '-')}", base, model)
    assert lora.base_of(adapter) == base
    assert said(adapter) != said(base)


def test_an_adapter_of_nothing_changes_nothing(base: Path) -> None:
    adapter = make_adapter(base.parent / "nothing", base, str(base), strength=0.0)
    assert said(adapter) == said(base)


def test_a_model_that_is_not_here_is_named(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    path = tmp_path / "adapter" / "adapter_config.json"
    path.write_text('{"model": "owner/Other"}')
    with pytest.raises(ModelUnavailable, match="impetus models pull owner/Other"):
        load_model(tmp_path / "adapter")
    path.write_text("{}")
    with pytest.raises(ModelError, match="does not name the model"):
        load_model(tmp_path / "adapter")
    path.write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path / "adapter")


def test_an_adapter_of_another_shape_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = make_adapter(base.parent / "twisted", base, str(base))
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "lora_parameters": {**LORA, "rank": 2}}))
    with pytest.raises(ModelError, match="twisted cannot be loaded"):
        load_model(adapter)
