"""Core ML where there is none: functions of a package evaluated by the interpreter."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from impetus.adapters import blas, coreml_builder
from impetus.adapters.coreml_embedder import Predict
from impetus.adapters.encoder_folder import Encoder, Weights
from tests.support.mil_interpreter import Interpreter


@lru_cache(maxsize=4)
def opened(package: Path) -> Interpreter:
    blas.one_thread_for_numpy()
    return Interpreter(package)


def load(package: Path, function: str) -> Predict:
    """Stands in for Core ML's own."""

    def predict(inputs: Mapping[str, Any]) -> Any:
        return opened(package).run(function, inputs)

    return predict


def vectors(package: Path, encoder: Encoder, rows: Sequence[Sequence[int]], length: int) -> Weights:
    """What the function of `length` gives for all rows at once, scaled to unit length; rows are cut to it."""
    each = [coreml_builder.inputs(encoder, row[:length], length) for row in rows]
    together = {name: np.concatenate([inputs[name] for inputs in each]) for name in each[0]}
    found = opened(package).run(coreml_builder.function_name(length), together).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)
