"""The Neural Engine as the backend of a local embedder: a package built once, compiled once per system, run per text.

A package is built from the folder's weights where there is none. Compiling takes seconds and depends on the system, so
the result is kept under the system's build and chip, and a new system compiles anew. A vector that is not finite or is
zero is never given out. Running needs macOS and has not been run there yet, see docs/apple-silicon.md.
"""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from impetus.adapters import coreml_build, coreml_builder
from impetus.adapters.coreml_builder import BUCKETS, Precision
from impetus.adapters.encoder_folder import EncoderFolder
from impetus.adapters.local_embedder import Backend, Encode
from impetus.domain.ports import Vectors
from impetus.errors import BadVectors, ModelError, ModelUnavailable

#: Inputs of a function to its output, (1, width).
Predict = Callable[[Mapping[str, Any]], Any]
#: A function of a package, ready to be called.
Load = Callable[[Path, str], Predict]


def backend(
    cache: Path, *, buckets: Sequence[int] = BUCKETS, precision: Precision = "float16", load: Load | None = None
) -> Backend:
    """`cache` keeps packages and what was compiled from them. `load` stands in for Core ML where there is none."""

    def prepare(folder: EncoderFolder) -> Encode:
        if load is None and sys.platform != "darwin":
            raise ModelUnavailable("The Neural Engine needs macOS; set embedding.compute to `cpu`")
        encoder = folder.load()
        package = _package(cache, folder.id, precision)
        if not package.exists():
            part = package.with_name(f"part-{package.name}")
            shutil.rmtree(part, ignore_errors=True)
            coreml_build.build_apart(folder.folder, part, precision, buckets)
            part.rename(package)
        functions: dict[int, Predict] = {}

        def encode(rows: Sequence[Sequence[int]]) -> Vectors:
            vectors = np.zeros((len(rows), encoder.width), np.float32)
            for number, row in enumerate(rows):
                length = next((bucket for bucket in buckets if bucket >= len(row)), buckets[-1])
                if length not in functions:
                    functions[length] = (load or _load)(package, coreml_builder.function_name(length))
                vectors[number] = functions[length](coreml_builder.inputs(encoder, row[:length], length))[0]
            return _unit(vectors)

        return encode

    return prepare


def placed(cache: Path, id: str, *, precision: Precision = "float16") -> dict[str, float]:
    """Function → share of its operations that Core ML places on the Neural Engine, of a package that was used already.

    Raises ModelError. macOS only.
    """
    import coremltools as ct
    from coremltools.models.compute_device import MLNeuralEngineComputeDevice
    from coremltools.models.compute_plan import MLComputePlan

    compiled = _compiled(_package(cache, id, precision))
    try:
        plan = MLComputePlan.load_from_path(path=str(compiled), compute_units=ct.ComputeUnit.CPU_AND_NE)
        shares = {}
        for name, function in plan.model_structure.program.functions.items():
            usages = map(plan.get_compute_device_usage_for_mlprogram_operation, function.block.operations)
            devices = [usage.preferred_compute_device for usage in usages if usage is not None]  # constants have none
            on_engine = sum(isinstance(device, MLNeuralEngineComputeDevice) for device in devices)
            shares[name] = on_engine / len(devices)
        return shares
    except Exception as error:  # Core ML raises RuntimeError and bare Exception
        raise ModelError(f"Core ML does not say where {compiled.name} runs ({error})") from error


def _package(cache: Path, id: str, precision: Precision) -> Path:
    return cache / f"{id}-{precision}.mlpackage"


def _compiled(package: Path) -> Path:
    return package.with_suffix(f".{_system()}.mlmodelc")


def _unit(vectors: Vectors) -> Vectors:
    """In float32 on the host: squares of a float16 vector may overflow."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise BadVectors("The Neural Engine gave vectors that are zero or not finite; set embedding.compute to `cpu`")
    return np.asarray(vectors / lengths, np.float32)


def _load(package: Path, function: str) -> Predict:
    import coremltools as ct

    compiled = _compiled(package)
    try:
        if not compiled.exists():
            part = compiled.with_name(f"part-{compiled.name}")
            shutil.rmtree(part, ignore_errors=True)
            ct.models.utils.compile_model(str(package), destination_path=str(part))
            part.rename(compiled)
        model = ct.models.CompiledMLModel(
            str(compiled), compute_units=ct.ComputeUnit.CPU_AND_NE, function_name=function
        )
    except Exception as error:  # Core ML raises RuntimeError and bare Exception
        raise ModelError(
            f"Core ML cannot use {package.name} ({error}); delete {package} to build it anew, or set embedding.compute "
            "to `cpu`"
        ) from error
    return lambda inputs: model.predict(dict(inputs))["pooled"]


def _system() -> str:
    """Names build of the system and chip: what is compiled for one must not be used on another."""
    chip = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True).stdout.strip()
    return blake2b(f"{platform.version()} {chip}".encode(), digest_size=6).hexdigest()
