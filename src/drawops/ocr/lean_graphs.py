"""The graphs as they are executed: they say what those in the files say, with less work at their end.

Derived in memory when a model is opened, so that files, exports and training know nothing of it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.ocr.model_files import detector_parts, head_of, part_of

_UP = 2  # by how much each of the two transposed convolutions of a detector's head enlarges its map


def until_logits(model: Any) -> Any:
    """A recogniser without its softmax (`onnx.ModelProto`): of most frames only the best class is wanted."""
    return part_of(model, model.graph.input[0].name, head_of(model).logits)


def with_small_maps(model: Any) -> Any:
    """A PP-OCR detector whose head works at a quarter of the picture's size (`onnx.ModelProto`).

    Its head ends in two transposed convolutions of 2 x 2 pixels without overlap. Each of the 16 pixels that become of
    one is a function of that one alone, so 1 x 1 convolutions with a channel for each of them compute the same. See
    `probability_map` for what comes out.

    Raises:
        InputRefused: no PP-OCR detector.
    """
    from onnx import TensorProto, helper, numpy_helper

    second = _enlarging(model, detector_parts(model).logits)
    first = _enlarging(model, second.before)
    small = part_of(model, model.graph.input[0].name, first.before)
    channels = first.weight.shape[1]
    stored = {
        # (in, out, 2, 2) to (2 x 2 x out, in, 1, 1)
        "small.weight": first.weight.transpose(2, 3, 1, 0).reshape(_UP**2 * channels, -1, 1, 1),
        "small.bias": np.tile(first.bias, _UP**2),
        # one group for each of the four pixels before; the same weights (in, 1, 2, 2) for all of them
        "large.weight": np.tile(second.weight[:, 0].reshape(channels, _UP**2).T, (_UP**2, 1))[..., None, None],
        "large.bias": np.tile(second.bias, _UP**4),
    }
    tensors = [numpy_helper.from_array(np.ascontiguousarray(a, np.float32), name) for name, a in stored.items()]
    small.graph.initializer.extend(tensors)
    small.graph.node.extend(
        [
            helper.make_node("Conv", [first.before, "small.weight", "small.bias"], ["small"]),
            helper.make_node("Relu", ["small"], ["small.relu"]),
            helper.make_node("Conv", ["small.relu", "large.weight", "large.bias"], ["large"], group=_UP**2),
        ]
    )
    del small.graph.output[:]
    small.graph.output.append(helper.make_tensor_value_info("large", TensorProto.FLOAT, None))
    return small


def probability_map(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Probability of text x 255, (4 h, 4 w) uint8, of the logits (1, 16, h, w) of a detector `with_small_maps`."""
    *_, height, width = logits.shape
    with np.errstate(over="ignore"):  # exp of what is no text at all
        probabilities = (255 / (1 + np.exp(-logits))).astype(np.uint8)
    rows_and_columns = probabilities.reshape(_UP, _UP, _UP, _UP, height, width).transpose(4, 0, 2, 5, 1, 3)
    return np.ascontiguousarray(rows_and_columns).reshape(_UP**2 * height, _UP**2 * width)


@dataclass(frozen=True)
class _Enlarging:
    """A transposed convolution of the tensor `before`: weight (in, out, 2, 2), bias (out,)."""

    before: str
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def _enlarging(model: Any, tensor: str) -> _Enlarging:
    """What makes a tensor: a transposed convolution, whose bias is added afterwards."""
    from onnx import numpy_helper

    makers = {output: node for node in model.graph.node for output in node.output}
    stored = {i.name: i for i in model.graph.initializer}

    def source(name: str, *passed: str) -> str:
        while (node := makers.get(name)) is not None and node.op_type in passed:
            name = node.input[0]
        return name

    def value(name: str) -> NDArray[np.float32]:
        return numpy_helper.to_array(stored[source(name, "Identity", "Reshape")])

    addition = makers[source(tensor, "Identity", "Relu")]
    product, bias = (source(name, "Identity") for name in addition.input)
    convolution = makers[product]
    return _Enlarging(convolution.input[0], value(convolution.input[1]), value(bias).ravel())
