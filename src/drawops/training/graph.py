"""A PP-OCR ONNX graph as a trainable paddle layer.

No PyPI wheel ships PaddleOCR's training code, and a loaded inference model has no gradients. So the graph itself is
executed with paddle operators, every float initialiser being a Parameter. Importing this module imports paddle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray

from drawops.errors import InputRefused

Attributes = dict[str, Any]


@dataclass(frozen=True)
class Node:
    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes


class OnnxLayer(paddle.nn.Layer):
    """Executes a recognition or detection graph; equal to ONNX Runtime within float rounding.

    Args:
        source: ONNX file or a loaded model.
        logits: leave out a final Softmax, which a loss wants to see as logits.

    Raises:
        InputRefused: the graph has an operator this layer does not know.
    """

    def __init__(self, source: Path | str | onnx.ModelProto, *, logits: bool = True) -> None:
        super().__init__()
        model = source if isinstance(source, onnx.ModelProto) else onnx.load(str(source))
        self.metadata = {entry.key: entry.value for entry in model.metadata_props}
        self.input_names = [value.name for value in model.graph.input]
        self.nodes, values, self.output_name = _read_graph(model.graph)
        if logits and self.nodes[-1].op == "Softmax":
            self.output_name = self.nodes.pop().inputs[0]
        if unknown := sorted({node.op for node in self.nodes} - _OPERATORS.keys()):
            raise InputRefused(str(source)[:200], f"operators that can't be trained: {', '.join(unknown)}.")
        # Running mean and variance are no weights: an inference graph has frozen batch norms.
        frozen = {name for node in self.nodes if node.op == "BatchNormalization" for name in node.inputs[3:5]}
        frozen |= {name for node in self.nodes if node.op == "Resize" for name in node.inputs[1:]}  # roi, scales, sizes
        self.constants: dict[str, NDArray[Any]] = {}
        self.parameter_names: dict[str, str] = {}
        for name, value in values.items():
            if value.dtype.kind == "f" and value.size > 1 and name not in frozen:
                self.parameter_names[name] = "p_" + "".join(c if c.isalnum() else "_" for c in name)
                self.assign(name, value)
            else:
                self.constants[name] = value.astype("float32") if value.dtype.kind == "f" else value

    def assign(self, name: str, value: NDArray[Any]) -> None:
        """Replace the initialiser `name`; its shape may change, as the head's does when the dictionary grows."""
        parameter = self.create_parameter(
            list(value.shape), default_initializer=paddle.nn.initializer.Assign(value.astype("float32"))
        )
        attribute = self.parameter_names[name]
        self._parameters.pop(attribute, None)
        self.add_parameter(attribute, parameter)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """The trained initialisers by their ONNX names, to be written back into the graph."""
        return {name: getattr(self, attribute).numpy() for name, attribute in self.parameter_names.items()}

    # Tracing would try to compile the interpreter below; executed as it is, it leaves its operators in the trace.
    @paddle.jit.not_to_static
    def forward(self, x: paddle.Tensor | list[paddle.Tensor]) -> paddle.Tensor:
        """x: (N, 3, H, W) float32, or the inputs of a part of a graph -> its output; (N, T, C) logits for a recogniser."""
        values: dict[str, Any] = dict(zip(self.input_names, x if isinstance(x, list) else [x], strict=True))
        for node in self.nodes:
            arguments = [self._value(name, values) for name in node.inputs]
            values[node.output] = _OPERATORS[node.op](node.attributes, *arguments)
        return values[self.output_name]

    def _value(self, name: str, values: dict[str, Any]) -> Any:
        if not name:  # an optional input that was left out
            return None
        if name in values:
            return values[name]
        if name in self.parameter_names:
            return getattr(self, self.parameter_names[name])
        return self.constants[name]


def _read_graph(graph: onnx.GraphProto) -> tuple[list[Node], dict[str, NDArray[Any]], str]:
    """Nodes in order without Identity and Constant, the constant values that are used, and the output's name."""
    alias: dict[str, str] = {}
    values = {entry.name: onnx.numpy_helper.to_array(entry) for entry in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant":
            values[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type in ("Identity", "Dropout"):
            alias[node.output[0]] = alias.get(node.input[0], node.input[0])
        else:
            inputs = tuple(alias.get(name, name) for name in node.input)
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            nodes.append(Node(node.op_type, inputs, node.output[0], attributes))
    used = {name for node in nodes for name in node.inputs}
    output = graph.output[0].name
    return nodes, {k: v for k, v in values.items() if k in used}, alias.get(output, output)


def _tensor(value: Any) -> paddle.Tensor:
    return paddle.to_tensor(value) if isinstance(value, np.ndarray) else value


def _ints(value: Any) -> list[int]:
    return [int(v) for v in value.reshape(-1).tolist()]


def _scalar(value: Any) -> Any:
    """A constant of one float as a Python number (kept out of the trace); anything else as a tensor."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind == "f":
        return float(value.reshape(-1)[0])
    return _tensor(value)


def _padding(attributes: Attributes) -> Any:
    if attributes.get("auto_pad", b"NOTSET") == b"SAME_UPPER":
        return "SAME"
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    return [top, bottom, left, right]


def _binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda attributes, a, b: function(_scalar(a), _scalar(b))


def _unary(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda attributes, x: function(_tensor(x))


def _conv(attributes: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    return F.conv2d(
        x,
        _tensor(weight),
        None if bias is None else _tensor(bias),
        stride=attributes.get("strides", [1, 1]),
        padding=_padding(attributes),
        dilation=attributes.get("dilations", [1, 1]),
        groups=attributes.get("group", 1),
    )


def _conv_transpose(attributes: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    return F.conv2d_transpose(
        x,
        _tensor(weight),
        None if bias is None else _tensor(bias),
        stride=attributes["strides"],
        padding=_padding(attributes),
        groups=attributes.get("group", 1),
    )


def _pool(attributes: Attributes, x: Any, *, largest: bool) -> Any:
    size, stride, ceil = attributes["kernel_shape"], attributes.get("strides"), bool(attributes.get("ceil_mode", 0))
    if largest:
        return F.max_pool2d(x, size, stride=stride, padding=_padding(attributes), ceil_mode=ceil)
    exclusive = not attributes.get("count_include_pad", 0)
    return F.avg_pool2d(x, size, stride=stride, padding=_padding(attributes), ceil_mode=ceil, exclusive=exclusive)


def _batch_norm(attributes: Attributes, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> Any:
    factor = _tensor(scale) * paddle.rsqrt(_tensor(variance) + attributes.get("epsilon", 1e-5))
    shift = _tensor(bias) - _tensor(mean) * factor
    return x * factor.reshape([1, -1, 1, 1]) + shift.reshape([1, -1, 1, 1])


def _slice(attributes: Attributes, x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    begin, end = _ints(starts), [min(value, 2**31 - 1) for value in _ints(ends)]
    return paddle.slice(_tensor(x), list(range(len(begin))) if axes is None else _ints(axes), begin, end)


def _reshape(attributes: Attributes, x: Any, shape: Any) -> Any:
    # 0 copies and -1 infers a dimension, in paddle as in ONNX.
    return paddle.reshape(x, _ints(shape) if isinstance(shape, np.ndarray) else shape.astype("int32"))


def _resize(attributes: Attributes, x: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    nearest = attributes.get("mode", b"nearest") == b"nearest"
    mode: Literal["nearest", "bilinear"] = "nearest" if nearest else "bilinear"
    if scales is not None and scales.size:
        factors: list[Any] = [float(value) for value in scales.reshape(-1).tolist()[2:]]
        if nearest and all(factor.is_integer() for factor in factors):
            # Repeated, not interpolated: paddle's oneDNN runner can't read the factors of an exported network.
            for axis, factor in zip((2, 3), factors, strict=True):
                x = paddle.repeat_interleave(x, int(factor), axis=axis)
            return x
        return F.interpolate(x, scale_factor=factors, mode=mode)
    return F.interpolate(x, size=_tensor(sizes).astype("int32")[2:], mode=mode)


def _axes(attributes: Attributes, axes: Any) -> list[int]:
    return list(attributes["axes"]) if "axes" in attributes else _ints(axes)


def _mean(attributes: Attributes, x: Any, axes: Any = None) -> Any:
    return paddle.mean(x, axis=_axes(attributes, axes), keepdim=bool(attributes.get("keepdims", 1)))


_DTYPES: dict[int, Literal["float32", "int32", "int64"]] = {1: "float32", 6: "int32", 7: "int64", 11: "float32"}

_OPERATORS: dict[str, Callable[..., Any]] = {
    "Add": _binary(lambda a, b: a + b),
    "Sub": _binary(lambda a, b: a - b),
    "Mul": _binary(lambda a, b: a * b),
    "Div": _binary(lambda a, b: a / b),
    "Pow": _binary(paddle.pow),
    "MatMul": lambda attributes, a, b: paddle.matmul(_tensor(a), _tensor(b)),
    "Relu": _unary(F.relu),
    "Sigmoid": _unary(F.sigmoid),
    "Erf": _unary(paddle.erf),
    "Sqrt": _unary(paddle.sqrt),
    "HardSigmoid": lambda attributes, x: F.hardsigmoid(
        x, slope=attributes.get("alpha", 0.2), offset=attributes.get("beta", 0.5)
    ),
    "Clip": lambda attributes, x, low, high: paddle.clip(x, _scalar(low), _scalar(high)),
    "Softmax": lambda attributes, x: F.softmax(x, axis=attributes.get("axis", -1)),
    "ReduceMean": _mean,
    "GlobalAveragePool": lambda attributes, x: paddle.mean(x, axis=[2, 3], keepdim=True),
    "MaxPool": lambda attributes, x: _pool(attributes, x, largest=True),
    "AveragePool": lambda attributes, x: _pool(attributes, x, largest=False),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNormalization": _batch_norm,
    "Transpose": lambda attributes, x: paddle.transpose(_tensor(x), list(attributes["perm"])),
    "Squeeze": lambda attributes, x, axes=None: paddle.squeeze(_tensor(x), axis=_axes(attributes, axes)),
    "Unsqueeze": lambda attributes, x, axes=None: paddle.unsqueeze(_tensor(x), axis=_axes(attributes, axes)),
    "Shape": lambda attributes, x: paddle.shape(x).astype("int64"),
    "Cast": lambda attributes, x: _tensor(x).astype(_DTYPES[attributes["to"]]),
    "Slice": _slice,
    "Concat": lambda attributes, first, *rest: paddle.concat(
        [_tensor(first), *(_tensor(x).astype(_tensor(first).dtype) for x in rest)], axis=attributes["axis"]
    ),
    "Reshape": _reshape,
    "Resize": _resize,
}
