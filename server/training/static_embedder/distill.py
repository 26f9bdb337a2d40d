"""The starting table: every word through MiniLM, reduced to 256 dimensions, frequent words made light. No pairs needed.

    python -m training.static_embedder.distill OUT [--ship DIR]

Reads OUT/vocabulary.tsv, writes OUT/start.npy, and with --ship the files of the package.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.static_embedder.dataset import read_vocabulary
from training.static_embedder.export import export
from training.static_embedder.minilm import MiniLM

DIMENSIONS = 256
_SMOOTHING = 1e-3  # of smooth inverse frequency: a word of this share of all words weighs one half


def distill(vocabulary: list[str], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    return (principal_parts(MiniLM().embed(vocabulary)) * inverse_frequency(counts)[:, None]).astype(np.float32)


def principal_parts(vectors: NDArray[np.float32], dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """Centre and turn the vectors onto their directions of largest variance, and make them of unit length."""
    centred = vectors - vectors.mean(0)
    _, directions = np.linalg.eigh(np.cov(centred.T))
    reduced = centred @ directions[:, ::-1][:, :dimensions]
    return np.asarray(reduced / np.maximum(np.linalg.norm(reduced, axis=1, keepdims=True), 1e-9), np.float32)


def inverse_frequency(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    share = counts / counts.sum()
    return np.asarray(_SMOOTHING / (_SMOOTHING + share), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--ship", type=Path)
    arguments = parser.parse_args()
    vocabulary, counts = read_vocabulary(arguments.out / "vocabulary.tsv")
    table = distill(vocabulary, counts)
    np.save(arguments.out / "start.npy", table)
    if arguments.ship:
        export(arguments.ship, vocabulary, table, damping=0.5, recipe="distilled from MiniLM")
    print(f"{len(vocabulary)} words")


if __name__ == "__main__":
    main()
