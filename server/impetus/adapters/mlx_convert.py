"""Quantizes a model's weights with mlx-lm's own converter, in a process of its own: it takes gigabytes for a minute."""

import subprocess
import sys
from pathlib import Path

from impetus.adapters.mlx_loader import read_config
from impetus.errors import BadRequest, ModelError

BITS = (2, 3, 4, 5, 6, 8)
_ENCODERS = ("bert", "nomic_bert")


def quantize(source: Path, target: Path, bits: int) -> None:
    """Implements `Quantize`. `source` is a folder of weights that are not quantized yet."""
    if bits not in BITS:
        raise BadRequest(f"Weights are quantized to {', '.join(map(str, BITS))} bits, not to {bits}", parameter="bits")
    config = read_config(source)
    if config["model_type"] in _ENCODERS:
        raise BadRequest("Embedding models are small and stay as they are; fetch it without --bits", parameter="bits")
    if "quantization" in config:
        raise BadRequest("This model is quantized already; fetch it without --bits", parameter="bits")
    # -P: modules of the folder that we were started in must not stand in for ours.
    command = [sys.executable, "-P", "-m", "mlx_lm", "convert", "--hf-path", str(source), "--mlx-path", str(target)]
    done = subprocess.run([*command, "-q", "--q-bits", str(bits)], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1][:200]
        raise ModelError(f"mlx-lm cannot quantize the model ({reason}); fetch it without --bits")
