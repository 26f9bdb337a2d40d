"""What comes with a model or a request is never run and never takes the engine's time."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.tiny_model import make_model, make_tokenizer

from impetus.adapters.mlx_grammar import Grammars
from impetus.adapters.mlx_model import load_model
from impetus.domain.types import JsonSchema
from impetus.errors import BadRequest, ImpetusError, ModelError


@pytest.mark.parametrize("key", ["model_file", "auto_map"])
def test_code_in_a_model_folder_is_not_run(tmp_path: Path, key: str) -> None:
    folder = make_model(tmp_path / "model")
    witness = tmp_path / "it ran"
    (folder / "own.py").write_text(f"from pathlib import Path\nPath({str(witness)!r}).touch()\n", "utf-8")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config[key] = "own.py" if key == "model_file" else {"AutoModelForCausalLM": "own.Model"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    if key == "model_file":
        with pytest.raises(ModelError):
            load_model(folder)
    else:
        load_model(folder)
    assert not witness.exists()


def test_weights_that_are_a_pickle_are_not_read(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    witness = tmp_path / "it ran"
    (folder / "model.safetensors").unlink()
    # What pickle.dumps gives for an object whose __reduce__ is (os.mkdir, (witness,)).
    payload = b"cposix\nmkdir\n(V" + str(witness).encode() + b"\ntR."
    for name in ("pytorch_model.bin", "model.pt", "weights.npz"):
        (folder / name).write_bytes(payload)
    with pytest.raises(ModelError):
        load_model(folder)
    assert not witness.exists()


HOSTILE: list[Any] = [
    {"type": "string", "pattern": "(a{1000}){1000}"},
    {"type": "string", "pattern": "((a|b|c|d|e){1,500}){1,500}x"},
    {"type": "string", "pattern": ".*" * 50 + "(x+x+)+y"},
    {"type": "array", "minItems": 10**9},
    {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
    {"anyOf": [{"type": "object", "properties": {f"k{i}": {"type": "string"} for i in range(2000)}}] * 20},
]


@pytest.mark.parametrize("schema", HOSTILE, ids=str)
def test_a_hostile_schema_is_refused_or_bounded(tmp_path: Path, schema: Any) -> None:
    """llguidance counts its steps; without that, some of these would take for ever."""
    make_tokenizer(tmp_path)
    grammars = Grammars((tmp_path / "tokenizer.json").read_text("utf-8"), [2])
    try:
        grammar = grammars.start(JsonSchema(json.dumps(schema)))
        for _ in range(20):
            allowed = grammar.allowed(320).nonzero()[0]
            grammar.accept(int(allowed[-1]) if len(allowed) else 2)
            if grammar.complete:
                break
    except ImpetusError as error:
        assert isinstance(error, BadRequest | ModelError)
