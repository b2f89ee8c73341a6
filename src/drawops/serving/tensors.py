"""Tensors of the Open Inference Protocol (V2): JSON, and its binary-data extension.

https://github.com/kserve/open-inference-protocol, and `extension_binary_data.md` of Triton's server.
"""

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drawops.errors import InputRefused

LENGTH_HEADER = "Inference-Header-Content-Length"
"""How many bytes of a body are its JSON part; the binary tensors follow, in order."""

_NUMPY = {"FP32": "<f4", "INT64": "<i8"}


class _Input(BaseModel):
    name: str
    datatype: str
    shape: list[int] = Field(min_length=1)
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class _Output(BaseModel):
    name: str
    parameters: dict[str, Any] = {}


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: str = ""
    parameters: dict[str, Any] = {}
    inputs: list[_Input] = Field(min_length=1)
    outputs: list[_Output] = []


@dataclass(frozen=True)
class Tensor:
    """`data`: an array of the shape, or for BYTES one element after the other."""

    name: str
    datatype: Literal["BYTES", "FP32", "INT64"]
    shape: tuple[int, ...]
    data: Sequence[bytes] | NDArray[Any]

    def __len__(self) -> int:
        return self.shape[0]


@dataclass(frozen=True)
class InferRequest:
    id: str
    parameters: dict[str, Any]
    inputs: Mapping[str, Sequence[bytes]]
    outputs: dict[str, bool] = field(default_factory=dict)
    """The outputs asked for and whether in binary; empty: all of them."""
    binary: bool = False
    """Whether outputs that were not named come in binary."""


def decode(body: bytes, header_length: str | None, *, texts: Iterable[str] = ()) -> InferRequest:
    """An inference request whose inputs are all BYTES.

    Args:
        header_length: value of LENGTH_HEADER, where there is one.
        texts: inputs whose JSON elements are text; those of the others are base64.
    Raises:
        InputRefused: it is not as the protocol has it.
    """
    size = _header_size(header_length, len(body))
    try:
        request = _Request.model_validate(json.loads(body[:size]))
    except ValidationError as exc:
        first = exc.errors()[0]
        raise InputRefused(".".join(map(str, first["loc"])) or "request", first["msg"]) from exc
    except (UnicodeDecodeError, ValueError) as exc:
        raise InputRefused("request", f"its JSON can't be read: {exc}") from exc
    inputs, at, plain = {}, size, frozenset(texts)
    for one in request.inputs:
        if one.datatype != "BYTES":
            raise InputRefused(f"input '{one.name}'", f"is {one.datatype}; this model takes BYTES")
        if "binary_data_size" in one.parameters:
            end = at + _whole(one.parameters["binary_data_size"])
            if end > len(body):
                raise InputRefused(f"input '{one.name}'", "the request ends before its binary data does")
            elements, at = _unpacked(one.name, memoryview(body)[at:end]), end
        elif one.data is not None:
            elements = [_from_json(one.name, element, one.name in plain) for element in _flat(one.data)]
        else:
            raise InputRefused(f"input '{one.name}'", "has neither `data` nor `parameters.binary_data_size`")
        if len(elements) != math.prod(one.shape) or min(one.shape) < 0:
            raise InputRefused(f"input '{one.name}'", f"has {len(elements)} elements, its shape says {one.shape}")
        inputs[one.name] = elements
    everywhere = bool(request.parameters.get("binary_data_output"))
    wanted = {o.name: bool(o.parameters.get("binary_data", everywhere)) for o in request.outputs}
    return InferRequest(request.id, request.parameters, inputs, wanted, everywhere)


def encode(request: InferRequest, model: str, version: str, outputs: Sequence[Tensor]) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of an answer: the outputs that were asked for."""
    there = {tensor.name: tensor for tensor in outputs}
    entries, blobs = [], []
    for name in request.outputs or there:
        tensor = there[name]
        entry: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if request.outputs.get(name, request.binary):
            blobs.append(_packed(tensor))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = _to_json(tensor)
        entries.append(entry)
    answer: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": entries}
    if request.id:
        answer["id"] = request.id
    head = json.dumps(answer, ensure_ascii=False).encode()
    if not blobs:
        return head, {"Content-Type": "application/json"}
    return b"".join([head, *blobs]), {"Content-Type": "application/octet-stream", LENGTH_HEADER: str(len(head))}


def _header_size(said: str | None, body: int) -> int:
    size = body if said is None else _whole(said)
    if size > body:
        raise InputRefused(LENGTH_HEADER, f"says {size} bytes, the body has {body}")
    return size


def _whole(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise InputRefused("request", f"'{value}' is no number of bytes")
    return number


def _flat(data: Iterable[Any]) -> Iterable[Any]:
    for element in data:
        if isinstance(element, list):
            yield from _flat(element)
        else:
            yield element


def _from_json(name: str, element: Any, plain: bool) -> bytes:
    if not isinstance(element, str):
        raise InputRefused(f"input '{name}'", "its elements must be strings")
    if plain:
        return element.encode()
    try:
        return base64.b64decode(element, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InputRefused(f"input '{name}'", "an element is not base64") from exc


def _unpacked(name: str, data: memoryview) -> list[bytes]:
    """BYTES in binary: each element behind its length, 4 bytes, little-endian."""
    elements, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        if at + 4 + size > len(data):
            raise InputRefused(f"input '{name}'", "an element is longer than its binary data")
        elements.append(bytes(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return elements


def _packed(tensor: Tensor) -> bytes:
    if isinstance(tensor.data, np.ndarray):
        return tensor.data.astype(_NUMPY[tensor.datatype]).tobytes()
    return b"".join(len(element).to_bytes(4, "little") + element for element in tensor.data)


def _to_json(tensor: Tensor) -> list[Any]:
    if isinstance(tensor.data, np.ndarray):
        return tensor.data.ravel().tolist()
    return [element.decode() for element in tensor.data]
