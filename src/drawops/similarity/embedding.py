"""A view becomes a vector of 256 numbers.

Four descriptors, each centred, projected and brought to a set length, then set side by side:

* EfficientNet-lite0, tuned on shapes (`lite0`), on the upright picture and its mirror image, the mean of both;
* Fourier spectra of the outline;
* Fourier spectra over the angle, ring by ring;
* proportions.

A metric then makes less of the ways in which parts of one family differ by their sizes.

Centres, projections and the metric were fitted on generated shapes and drawings by `python -m drawops.similarity.fit` and
ship as `projection.npz`. An embedding trained on a user's own drawings (`drawops train-embedding`) replaces this last step.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drawops.similarity import lite0
from drawops.similarity.descriptors import contour_spectrum, global_numbers, polar_spectrum, upright
from drawops.similarity.views import View

PROJECTION_FILE = Path(__file__).with_name("projection.npz")
# name, length of the descriptor, length after projection, weight in the cosine
BLOCKS = (
    ("lite0", lite0.DIM, 144, 2.4),
    ("contour", 288, 56, 1.0),
    ("polar", 260, 40, 0.6),
    ("global", 19, 16, 0.3),
)
WIDTH = sum(block[1] for block in BLOCKS)
BUILT_IN = "shape-7"
"""Names everything that decides the numbers of the vectors that ship: raise it with any change of them."""
_BATCH = 8


Descriptors = dict[str, NDArray[np.floating]]
Fitted = dict[str, NDArray[np.floating]]


class Embedder:
    """`version` names everything that decides the numbers. Vectors of different versions never meet."""

    dim = sum(block[2] for block in BLOCKS)

    def __init__(self, cache: Path, *, threads: int = 0, head: Path | None = None, version: str = BUILT_IN) -> None:
        """`cache` keeps the exported network; `threads` of 0 lets ONNX Runtime choose; `head` is a trained last step
        (ONNX, see `metric_learning.export`), whose `version` is then another."""
        self.version = version
        self._describer = Describer(cache, threads=threads)
        self._head = open_session(head, threads) if head else None

    def embed(self, views: Sequence[View]) -> NDArray[np.float32]:
        """(N, 256) float32, each row of length 1."""
        rows = stacked(self._describer.describe(views))
        if self._head is None or not len(rows):
            return join(rows)
        vectors: NDArray[np.float32] = self._head.run(None, {"descriptors": rows})[0]
        return vectors


class Describer:
    """The descriptors of views, as they are before projection."""

    def __init__(self, cache: Path, *, threads: int = 0) -> None:
        self._session = open_session(lite0.onnx_file(cache), threads)

    def describe(self, views: Sequence[View]) -> Descriptors:
        """{name: (N, length)}."""
        rows: dict[str, list[Any]] = {name: [np.empty((0, length))] for name, length, _, _ in BLOCKS}
        for i in range(0, len(views), _BATCH):
            figures = [view.figure for view in views[i : i + _BATCH]]
            pictures = np.stack([upright(f) for f in figures])
            both = np.concatenate([pictures, pictures[:, ::-1]])  # symmetric parts have no upper side
            features = self._session.run(None, {"silhouettes": both})[0]
            rows["lite0"].append((features[: len(figures)] + features[len(figures) :]) / 2)
            rows["contour"].append(np.stack([contour_spectrum(f) for f in figures]))
            rows["polar"].append(np.stack([polar_spectrum(f) for f in figures]))
            rows["global"].append(np.stack([global_numbers(f) for f in figures]))
        return {name: np.concatenate(parts) for name, parts in rows.items()}


def stacked(descriptors: Descriptors) -> NDArray[np.float32]:
    """(N, 2391), the descriptors side by side in the order of `BLOCKS`."""
    return np.concatenate([descriptors[name] for name, *_ in BLOCKS], axis=1).astype(np.float32)


def join(
    descriptors: NDArray[np.floating], *, only: str | None = None, fitted: Fitted | None = None
) -> NDArray[np.float32]:
    """Stacked descriptors (N, 2391) projected, weighted, set side by side and measured (or one of them alone, not
    measured): (N, 256), rows of length 1. `fitted`: other values than those that ship, see `projection`."""
    fitted = projection() if fitted is None else fitted
    parts, at = [], 0
    for name, length, _, weight in BLOCKS:
        block = descriptors[:, at : at + length]
        at += length
        if only in (None, name):
            part = (block - fitted[f"{name}_mean"]) @ fitted[f"{name}_axes"]
            size = np.linalg.norm(part, axis=1, keepdims=True)
            parts.append(np.sqrt(weight) * part / np.maximum(size, 1e-9))
    vectors = np.concatenate(parts, axis=1).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return measured(vectors, fitted) if only is None and "metric" in fitted else vectors


def measured(vectors: NDArray[np.float32], fitted: Fitted) -> NDArray[np.float32]:
    """Vectors (N, 256) in the metric fitted, rows of length 1."""
    rows = (vectors @ fitted["metric"]).astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


@cache
def projection() -> Fitted:
    """{block}_mean (D,) and {block}_axes (D, d), and the metric (256, 256), as they ship."""
    with np.load(PROJECTION_FILE) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def open_session(file: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # One view is little work: threads that spin while they wait for the next cost a search twice its processor time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
