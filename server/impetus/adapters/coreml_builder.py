"""A text encoder as a Core ML package for the Neural Engine, built from MIL operations: no torch, no tracing.

What the engine wants decides the shape: everything is (1, channels, 1, tokens), linear layers are 1×1 convolutions,
attention is one einsum pair per head, all is float16 and static, so there is one function per length. Words are looked
up and normalized outside in float32, and the mask comes as numbers to add. Works on any system; running needs macOS.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from impetus.adapters.encoder_folder import Encoder, Layer, Linear, Norm, Weights

Half = NDArray[np.float16]

#: Tokens of a text are padded to the next of these.
BUCKETS: Final = (64, 128, 256, 512)
#: Added to the score of a token that is not there; -inf would become NaN where a whole row is masked.
MASKED: Final = -1e4
#: A smaller one is zero in float16.
_LEAST_EPSILON: Final = 1e-5

Precision = Literal["float16", "int8"]


def function_name(length: int) -> str:
    return f"s{length}"


def build(
    encoder: Encoder, pooling: str, package: Path, *, buckets: Sequence[int] = BUCKETS, precision: Precision = "float16"
) -> None:
    """Write `package` (.mlpackage) with one function per bucket, which share their weights."""
    import coremltools as ct

    with tempfile.TemporaryDirectory() as folder:
        functions = ct.utils.MultiFunctionDescriptor()
        for length in buckets:
            part = str(Path(folder, f"{length}.mlpackage"))
            _convert(encoder, pooling, length, precision).save(part)
            functions.add_function(part, src_function_name="main", target_function_name=function_name(length))
        functions.default_function_name = function_name(buckets[0])
        package.parent.mkdir(parents=True, exist_ok=True)
        ct.utils.save_multifunction(functions, str(package))


def inputs(encoder: Encoder, tokens: Sequence[int], length: int) -> dict[str, Half]:
    """What the function of `length` takes for one text: embedded tokens, mask, and the share of each in the mean."""
    count = len(tokens)
    x = encoder.words[list(tokens)]
    if encoder.positions is not None:
        x = x + encoder.positions[:count]
    x = x - x.mean(axis=1, keepdims=True)
    x /= np.sqrt((x * x).mean(axis=1, keepdims=True) + encoder.epsilon)
    x = x * encoder.norm.gamma + encoder.norm.beta
    embedded = np.zeros((1, encoder.width, 1, length), np.float16)
    embedded[0, :, 0, :count] = x.T
    mask = np.full((1, length, 1, 1), MASKED, np.float16)
    mask[0, :count] = 0
    share = np.zeros((1, 1, 1, length), np.float16)
    share[..., :count] = 1 / count  # divided before summing: a float16 sum of 512 tokens would lose its digits
    return {"embedded": embedded, "mask": mask, "share": share}


def _convert(encoder: Encoder, pooling: str, length: int, precision: Precision) -> Any:
    import coremltools as ct
    import coremltools.optimize.coreml as cto

    model = ct.convert(
        _program(encoder, pooling, length),
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS18,
        compute_precision=ct.precision.FLOAT16,
        compute_units=ct.ComputeUnit.CPU_AND_NE,
        skip_model_load=True,
    )
    if precision == "int8":
        quantizer = cto.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=512)
        model = cto.linear_quantize_weights(model, cto.OptimizationConfig(global_config=quantizer))
    return model


def _program(encoder: Encoder, pooling: str, length: int) -> Any:
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import types

    width = encoder.width

    @mb.program(  # type: ignore[untyped-decorator]
        input_specs=[
            mb.TensorSpec((1, width, 1, length), types.fp16),
            mb.TensorSpec((1, length, 1, 1), types.fp16),
            mb.TensorSpec((1, 1, 1, length), types.fp16),
        ],
        opset_version=ct.target.iOS18,
    )
    def program(embedded: Any, mask: Any, share: Any) -> Any:
        graph = _Graph(mb, encoder, length)
        x = embedded
        for layer in encoder.layers:
            x = graph.layer(x, mask, layer)
        if pooling == "cls":
            first = mb.slice_by_index(x=x, begin=[0, 0, 0, 0], end=[1, width, 1, 1])
            return mb.squeeze(x=first, axes=[2, 3], name="pooled")
        mean = mb.reduce_sum(x=mb.mul(x=x, y=share), axes=[3], keep_dims=True)
        return mb.squeeze(x=mean, axes=[2, 3], name="pooled")

    return program


class _Graph:
    """The operations of one function; `mb` is coremltools' builder."""

    def __init__(self, mb: Any, encoder: Encoder, length: int) -> None:
        self._mb = mb
        self._heads = encoder.heads
        self._width = encoder.width
        self._epsilon = np.float16(max(encoder.epsilon, _LEAST_EPSILON))
        self._rotary: tuple[Half, Half] | None = None
        if encoder.rotary_base is not None:
            cos, sin = (table[:, : table.shape[1] // 2].T for table in encoder.rotary(length))
            # Rows are ordered by half, then by head, then by pair: see `_halves`.
            self._rotary = _row(np.tile(cos, (encoder.heads, 1))), _row(np.tile(sin, (encoder.heads, 1)))

    def layer(self, x: Any, mask: Any, layer: Layer) -> Any:
        mb = self._mb
        x = self._norm(mb.add(x=x, y=self._linear(self._attention(x, mask, layer), layer.out)), layer.norm)
        inner = self._linear(x, layer.up)
        if layer.gate is None:
            inner = mb.gelu(x=inner, mode="EXACT")
        else:
            gate = self._linear(x, layer.gate)
            inner = mb.mul(x=inner, y=mb.mul(x=gate, y=mb.sigmoid(x=gate)))
        return self._norm(mb.add(x=x, y=self._linear(inner, layer.down)), layer.last_norm)

    def _attention(self, x: Any, mask: Any, layer: Layer) -> Any:
        mb = self._mb
        scale = np.float32((self._width // self._heads) ** -0.5)  # into the weights: one operation less, same rounding
        scaled = Linear(layer.query.weight * scale, None if layer.query.bias is None else layer.query.bias * scale)
        queries, keys = self._split(x, scaled), self._split(x, layer.key)
        values = mb.split(x=self._linear(x, layer.value), num_splits=self._heads, axis=1)
        seen = []
        for query, key, value in zip(queries, keys, values, strict=True):
            key = mb.transpose(x=key, perm=[0, 3, 2, 1])
            scores = mb.add(x=mb.einsum(values=(key, query), equation="nchw,nwhu->nchu"), y=mask)
            seen.append(mb.einsum(values=(value, mb.softmax(x=scores, axis=1)), equation="nchw,nwhu->nchu"))
        return mb.concat(values=seen, axis=1)

    def _split(self, x: Any, linear: Linear) -> list[Any]:
        """Queries or keys by head, turned by their place where the model does so."""
        mb = self._mb
        if self._rotary is None:
            return list(mb.split(x=self._linear(x, linear), num_splits=self._heads, axis=1))
        cos, sin = self._rotary
        first, second = (self._linear(x, half) for half in _halves(linear, self._heads))
        turned = (
            mb.sub(x=mb.mul(x=first, y=cos), y=mb.mul(x=second, y=sin)),
            mb.add(x=mb.mul(x=second, y=cos), y=mb.mul(x=first, y=sin)),
        )
        parts = (mb.split(x=half, num_splits=self._heads, axis=1) for half in turned)
        return [mb.concat(values=pair, axis=1) for pair in zip(*parts, strict=True)]

    def _linear(self, x: Any, linear: Linear) -> Any:
        weight = linear.weight.astype(np.float16)[:, :, None, None]
        if linear.bias is None:
            return self._mb.conv(x=x, weight=weight, pad_type="valid")
        return self._mb.conv(x=x, weight=weight, bias=linear.bias.astype(np.float16), pad_type="valid")

    def _norm(self, x: Any, norm: Norm) -> Any:
        gamma, beta = norm.gamma.astype(np.float16), norm.beta.astype(np.float16)
        return self._mb.layer_norm(x=x, axes=[1], gamma=gamma, beta=beta, epsilon=self._epsilon)


def _row(table: Weights) -> Half:
    return table.astype(np.float16)[None, :, None, :]


def _halves(linear: Linear, heads: int) -> tuple[Linear, Linear]:
    """The first halves of all heads, and the second: rotation then takes no slicing of each head."""
    out, into = linear.weight.shape
    weights = linear.weight.reshape(heads, 2, out // heads // 2, into)
    biases = None if linear.bias is None else linear.bias.reshape(heads, 2, -1)
    first, second = (
        Linear(weights[:, half].reshape(-1, into), None if biases is None else biases[:, half].reshape(-1))
        for half in (0, 1)
    )
    return first, second
