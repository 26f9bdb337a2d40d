"""How much memory a model will take, judged by its files, and how much this machine can give."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

#: What a loaded model needs beside its weights before its caches have grown: buffers, one long prompt.
HEADROOM_BYTES = 256 * 1024 * 1024

#: Kernel buffers and padding, as a share of the weights.
OVERHEAD = 1.1

_LONGEST_HEADER = 100_000_000

#: Share of the machine's memory that models may take together where no setting says otherwise.
SHARE = 0.75

_CGROUP = Path("/sys/fs/cgroup")


def available() -> int:
    """Bytes that programs can still get without swapping, the limit of a container included."""
    free = int(psutil.virtual_memory().available)
    limit = _container_limit()
    if limit is None:
        return free
    try:
        used = int((_CGROUP / "memory.current").read_text())
        cached = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, ValueError, KeyError):
        return free
    return max(0, min(free, limit - used + int(cached)))


def limit(megabytes: int) -> int:
    """Bytes for all models together, by the setting `models.memory_mb`."""
    if megabytes:
        return megabytes * 1_000_000
    total = int(psutil.virtual_memory().total)
    return int(min(total, _container_limit() or total) * SHARE)


def needed(folder: Path, *, float32: bool) -> int:
    """Bytes that the model in `folder` takes once loaded; with `float32`, as computed on a CPU.

    0 for a folder that does not look like a model: the loader says better what is wrong with it.
    """
    bits = _bits(folder)
    total = sum(nbytes * (_growth(dtype, bits) if float32 else 1.0) for dtype, nbytes in _tensors(folder))
    return int(total * OVERHEAD) + HEADROOM_BYTES if total else 0


def _container_limit() -> int | None:
    try:
        text = (_CGROUP / "memory.max").read_text().strip()
        return None if text == "max" else int(text)
    except (OSError, ValueError):
        return None


def _growth(dtype: str, bits: int) -> float:
    """How many times larger a tensor becomes as float32."""
    if dtype == "U32":  # quantized weights, packed
        return 32 / bits
    return {"F16": 2.0, "BF16": 2.0}.get(dtype, 1.0)


def _bits(folder: Path) -> int:
    try:
        return int(json.loads((folder / "config.json").read_bytes())["quantization"]["bits"])
    except (OSError, ValueError, TypeError, KeyError):
        return 4


def _tensors(folder: Path) -> Iterator[tuple[str, int]]:
    """Type and bytes of every tensor, from the headers of the safetensors files."""
    for file in folder.glob("*.safetensors"):
        try:
            with file.open("rb") as stream:
                (length,) = struct.unpack("<Q", stream.read(8))
                header: dict[str, Any] = json.loads(stream.read(min(length, _LONGEST_HEADER)))
            for name, tensor in header.items():
                if name != "__metadata__":
                    begin, end = tensor["data_offsets"]
                    yield tensor["dtype"], end - begin
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            yield "U8", file.stat().st_size  # the loader will say what is wrong with it
