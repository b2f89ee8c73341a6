"""The text detector: a page in, boxes of text lines out (differentiable binarisation, PP-OCRv6 small)."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.engine import Engine
from drawops.ocr.model_files import onnx_file


@dataclass(frozen=True)
class Box:
    """A detected text box: corners (4, 2) float32 in page pixels, clockwise from the top-left, and its score."""

    corners: NDArray[np.float32]
    score: float


class Detector:
    """PP-OCRv6 small detector with its published settings: BGR scaled to [-1, 1], sides multiples of 32."""

    def __init__(self, onnx: Path, *, threads: int = 0) -> None:
        self.path = onnx_file(Path(onnx))
        self._engine = Engine(self.path, threads=threads)

    def probabilities(self, image: Image) -> NDArray[np.float32]:
        """(H, W) probability of text for an (H, W, 3) RGB picture; padded with white to multiples of 32."""
        height, width = image.shape[:2]
        padded = np.full((-(-height // 32) * 32, -(-width // 32) * 32, 3), 255, np.uint8)
        padded[:height, :width] = image[:, :, ::-1]
        x = (padded.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        return self._engine(np.ascontiguousarray(x))[0][0, 0, :height, :width]


def boxes_of(
    probabilities: NDArray[np.float32], *, threshold: float = 0.3, box_threshold: float = 0.5, unclip: float = 1.6
) -> list[Box]:
    """Boxes around connected text pixels, grown by DB's unclip rule (area x ratio / perimeter).

    The network is trained to shrink text, so a box of its raw pixels would cut the characters.
    """
    mask = cv2.dilate((probabilities > threshold).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        (cx, cy), (w, h), angle = cv2.minAreaRect(contour)
        if min(w, h) < 3:
            continue
        score = _mean_inside(probabilities, cv2.boxPoints(((cx, cy), (w, h), angle)))
        if score < box_threshold:
            continue
        distance = w * h * unclip / (2 * (w + h))
        corners = cv2.boxPoints(((cx, cy), (w + 2 * distance, h + 2 * distance), angle))
        found.append(Box(order_corners(corners), score))
    return found


def order_corners(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Clockwise as seen on the page, beginning with the top-left corner."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    top_left, bottom_left = left[np.argsort(left[:, 1], kind="stable")]
    top_right, bottom_right = right[np.argsort(right[:, 1], kind="stable")]
    return np.stack([top_left, top_right, bottom_right, bottom_left])


def _mean_inside(probabilities: NDArray[np.float32], corners: NDArray[np.float32]) -> float:
    height, width = probabilities.shape
    x_low, y_low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, [width - 1, height - 1])
    x_high, y_high = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, [width - 1, height - 1])
    mask = np.zeros((y_high - y_low + 1, x_high - x_low + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - [x_low, y_low]).astype(np.int32)], 1)
    return float(cv2.mean(probabilities[y_low : y_high + 1, x_low : x_high + 1], mask)[0])
