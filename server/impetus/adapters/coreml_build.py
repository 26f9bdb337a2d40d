"""Builds a Core ML package in a process of its own: `python -m impetus.adapters.coreml_build FOLDER PACKAGE PRECISION
LENGTH…`. It keeps a core and the interpreter busy for half a minute and takes a gigabyte, which no engine should.
Nobody types this command; the embedder for the Neural Engine does.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from impetus.adapters import coreml_builder
from impetus.adapters.coreml_builder import Precision
from impetus.adapters.encoder_folder import EncoderFolder
from impetus.errors import ModelError


def build_apart(folder: Path, package: Path, precision: Precision, buckets: Sequence[int]) -> None:
    """Raises ModelError."""
    # -P: modules of the folder that we were started in must not stand in for ours.
    command = [sys.executable, "-P", "-m", __spec__.name, str(folder), str(package), precision, *map(str, buckets)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1][:200]
        raise ModelError(f"The package for the Neural Engine cannot be built ({reason})")


def main() -> None:
    folder, package, precision, *lengths = sys.argv[1:]
    encoder = EncoderFolder(Path(folder))
    buckets = tuple(map(int, lengths))
    kind = cast(Precision, precision)
    coreml_builder.build(encoder.load(), encoder.pooling, Path(package), buckets=buckets, precision=kind)


if __name__ == "__main__":
    main()
