"""Where models lie and what they carry.

A *model directory* holds `inference.onnx` (its dictionary in the metadata key `character`, as rapidocr
expects it), `model.json` (label, mode, base, dataset, config, …), `paddle/inference.{json,pdiparams,yml}`
(opens in stock PaddleOCR), `openvino/inference.{xml,bin}` (IR) and `curve.json` (the training curve). Only `inference.onnx` is needed to read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.errors import InputRefused, NotFound

ONNX_NAME = "inference.onnx"
CARD_NAME = "model.json"
CHARACTER_KEY = "character"


def _rapidocr_model(name: str) -> Path:
    from importlib.util import find_spec

    spec = find_spec("rapidocr")  # located, not imported: importing it takes a second
    if spec is None or not spec.submodule_search_locations:
        raise NotFound(
            "The base models come with the package rapidocr. Install it with `pip install rapidocr==3.10.0`."
        )
    path = Path(spec.submodule_search_locations[0]) / "models" / name
    if not path.is_file():
        raise NotFound(f"rapidocr has no {name}. Install the version that has it: `pip install rapidocr==3.10.0`.")
    return path


def base_recogniser() -> Path:
    """PP-OCRv6 small recogniser (ONNX, 18,710 classes), as the rapidocr wheel ships it."""
    return _rapidocr_model("PP-OCRv6_rec_small.onnx")


def base_detector() -> Path:
    """PP-OCRv6 small text detector (ONNX, differentiable binarisation), as the rapidocr wheel ships it."""
    return _rapidocr_model("PP-OCRv6_det_small.onnx")


def onnx_file(model: Path) -> Path:
    """The ONNX file of a model directory, or `model` itself when it is a file.

    Raises:
        NotFound: there is neither.
    """
    path = model / ONNX_NAME if model.is_dir() else model
    if not path.is_file():
        raise NotFound(f"No model at {model}: expected a folder with {ONNX_NAME}, or an ONNX file.")
    return path


def load_card(model_dir: Path) -> dict[str, Any]:
    """`model.json` of a model directory; empty when it has none."""
    path = model_dir / CARD_NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


@dataclass(frozen=True)
class Head:
    """Names in the ONNX graph around the CTC head `logits = features @ weight + bias`."""

    features: str
    weight: str
    bias: str
    logits: str


def load_onnx(path: Path) -> Any:
    """The parsed ONNX model (`onnx.ModelProto`).

    Raises:
        InputRefused: not an ONNX file.
    """
    import onnx

    try:
        return onnx.load(str(path))
    except Exception as exc:  # protobuf raises its own, undocumented, types
        raise InputRefused(str(path), "not a readable ONNX model. Export or download it again.") from exc


def tensors_of(model: Any) -> dict[str, NDArray[np.float32]]:
    """The float tensors that the graph stores, by name."""
    from onnx import TensorProto, numpy_helper

    stored = model.graph.initializer
    return {t.name: numpy_helper.to_array(t) for t in stored if t.data_type == TensorProto.FLOAT}


def charset_of(model: Any) -> list[str]:
    """Characters of a recogniser in class order: class i + 1 is `charset[i]`, class 0 is the CTC blank.

    The published dictionary leaves out the space, which is the last class; a grown one lists it in place.

    Raises:
        InputRefused: the model carries no dictionary, or one that does not fit its classes.
    """
    metadata = {p.key: p.value for p in model.metadata_props}
    if CHARACTER_KEY not in metadata:
        raise InputRefused("recogniser", f"its ONNX metadata has no key '{CHARACTER_KEY}' (the dictionary).")
    characters = metadata[CHARACTER_KEY].split("\n")
    if characters[-1] == "":
        characters.pop()
    classes = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    if len(characters) == classes - 2:
        characters.append(" ")
    if len(characters) != classes - 1:
        raise InputRefused("recogniser", f"its dictionary has {len(characters)} characters for {classes} classes.")
    return characters


def part_of(model: Any, start: str | Sequence[str], end: str | Sequence[str]) -> Any:
    """The graph between tensors (`onnx.ModelProto`): its inputs are `start`, its outputs `end`, each one or several."""
    from onnx import TensorProto, helper

    starts, ends = ([names] if isinstance(names, str) else list(names) for names in (start, end))
    makers = {output: number for number, node in enumerate(model.graph.node) for output in node.output}
    kept: set[int] = set()
    wanted = list(ends)
    while wanted:
        tensor = wanted.pop()
        number = makers.get(tensor)
        if tensor not in starts and number is not None and number not in kept:
            kept.add(number)
            wanted += model.graph.node[number].input
    nodes = [node for number, node in enumerate(model.graph.node) if number in kept]
    used = {name for node in nodes for name in node.input}
    stored = [tensor for tensor in model.graph.initializer if tensor.name in used]
    known = {value.name: value for value in model.graph.input}  # OpenVINO wants to know the input's rank
    first, last = (
        [known.get(name) or helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names]
        for names in (starts, ends)
    )
    part = helper.make_model(helper.make_graph(nodes, "part", first, last, stored))
    part.ir_version = model.ir_version
    del part.opset_import[:]
    part.opset_import.extend(model.opset_import)
    return part


def neck_of(model: Any) -> str:
    """Name of the tensor between backbone and neck: what the last pooling of the graph puts out.

    Raises:
        InputRefused: the graph has none.
    """
    pooled = [node.output[0] for node in model.graph.node if node.op_type == "AveragePool"]
    if not pooled:
        raise InputRefused("recogniser", "its graph has no pooling after which a neck could begin.")
    return pooled[-1]


def head_of(model: Any) -> Head:
    """Find the CTC head: the last matrix product with a stored weight, and the addition after it.

    Raises:
        InputRefused: the graph ends otherwise.
    """
    stored = {i.name for i in model.graph.initializer}
    nodes = list(model.graph.node)
    for product in reversed(nodes):
        if product.op_type == "MatMul" and product.input[1] in stored:
            for addition in nodes:
                if addition.op_type == "Add" and product.output[0] in addition.input:
                    bias = next(i for i in addition.input if i != product.output[0])
                    return Head(product.input[0], product.input[1], bias, addition.output[0])
            break
    raise InputRefused("recogniser", "its graph does not end in a CTC head (MatMul, Add, Softmax).")


@dataclass(frozen=True)
class DetectorParts:
    """Names in the graph of a text detector: what the neck gets from the backbone, what the head gets from the neck
    (each a tensor a scale, before the smaller ones are enlarged), and the logits of its probability map."""

    neck: tuple[str, ...]
    head: tuple[str, ...]
    logits: str


def detector_parts(model: Any) -> DetectorParts:
    """Cut a detector of PaddleOCR's build: backbone, pyramid neck of squeeze-and-excitation blocks, DB head.

    Raises:
        InputRefused: the graph is built otherwise.
    """
    makers = {output: node for node in model.graph.node for output in node.output}

    def before(tensor: str, *passed: str) -> str:
        """`tensor`, or what it was made from by operators of these kinds."""
        while (node := makers.get(tensor)) is not None and node.op_type in passed:
            tensor = node.input[0]
        return tensor

    # Every block of the neck squeezes what a convolution put out; the first ones have no other block before them.
    pooled: dict[str, bool] = {}
    neck = []
    for node in model.graph.node:
        squeezes = node.op_type == "GlobalAveragePool"
        inside = any(pooled.get(name, False) for name in node.input)
        convolution = makers.get(before(node.input[0], "Identity")) if squeezes and not inside else None
        if convolution is not None and convolution.op_type == "Conv":
            neck.append(convolution.input[0])
        pooled.update((name, inside or squeezes) for name in node.output)
    joined = [node for node in model.graph.node if node.op_type == "Concat"]
    last = makers.get(model.graph.output[0].name)
    if not neck or not joined or last is None or last.op_type != "Sigmoid":
        raise InputRefused("detector", "its graph is no PP-OCR detector (pyramid neck, one map of probabilities).")
    head = tuple(before(name, "Identity", "Resize") for name in joined[-1].input)
    return DetectorParts(tuple(neck), head, last.input[0])
