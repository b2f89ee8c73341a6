"""Trunk features of a line set, computed once for all models that share the trunk.

Incremental training leaves the trunk as it is, so every later version needs only its head applied to these features:
seconds instead of a minute. They take about 20 kB a line, therefore only those of generated sets, which come
back at every evaluation, are kept, and only of the trunks used last.
"""

import hashlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from drawops.evaluation.line_sets import LineSet

if TYPE_CHECKING:
    from drawops.ocr.recogniser import Recogniser

CHUNK_LINES = 64
FILES_KEPT = 4

Floats = NDArray[np.float32]


def trunk_sha256(onnx: Path) -> str:
    """Hash of everything in the model but the weight and bias of its CTC head."""
    from onnx import numpy_helper

    from drawops.ocr.model_files import head_of, load_onnx

    model = load_onnx(onnx)
    head = head_of(model)
    digest = hashlib.sha256()
    for tensor in sorted(model.graph.initializer, key=lambda t: t.name):
        if tensor.name not in (head.weight, head.bias):
            # Values, not bytes of the file: the same tensor can be stored in several ways.
            digest.update(f"{tensor.name} {tensor.data_type} {list(tensor.dims)}".encode())
            digest.update(numpy_helper.to_array(tensor).tobytes())
    for node in model.graph.node:
        digest.update(node.SerializeToString(deterministic=True))
    return digest.hexdigest()


def image_chunks(lines: LineSet) -> Iterator[list[Any]]:
    """The pictures of a line set, `CHUNK_LINES` at a time."""
    images = lines.images()
    while chunk := list(islice(images, CHUNK_LINES)):
        yield chunk


def trunk_features(model: "Recogniser", trunk: str, lines: LineSet, cache: Path) -> Iterator[list[Floats]]:
    """Features (T, D) float32 of every line, in chunks; from the cache where they are there."""
    if lines.path.is_dir():
        for chunk in image_chunks(lines):
            yield model.features(chunk)
        return
    path = cache / "features" / f"{trunk[:24]}-{lines.sha256[:24]}.npz"
    stored = _load(path, len(lines))
    if stored is None:
        yield from _computed(model, lines, path)
        return
    os.utime(path)  # used last: see _prune
    frames, ends = stored
    for start in range(0, len(lines), CHUNK_LINES):
        bounds = ends[start : start + CHUNK_LINES + 1]
        yield [frames[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def _computed(model: "Recogniser", lines: LineSet, path: Path) -> Iterator[list[Floats]]:
    every: list[Floats] = []
    for chunk in image_chunks(lines):
        features = model.features(chunk)
        every += features
        yield features
    if not every:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, frames=np.concatenate(every), ends=np.cumsum([0, *map(len, every)]))
    partial.replace(path)
    _prune(path.parent)


def _load(path: Path, lines: int) -> tuple[Floats, NDArray[np.int64]] | None:
    try:
        with np.load(path) as stored:
            frames, ends = stored["frames"], stored["ends"]
    except (OSError, ValueError, KeyError, EOFError):
        return None  # not there, or broken: computed again
    return (frames, ends) if len(ends) == lines + 1 and ends[-1] == len(frames) else None


def _prune(folder: Path) -> None:
    newest_first = sorted(folder.glob("*.npz"), key=lambda p: p.stat().st_mtime, reverse=True)
    for path in newest_first[FILES_KEPT:]:
        path.unlink(missing_ok=True)
