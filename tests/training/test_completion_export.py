"""The model folder that ships is what the export writes, and small enough to ship."""

import json
from pathlib import Path

import impetus
from training.completion_model.export import configuration
from training.completion_model.samples import LENGTH

FOLDER = Path(impetus.__file__).parent / "data" / "models" / "impetus-fim-43m"
SHAPE = {
    "layers": 8, "width": 640, "inner": 1_600, "heads": 10, "kv_heads": 2, "head": 64, "vocabulary": 16_384,
    "rope": 50_000.0, "epsilon": 1e-6,
}  # fmt: skip


def test_the_shipped_model_is_described_as_it_was_trained() -> None:
    shipped = json.loads((FOLDER / "config.json").read_text("utf-8"))
    assert shipped == configuration(SHAPE)
    assert shipped["max_position_embeddings"] == LENGTH - 1


def test_the_shipped_model_takes_no_more_than_48_mb() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 48_000_000
