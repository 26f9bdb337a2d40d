"""A numpy interpreter of a saved .mlpackage: weights from its file, the result of each operation rounded to its type.

It checks on any system what was really written. It is not Core ML: how a device adds up stays untested. The first axis
may be longer than the program says, so that many texts are computed at once.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
from coremltools.libmilstoragepython import _BlobStorageReader
from coremltools.proto import MIL_pb2
from numpy.typing import NDArray

Array = NDArray[Any]

_TYPES = {
    MIL_pb2.FLOAT32: np.float32,
    MIL_pb2.FLOAT16: np.float16,
    MIL_pb2.INT32: np.int32,
    MIL_pb2.INT8: np.int8,
    MIL_pb2.UINT8: np.uint8,
    MIL_pb2.BOOL: np.bool_,
    MIL_pb2.STRING: object,
}


class Interpreter:
    """One package; `run` evaluates one of its functions."""

    def __init__(self, package: Path) -> None:
        self._program = ct.utils.load_spec(str(package)).mlProgram
        self._blob = _BlobStorageReader(str(package / "Data/com.apple.CoreML/weights/weight.bin"))
        self._constants: dict[int, Array] = {}

    @property
    def functions(self) -> set[str]:
        return set(self._program.functions)

    def operations(self, function: str) -> list[str]:
        """Kinds of all operations but constants."""
        return [operation.type for operation in self._block(function).operations if operation.type != "const"]

    def output_types(self, function: str) -> set[Any]:
        """Of all operations that compute."""
        return {
            _TYPES[output.type.tensorType.dataType]
            for operation in self._block(function).operations
            if operation.type != "const"
            for output in operation.outputs
        }

    def run(self, function: str, inputs: Mapping[str, Array]) -> Array:
        values: dict[str, Any] = dict(inputs)
        block = self._block(function)
        for operation in block.operations:
            if operation.type == "const":
                values[operation.outputs[0].name] = self._value(operation.attributes["val"])
                continue
            arguments: dict[str, Any] = {}
            for key, argument in operation.inputs.items():
                bound = [self._bound(values, binding) for binding in argument.arguments]
                arguments[key] = bound[0] if len(bound) == 1 and key != "values" else bound
            results = _OPERATIONS[operation.type](arguments)
            results = results if isinstance(results, list) else [results]
            for output, result in zip(operation.outputs, results, strict=True):
                values[output.name] = np.asarray(result).astype(_TYPES[output.type.tensorType.dataType])
        return np.asarray(values[block.outputs[0]])

    def _block(self, function: str) -> Any:
        return next(iter(self._program.functions[function].block_specializations.values()))

    def _bound(self, values: Mapping[str, Any], binding: Any) -> Any:
        value = values[binding.name] if binding.WhichOneof("binding") == "name" else self._value(binding.value)
        return value.astype(np.float32) if getattr(value, "dtype", None) == np.float16 else value

    def _value(self, value: Any) -> Any:
        kind = _TYPES[value.type.tensorType.dataType]
        shape = [dimension.constant.size for dimension in value.type.tensorType.dimensions]
        if value.WhichOneof("value") == "blobFileValue":
            return self._stored(value.blobFileValue.offset, kind).reshape(shape)
        tensor = value.immediateValue.tensor
        field = tensor.WhichOneof("value")
        if field == "strings":
            return tensor.strings.values[0]
        if field == "bytes":
            return np.frombuffer(tensor.bytes.values, kind).reshape(shape)
        return np.array(getattr(tensor, field).values, kind).reshape(shape)

    def _stored(self, offset: int, kind: Any) -> Array:
        if offset not in self._constants:
            read = {
                np.float16: lambda: np.array(self._blob.read_fp16_data(offset), np.uint16).view(np.float16),
                np.float32: lambda: np.array(self._blob.read_float_data(offset), np.float32),
                np.int8: lambda: np.array(self._blob.read_int8_data(offset), np.int8),
                np.uint8: lambda: np.array(self._blob.read_uint8_data(offset), np.uint8),
            }[kind]
            self._constants[offset] = read()
        return self._constants[offset]


def _erf(x: Array) -> Array:
    """Abramowitz and Stegun 7.1.26."""
    z = np.abs(x)
    t = 1 / (1 + 0.3275911 * z)
    series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.sign(x) * (1 - series * np.exp(-z * z))


def _conv(a: dict[str, Any]) -> Array:
    weight = a["weight"][:, :, 0, 0]
    x = a["x"][:, :, 0, :]
    result = np.matmul(weight[None], x)[:, :, None, :]
    return result + a["bias"][None, :, None, None] if "bias" in a else result


def _einsum(a: dict[str, Any]) -> Array:
    left, right = a["values"]  # nchw,nwhu->nchu with h = 1
    assert a["equation"] == "nchw,nwhu->nchu"
    return np.matmul(left[:, :, 0, :], right[:, :, 0, :])[:, :, None, :]


def _softmax(a: dict[str, Any]) -> Array:
    axis = int(a["axis"])
    e = np.exp(a["x"] - a["x"].max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _layer_norm(a: dict[str, Any]) -> Array:
    (axis,) = np.atleast_1d(a["axes"])
    shape = [1] * a["x"].ndim
    shape[axis] = -1
    x = a["x"] - a["x"].mean(axis, keepdims=True)
    x = x / np.sqrt((x * x).mean(axis, keepdims=True) + a["epsilon"])
    return x * a["gamma"].reshape(shape) + a["beta"].reshape(shape)


def _slice(a: dict[str, Any]) -> Array:
    begin, end = a["begin"], a["end"]
    places = [slice(None), *(slice(int(b), int(e)) for b, e in zip(begin[1:], end[1:], strict=True))]
    return a["x"][tuple(places)]


def _dequantize(a: dict[str, Any]) -> Array:
    """iOS 18: scale has the data's rank, one number per block."""
    data, scale = a["data"].astype(np.float32), a["scale"]
    for axis, (whole, blocks) in enumerate(zip(data.shape, scale.shape, strict=True)):
        scale = np.repeat(scale, whole // blocks, axis=axis)
    return (data - a.get("offset", 0)) * scale


_OPERATIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "identity": lambda a: a["x"],
    "add": lambda a: a["x"] + a["y"],
    "sub": lambda a: a["x"] - a["y"],
    "mul": lambda a: a["x"] * a["y"],
    "conv": _conv,
    "einsum": _einsum,
    "softmax": _softmax,
    "layer_norm": _layer_norm,
    "gelu": lambda a: a["x"] * 0.5 * (1 + _erf(a["x"] / np.sqrt(2))),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a["x"])),
    "silu": lambda a: a["x"] / (1 + np.exp(-a["x"])),
    "transpose": lambda a: a["x"].transpose(a["perm"]),
    "split": lambda a: np.split(a["x"], int(a["num_splits"]), axis=int(a["axis"])),
    "concat": lambda a: np.concatenate(a["values"], axis=int(a["axis"])),
    "reduce_sum": lambda a: a["x"].sum(tuple(np.atleast_1d(a["axes"])), keepdims=bool(a["keep_dims"])),
    "squeeze": lambda a: np.squeeze(a["x"], tuple(np.atleast_1d(a["axes"]))),
    "slice_by_index": _slice,
    "constexpr_blockwise_shift_scale": _dequantize,
}
