"""`GET /api/hardware/info`: what this machine is, as far as its system says, and what computes embeddings on it."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import psutil

from impetus.domain.hardware import Conditions, Hardware
from impetus.services.dispatcher import BackendState


def info(machine: tuple[Hardware, Conditions] | None, backends: Sequence[BackendState]) -> dict[str, Any]:
    """What nobody says is null."""
    hardware, conditions = machine or (Hardware(platform.system()), Conditions())
    memory = psutil.virtual_memory()
    return {
        "system": platform.system(),
        "system_version": hardware.version or None,
        "system_build": hardware.build or None,
        "release": platform.release(),
        "machine": platform.machine(),
        "processor": hardware.chip or platform.processor() or None,
        "family": hardware.family or None,
        "cores": {
            "physical": psutil.cpu_count(logical=False),
            "logical": psutil.cpu_count(),
            "kinds": [asdict(cores) for cores in hardware.cores],
            "gpu": hardware.gpu_cores,
        },
        "memory": {"total_bytes": memory.total, "available_bytes": memory.available},
        # All Macs with Apple silicon have both; nothing is known of other accelerators.
        "metal": hardware.neural_engine,
        "neural_engine": hardware.neural_engine,
        "on_battery": conditions.on_battery,
        "thermal_pressure": conditions.pressure or None,
        "strain": conditions.strain() or None,
        "embedding_backends": [
            {
                "name": one.name,
                "state": one.state,
                "reason": one.reason or None,
                "canary": asdict(one.verdict) if one.verdict is not None else None,
            }
            for one in backends
        ],
        "python": platform.python_version(),
    }
