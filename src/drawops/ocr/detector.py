"""The text detector: a page in, boxes of text lines out (differentiable binarisation, PP-OCRv6 small)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image
from drawops.ocr.boxes import Box, merge_passes, wrap
from drawops.ocr.engine import Backend, Engine
from drawops.ocr.fitting import INK_CONTRAST
from drawops.ocr.model_files import onnx_file

TILE = 960
UNCLIP = 1.6  # how far boxes are grown, see `boxes_of`
OVERLAP = 96  # what the network needs to see around a pixel; text longer than this still joins across tiles


@dataclass(frozen=True)
class Pass:
    """One look at the page: at `scale` times its own resolution, turned a quarter clockwise or not."""

    scale: float
    turned: bool = False


# At half size the network finds thin and large letters that it does not see at full size, and text is found
# best when it lies flat. Full size is for small letters, and only where there are some not found yet.
COARSE = (Pass(0.5), Pass(0.5, turned=True))


class Detector:
    """PP-OCRv6 small detector with its published settings: BGR scaled to [-1, 1], sides multiples of 32."""

    def __init__(self, onnx: Path, *, threads: int = 0, backend: Backend = "onnxruntime") -> None:
        self.path = onnx_file(Path(onnx))
        self._engine = Engine(self.path, threads=threads, backend=backend)

    def detect(self, image: Image) -> list[Box]:
        """Boxes of the text lines of an (H, W, 3) RGB page of any size, in page pixels.

        Upright to the page or at an angle in (-90, 90] along their longer side; which way round they read is
        not known yet.
        """
        coarse = [self._look(image, look) for look in COARSE]
        bounds = np.array([box.bounds() for boxes in coarse for box in boxes]).reshape(-1, 4)
        fine = boxes_of(self.probabilities(image, unless_within=bounds))
        return merge_passes([fine, *coarse])

    def _look(self, image: Image, look: Pass) -> list[Box]:
        size = (max(1, round(image.shape[1] * look.scale)), max(1, round(image.shape[0] * look.scale)))
        picture = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        if look.turned:
            picture = np.rot90(picture, -1)
        probabilities = self.probabilities(picture)
        if look.turned:
            probabilities = np.rot90(probabilities)
        return [box.scaled(1 / look.scale) for box in boxes_of(np.ascontiguousarray(probabilities))]

    def probabilities(self, image: Image, *, unless_within: NDArray[np.float64] | None = None) -> NDArray[np.uint8]:
        """Probability of text x 255, (H, W) uint8, for an (H, W, 3) RGB picture.

        Large pictures go tile by tile, at their own resolution and with bounded memory; the tiles' maps are
        put together before boxes are made, so no line is found twice or cut.

        Args:
            unless_within: (N, 4) bounds of text that is known; tiles without any other letter are left out.
        """
        height, width = image.shape[:2]
        found = np.zeros((height, width), np.uint8)
        for top, bottom, keep_top, keep_bottom in _spans(height):
            for left, right, keep_left, keep_right in _spans(width):
                tile = image[top:bottom, left:right]
                if int(tile.max()) - int(tile.min()) < 40:  # blank paper
                    continue
                if unless_within is not None and not _has_letters(tile, unless_within - [left, top, left, top]):
                    continue
                part = self._run(tile)
                found[keep_top:keep_bottom, keep_left:keep_right] = part[
                    keep_top - top : keep_bottom - top, keep_left - left : keep_right - left
                ]
        return found

    def _run(self, tile: Image) -> NDArray[np.uint8]:
        height, width = tile.shape[:2]
        padded = np.full((math.ceil(height / 32) * 32, math.ceil(width / 32) * 32, 3), 255, np.uint8)
        padded[:height, :width] = tile
        probabilities = self._engine(network_input(padded))[0][0, 0, :height, :width]
        return (probabilities * 255).astype(np.uint8)


def network_input(picture: Image) -> NDArray[np.float32]:
    """(1, 3, H, W) float32 BGR in [-1, 1] of an (H, W, 3) RGB picture whose sides are multiples of 32."""
    return np.ascontiguousarray((picture[:, :, ::-1].astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None])


def _spans(size: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut a side into equal tiles: (start, end) of each with its overlaps, (start, end) of what it answers for."""
    count = max(1, math.ceil((size - OVERLAP) / (TILE - OVERLAP)))
    step = math.ceil((size - OVERLAP) / count)
    for n in range(count):
        start, end = n * step, min(size, n * step + step + OVERLAP)
        yield start, end, start + (OVERLAP // 2 if n else 0), end - (OVERLAP // 2 if n < count - 1 else 0)


def _has_letters(tile: Image, known: NDArray[np.float64]) -> bool:
    """Is there a piece of ink of the shape of a letter outside the `known` (N, 4) bounds?"""
    grey = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)
    paper = float(np.percentile(grey[::4, ::4], 80))
    _, _, stats, centres = cv2.connectedComponentsWithStats((grey < paper - INK_CONTRAST).astype(np.uint8))
    width, height = stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT]
    longer, shorter = np.maximum(width, height), np.minimum(width, height)
    letters = centres[1:][(longer >= 7) & (longer <= 60) & (shorter >= 3) & (longer < 5 * shorter)]
    if not len(letters) or not len(known):
        return bool(len(letters))
    after, before = letters[:, None] > known[None, :, :2], letters[:, None] < known[None, :, 2:]
    inside = np.all(after & before, axis=2)
    return not bool(np.all(np.any(inside, axis=1)))


def boxes_of(
    probabilities: NDArray[np.uint8], *, threshold: float = 0.3, box_threshold: float = 0.5, unclip: float = UNCLIP
) -> list[Box]:
    """Boxes around connected text pixels of a probability map (H, W) uint8, grown by DB's unclip rule
    (area x ratio / perimeter): the network is trained to shrink text, so its raw pixels would cut characters.
    """
    mask = cv2.dilate((probabilities > threshold * 255).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for contour in contours:
        box = rectangle(contour)
        if box.height < 3:
            continue
        score = _mean_inside(probabilities, contour)
        if score < box_threshold:
            continue
        grow = box.area * unclip / (box.length + box.height)
        found.append(Box(box.x, box.y, box.length + grow, box.height + grow, box.angle, score))
    return found


def rectangle(contour: Any, score: float = 1.0) -> Box:
    """The rectangle around a contour, `length` its longer side. Text that is upright but for the unsteadiness of
    a few pixels gets the upright rectangle: a tilted one would cut into short lines."""
    (x, y), (w, h), angle = cv2.minAreaRect(contour)
    left, top, width, height = cv2.boundingRect(contour)
    if width * height <= 1.25 * max(w, 1) * max(h, 1):
        x, y, w, h, angle = left + width / 2, top + height / 2, float(width), float(height), 0.0
    if w < h:
        w, h, angle = h, w, angle + 90
    direction = wrap(-angle)  # OpenCV counts clockwise
    if not -90 < direction <= 90:
        direction = wrap(direction + 180)
    return Box(float(x), float(y), float(w), float(h), direction, score)


def _mean_inside(probabilities: NDArray[np.uint8], contour: Any) -> float:
    left, top, width, height = cv2.boundingRect(contour)
    mask = np.zeros((height, width), np.uint8)
    cv2.drawContours(mask, [contour], -1, (1,), cv2.FILLED, offset=(-left, -top))
    return float(cv2.mean(probabilities[top : top + height, left : left + width], mask)[0]) / 255
