"""How much memory it takes to load a model, by the size of its weights; whether its file is mapped meanwhile.

    python -m tests.bench.model_loading

Random weights of about 200 MB as they are computed here, in float32 and quantized to 8 bits, each loaded by a process
of its own. Elsewhere than on Linux only MLX's own figures are known.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.figures import disk_mb
from tests.support.tiny_model import make_model

SHAPE = {
    "hidden_size": 768,
    "num_hidden_layers": 6,
    "intermediate_size": 3072,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 96,
}


def load(folder: Path) -> None:
    """Runs in a process of its own: what counts is the most memory that it ever had."""
    from impetus.adapters import mlx_loader

    mlx_loader.prepare()
    import mlx.core as mx
    import mlx_lm.models.qwen3  # noqa: F401
    from mlx.utils import tree_flatten

    before = resident("VmRSS")
    network = mlx_loader.load_network(folder, mlx_loader.read_config(folder))
    weights = sum(array.nbytes for _, array in tree_flatten(network.parameters())) / 1e6
    mapped = Path("/proc/self/maps").exists() and ".safetensors" in Path("/proc/self/maps").read_text()
    print(
        f"{folder.name:10} {disk_mb(folder):4.0f} MB on disk, {weights:4.0f} MB of weights; at most "
        f"{resident('VmHWM') - before:4.0f} MB more resident, {mx.get_peak_memory() / 1e6:4.0f} MB in MLX's arrays; "
        f"its file is {'' if mapped else 'not '}mapped"
    )


def resident(field: str) -> float:
    """MB of this process by this line of its status; 0 where the system has no such file."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith(f"{field}:")), 0.0)


def main() -> None:
    if len(sys.argv) > 1:
        load(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory(prefix="impetus-bench-") as root:
        for name, quantized in (("float32", False), ("8 bits", True)):
            folder = make_model(Path(root) / name, quantized=quantized, shape=SHAPE)
            subprocess.run([sys.executable, "-m", "tests.bench.model_loading", str(folder)], check=True)


if __name__ == "__main__":
    main()
