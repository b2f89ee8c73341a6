"""Writing a trained recogniser into the ONNX graph it came from. No exporter is needed: the graph stays as it
is, its stored tensors are overwritten by name, and where the dictionary grew the class dimension grows with it.

The Paddle format is written by `drawops.training.export`, which executes the graph with paddle.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.errors import InputRefused
from drawops.ocr.model_files import CHARACTER_KEY, head_of, load_onnx, onnx_file


def write_onnx(src: Path, dst: Path, tensors: Mapping[str, NDArray[np.floating[Any]]], charset: Sequence[str]) -> Path:
    """Write the model `src` with `tensors` in the place of its own to `dst`.

    Args:
        src: ONNX file or model directory.
        dst: the file to write; it appears whole or not at all.
        tensors: name of a stored tensor -> its new value. Only the head's may differ in shape (new classes).
        charset: the characters of classes 1, 2, …; see `Recogniser.charset`.
    Raises:
        InputRefused: a name the graph does not store, a wrong shape, or a charset that does not fit the head.
    """
    from onnx import numpy_helper

    model = load_onnx(onnx_file(Path(src)))
    head = head_of(model)
    stored = {i.name: i for i in model.graph.initializer}
    old_classes = stored[head.bias].dims[-1]
    classes = len(charset) + 1
    if unknown := sorted(set(tensors) - set(stored)):
        raise InputRefused(str(dst), f"the graph of {src} stores no tensor '{unknown[0]}'.")
    for name, value in tensors.items():
        expected = tuple(stored[name].dims)
        if name in (head.weight, head.bias):
            expected = (*expected[:-1], classes)
        if tuple(value.shape) != expected:
            raise InputRefused(str(dst), f"tensor '{name}' has shape {tuple(value.shape)}, expected {expected}.")
        stored[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
    if classes != old_classes and not {head.weight, head.bias} <= set(tensors):
        raise InputRefused(str(dst), f"{len(charset)} characters need a head of {classes} classes; none was given.")
    if "\n" in "".join(charset) or any(len(c) == 0 for c in charset):
        raise InputRefused(str(dst), "a character of the charset is empty or a line break.")
    _set_classes(model, old_classes, classes)
    _set_character(model, charset)
    return _write(model, dst)


def write_tensors(src: Path, dst: Path, tensors: Mapping[str, NDArray[np.floating[Any]]]) -> Path:
    """Write any model `src` with `tensors` of the same shapes in the place of its own to `dst`.

    Raises:
        InputRefused: a name the graph does not store, or another shape.
    """
    from onnx import numpy_helper

    model = load_onnx(onnx_file(Path(src)))
    stored = {i.name: i for i in model.graph.initializer}
    for name, value in tensors.items():
        if name not in stored or tuple(stored[name].dims) != value.shape:
            raise InputRefused(str(dst), f"the graph of {src} stores no tensor '{name}' of shape {value.shape}.")
        stored[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
    return _write(model, dst)


def _write(model: Any, dst: Path) -> Path:
    import onnx

    onnx.checker.check_model(model)
    dst.parent.mkdir(parents=True, exist_ok=True)
    partial = dst.with_name(dst.name + ".partial")
    onnx.save(model, str(partial))
    partial.replace(dst)  # readers never see half a model
    return dst


def _set_classes(model: Any, old: int, new: int) -> None:
    """The class dimension in the declared shapes of the output and of the tensors on the way to it."""
    for value in (*model.graph.output, *model.graph.value_info):
        dims = value.type.tensor_type.shape.dim
        if len(dims) and dims[-1].dim_value == old:
            dims[-1].dim_value = new


def _set_character(model: Any, charset: Sequence[str]) -> None:
    for entry in model.metadata_props:
        if entry.key == CHARACTER_KEY:
            # rapidocr and PaddleOCR append the space themselves; where it is the last class it stays implied.
            listed = list(charset[:-1]) if charset[-1] == " " else list(charset)
            entry.value = "\n".join(listed)
