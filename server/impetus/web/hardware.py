"""`GET /api/hardware/info`: what this machine is, as far as the operating system says."""

import platform
from typing import Any

import psutil


def info() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processor": platform.processor() or None,
        "cores": {"physical": psutil.cpu_count(logical=False), "logical": psutil.cpu_count()},
        "memory": {"total_bytes": memory.total, "available_bytes": memory.available},
        # All Macs with Apple silicon have both; nothing is known of other accelerators.
        "metal": apple,
        "neural_engine": apple,
        "python": platform.python_version(),
    }
