"""What a model will take, judged by the files in its folder."""

import json
import struct
from pathlib import Path

import psutil
import pytest
from tests.support.tiny_model import make_model

from impetus.adapters.mlx_model import load_model
from impetus.worker import memory
from impetus.worker.memory import HEADROOM_BYTES, OVERHEAD


def write(folder: Path, tensors: dict[str, tuple[str, int]], quantization: object = None) -> Path:
    """A model folder whose tensors have these types and sizes; only the header is written."""
    header, end = {}, 0
    for name, (dtype, nbytes) in tensors.items():
        header[name] = {"dtype": dtype, "shape": [nbytes], "data_offsets": [end, end + nbytes]}
        end += nbytes
    text = json.dumps({"__metadata__": {"format": "mlx"}, **header}).encode()
    folder.mkdir(exist_ok=True)
    (folder / f"model-{len(tensors)}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    (folder / "config.json").write_text(json.dumps({"quantization": quantization}))
    return folder


def weights(folder: Path, *, float32: bool) -> float:
    return (memory.needed(folder, float32=float32) - HEADROOM_BYTES) / OVERHEAD


def test_weights_count_as_they_are_or_as_float32(tmp_path: Path) -> None:
    tensors = {"a": ("U32", 1000), "a.scales": ("BF16", 100), "norm": ("F32", 10)}
    folder = write(tmp_path, tensors, {"bits": 8, "group_size": 64})
    assert weights(folder, float32=False) == pytest.approx(1110, abs=2)
    assert weights(folder, float32=True) == pytest.approx(4 * 1000 + 2 * 100 + 10, abs=2)
    write(tmp_path, {"b": ("F16", 50)}, {"bits": 4})  # a second file
    assert weights(folder, float32=True) == pytest.approx(8 * 1000 + 2 * 100 + 10 + 2 * 50, abs=2)


def test_a_damaged_file_counts_with_its_size_and_an_empty_folder_not_at_all(tmp_path: Path) -> None:
    assert memory.needed(tmp_path / "nowhere", float32=True) == 0
    assert memory.needed(tmp_path, float32=True) == 0
    (tmp_path / "model.safetensors").write_bytes(b"x" * 500)
    assert weights(tmp_path, float32=True) == pytest.approx(500, abs=2)


@pytest.mark.parametrize("quantized", [False, True])
def test_the_estimate_covers_what_a_real_model_takes(tmp_path: Path, quantized: bool) -> None:
    folder = make_model(tmp_path, quantized=quantized)
    model = load_model(folder)
    taken = model.nbytes
    model.close()
    assert 0 < taken <= weights(folder, float32=True) * OVERHEAD


def test_figures_of_this_machine() -> None:
    total = psutil.virtual_memory().total
    assert 0 < memory.available() <= total
    assert memory.limit(0) <= total * memory.SHARE
    assert memory.limit(1500) == 1_500_000_000
