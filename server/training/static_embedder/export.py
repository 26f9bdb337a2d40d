"""Write a float table as the files that `StaticEmbedder` reads: int8 rows with a scale each, words, manifest."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from impetus.adapters.static_embedder import content_digest

NAME = "impetus-static"


def export(folder: Path, vocabulary: list[str], table: NDArray[np.float32], *, damping: float, recipe: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    quantised, scales = quantise(table)
    names = "\n".join(vocabulary)
    np.save(folder / "vectors.npy", quantised)
    np.save(folder / "scales.npy", scales)
    (folder / "words.txt").write_text(names, encoding="utf-8", newline="")
    manifest = {
        "name": NAME,
        "recipe": recipe,
        "words": len(vocabulary),
        "dimensions": table.shape[1],
        "damping": damping,
        "digest": content_digest(names, quantised, scales),
    }
    (folder / "model.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def quantise(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 per row; the scale carries the row's length, and with it the weight of the word."""
    peaks = np.abs(table).max(axis=1)
    scales = (peaks / 127).astype(np.float32)
    safe = np.where(scales > 0, scales, 1)[:, None]
    return np.clip(np.rint(table / safe), -127, 127).astype(np.int8), scales
