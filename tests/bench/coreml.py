"""An encoder on the Neural Engine: agreement with float32, time of a text, and where Core ML places the work.

    python -m tests.bench.coreml MODEL_FOLDER [--precision int8]

Without macOS the saved package is evaluated by the interpreter of the tests, which tells the agreement alone.
"""

import argparse
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tests.bench.figures import spread
from tests.support import coreml

from impetus.adapters import coreml_builder, coreml_embedder, numpy_encoder
from impetus.adapters.coreml_builder import BUCKETS, function_name
from impetus.adapters.encoder_folder import Encoder, EncoderFolder, Weights
from impetus.domain.canary import TEXTS

_RUNS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a BERT or nomic-bert encoder")
    parser.add_argument("--precision", choices=["float16", "int8"], default="float16")
    arguments = parser.parse_args()
    folder = EncoderFolder(arguments.model)
    encoder = folder.load()
    rows = folder.tokenizer().encode(TEXTS)
    print(f"{folder.id} {arguments.precision}, {platform.platform()} {platform.machine()}", flush=True)
    with tempfile.TemporaryDirectory() as home:
        cache = Path(home)
        package = cache / f"{folder.id}-{arguments.precision}.mlpackage"
        started = time.perf_counter()
        coreml_builder.build(encoder, folder.pooling, package, precision=arguments.precision)
        print(f"built in {time.perf_counter() - started:.1f} s", flush=True)
        for length in BUCKETS:
            cut = [row[:length] for row in rows]
            expected = numpy_encoder.encode(encoder, cut, folder.pooling)
            found, times = _run(package, encoder, cut, length)
            least = float((found * expected).sum(axis=1).min())
            print(f"{length:4} tokens: least cosine {least:.6f}{times}", flush=True)
        if sys.platform == "darwin":
            for name, share in coreml_embedder.placed(cache, folder.id, precision=arguments.precision).items():
                print(f"{name}: {share:.1%} of its operations on the Neural Engine")


def _run(package: Path, encoder: Encoder, rows: list[list[int]], length: int) -> tuple[Weights, str]:
    if sys.platform != "darwin":
        return coreml.vectors(package, encoder, rows, length), ""
    predict = coreml_embedder._load(package, function_name(length))
    each = [coreml_builder.inputs(encoder, row, length) for row in rows]
    found = np.concatenate([predict(inputs) for inputs in each]).astype(np.float32)
    times = []
    for number in range(_RUNS):
        started = time.perf_counter()
        predict(each[number % len(each)])
        times.append(time.perf_counter() - started)
    return found / np.linalg.norm(found, axis=1, keepdims=True), f"  {spread(times)}"


if __name__ == "__main__":
    main()
