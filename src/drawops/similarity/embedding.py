"""A silhouette becomes a vector."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.similarity import lite0
from drawops.similarity.shape import Mask, View

_BATCH = 16


class Embedder:
    """EfficientNet-lite0 on the filled silhouette. `version` names everything that decides the numbers."""

    version = "lite0-1"
    dim = lite0.DIM

    def __init__(self, cache: Path, *, threads: int = 0) -> None:
        """`cache` keeps the exported network; `threads` of 0 lets ONNX Runtime choose."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(lite0.onnx_file(cache)), options, providers=["CPUExecutionProvider"]
        )

    def embed(self, views: Sequence[View]) -> NDArray[np.float32]:
        """(N, dim) float32, each row of length 1."""
        rows = [np.empty((0, self.dim), np.float32)]
        for i in range(0, len(views), _BATCH):
            batch = np.stack([square(view.silhouette, lite0.SIDE) for view in views[i : i + _BATCH]])
            rows.append(self._session.run(None, {"silhouettes": batch})[0])
        vectors = np.concatenate(rows)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def square(mask: Mask, side: int, *, margin: float = 0.08) -> NDArray[np.float32]:
    """The mask in the middle of a (side, side) square, 0 to 1, its longer side filling it but for the margin."""
    height, width = mask.shape
    full = max(1, round(max(height, width) * (1 + 2 * margin)))
    top, left = (full - height) // 2, (full - width) // 2
    padded = cv2.copyMakeBorder(mask, top, full - height - top, left, full - width - left, cv2.BORDER_CONSTANT, value=0)
    shrink = full > side
    resized = cv2.resize(padded, (side, side), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
    return resized.astype(np.float32) / 255
