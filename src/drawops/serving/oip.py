"""The Open Inference Protocol under `/v2`: what KServe, Triton's clients and inference gateways speak.

Two models: the recogniser (drawings in, lines out) and the shape embedding (drawings in, one vector a view out).
"""

import json
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from drawops import __version__
from drawops.errors import InputRefused, NotFound
from drawops.serving.reads import loaded, read_and_record
from drawops.serving.shapes import shape_search
from drawops.serving.slot import LoadedModel, ModelSlot
from drawops.serving.tensors import LENGTH_HEADER, InferRequest, Tensor, decode, encode
from drawops.serving.uploads import given
from drawops.settings import Settings

SHAPES = "drawing-shapes"
_INPUTS = [
    {"name": "drawing", "datatype": "BYTES", "shape": [-1]},
    {"name": "file_name", "datatype": "BYTES", "shape": [-1]},
]
_OWNER = {"name": "drawing_number", "datatype": "INT64", "shape": [-1]}
_PAGE = {"name": "page", "datatype": "INT64", "shape": [-1]}
_READER_OUTPUTS = [
    {"name": "text", "datatype": "BYTES", "shape": [-1]},
    {"name": "score", "datatype": "FP32", "shape": [-1]},
    {"name": "quad", "datatype": "FP32", "shape": [-1, 4, 2]},
    {"name": "angle", "datatype": "FP32", "shape": [-1]},
    _OWNER,
    _PAGE,
    {"name": "reading", "datatype": "BYTES", "shape": [-1]},
]


def add_open_inference(app: FastAPI, settings: Settings, slot: ModelSlot) -> None:
    reader = settings.model_name

    def version_of(name: str, asked: str) -> str:
        """The version that serves a model.

        Raises:
            NotFound: no such model, or it is not the version asked for.
        """
        if name not in (reader, SHAPES):
            raise NotFound(f"No model '{name}'. There are {reader} and {SHAPES}.", what=name)
        version = loaded(slot).label if name == reader else shape_search(settings).index.version
        if asked and asked != version:
            raise NotFound(f"Model {name} is served in version {version}, not {asked}.", what=asked)
        return version

    def outputs_of(name: str) -> list[dict[str, Any]]:
        return _shape_outputs() if name == SHAPES else _READER_OUTPUTS

    @app.get("/v2", tags=["open inference"])
    async def server_metadata() -> dict[str, Any]:
        """Name, version and extensions of the server."""
        return {"name": "drawops", "version": __version__, "extensions": ["binary_tensor_data"]}

    @app.get("/v2/health/live", tags=["open inference"])
    async def live() -> dict[str, bool]:
        """The process lives."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=["open inference"])
    async def ready() -> Response:
        """A model version is loaded; 503 until then, and while the server is stopping."""
        is_ready = slot.current is not None and not app.state.drain.is_set()
        return JSONResponse({"ready": is_ready}, status_code=200 if is_ready else 503)

    @app.get("/v2/models/{name}", tags=["open inference"])
    @app.get("/v2/models/{name}/versions/{version}", tags=["open inference"])
    def model_metadata(name: str, version: str = "") -> dict[str, Any]:
        """The inputs and outputs of a model."""
        serves = version_of(name, version)
        return {
            "name": name,
            "versions": [serves],
            "platform": "onnx",
            "inputs": _INPUTS,
            "outputs": outputs_of(name),
        }

    @app.get("/v2/models/{name}/ready", tags=["open inference"])
    @app.get("/v2/models/{name}/versions/{version}/ready", tags=["open inference"])
    def model_ready(name: str, version: str = "") -> dict[str, Any]:
        """The model can be asked."""
        version_of(name, version)
        return {"name": name, "ready": not app.state.drain.is_set()}

    @app.post("/v2/models/{name}/infer", tags=["open inference"], openapi_extra=_BODY)
    @app.post("/v2/models/{name}/versions/{version}/infer", tags=["open inference"], openapi_extra=_BODY)
    async def infer(request: Request, name: str, version: str = "") -> Response:
        """Read drawings, or embed their shapes. Input `drawing`: whole files (PDF, DXF, TIFF, PNG, JPEG), base64 in JSON;
        `file_name`, if given, names them in the records. Outputs: one element a line or view, `drawing_number` and `page`
        say where it stands; `reading` is the JSON that `/v1/read` answers, one a drawing."""
        body, header_length = await request.body(), request.headers.get(LENGTH_HEADER)

        def work() -> tuple[bytes, dict[str, str]]:
            serves = version_of(name, version)
            asked = decode(body, header_length, texts=["file_name"])
            _check_names("output", asked.outputs, outputs_of(name))
            with given(request, _drawings(asked)) as files:
                if name == SHAPES:
                    return encode(asked, name, serves, _embedded(files, settings))
                model = loaded(slot)
                return encode(asked, name, model.label, _read(request, files, model, asked))

        content, headers = await run_in_threadpool(work)
        return Response(content, headers=headers)


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "example": {
                    "inputs": [{"name": "drawing", "datatype": "BYTES", "shape": [1], "data": ["<base64>"]}],
                    "outputs": [{"name": "text"}, {"name": "score"}],
                }
            }
        },
    }
}


def _shape_outputs() -> list[dict[str, Any]]:
    from drawops.similarity.embedding import Embedder

    return [
        {"name": "vector", "datatype": "FP32", "shape": [-1, Embedder.dim]},
        {"name": "box", "datatype": "INT64", "shape": [-1, 4]},
        _OWNER,
        _PAGE,
    ]


def _check_names(kind: str, asked: Iterable[str], there: Sequence[dict[str, Any]]) -> None:
    known = [tensor["name"] for tensor in there]
    for name in asked:
        if name not in known:
            raise InputRefused(f"{kind} '{name}'", f"there is none. There are: {', '.join(known)}")


def _drawings(asked: InferRequest) -> list[tuple[str, IO[bytes]]]:
    """Names and contents of the drawings of a request.

    Raises:
        InputRefused: there is no input `drawing`, one that nobody knows, or not as many names as drawings.
    """
    _check_names("input", asked.inputs, _INPUTS)
    if "drawing" not in asked.inputs:
        raise InputRefused("inputs", "`drawing` is missing")
    drawings = asked.inputs["drawing"]
    names = asked.inputs.get("file_name") or [b""] * len(drawings)
    if len(names) != len(drawings):
        raise InputRefused("input 'file_name'", f"has {len(names)} elements for {len(drawings)} drawings")
    pairs = zip(names, drawings, strict=True)
    return [(name.decode(errors="replace"), BytesIO(content)) for name, content in pairs]


def _read(request: Request, files: Sequence[Path], model: LoadedModel, asked: InferRequest) -> list[Tensor]:
    vector_text = asked.parameters.get("vector_text", True) is not False
    readings = [read_and_record(request, path, model, vector_text=vector_text) for path in files]
    found = [
        (number, page["page"], line)
        for number, reading in enumerate(readings)
        for page in reading["pages"]
        for line in page["lines"]
    ]
    lines, count = [line for _, _, line in found], len(found)
    return [
        Tensor("text", "BYTES", (count,), [line["text"].encode() for line in lines]),
        Tensor("score", "FP32", (count,), np.array([line["score"] for line in lines], np.float32)),
        Tensor("quad", "FP32", (count, 4, 2), np.array([line["quad"] for line in lines], np.float32)),
        Tensor("angle", "FP32", (count,), np.array([line["angle"] for line in lines], np.float32)),
        *_places([(number, page) for number, page, _ in found]),
        Tensor("reading", "BYTES", (len(files),), [json.dumps(r, ensure_ascii=False).encode() for r in readings]),
    ]


def _embedded(files: Sequence[Path], settings: Settings) -> list[Tensor]:
    search = shape_search(settings)
    found = list(chain.from_iterable(((n, v) for v in search.embed(path)["views"]) for n, path in enumerate(files)))
    vectors = np.array([view["vector"] for _, view in found], np.float32)
    return [
        Tensor("vector", "FP32", vectors.shape, vectors),
        Tensor("box", "INT64", (len(found), 4), np.array([view["box"] for _, view in found], np.int64)),
        *_places([(number, view["page"]) for number, view in found]),
    ]


def _places(places: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Of which drawing of the request, and of which page of it, an element is."""
    columns = np.array(places, np.int64).reshape(-1, 2)
    return [
        Tensor("drawing_number", "INT64", (len(places),), columns[:, 0]),
        Tensor("page", "INT64", (len(places),), columns[:, 1]),
    ]
