"""The cells of tables on a page: what ruled lines enclose."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image, Quad

RULE_CONTRAST = 16  # grey levels
LARGEST_SIDE = 5000  # pixels; larger pages are looked at smaller
COARSE = 16  # pixels of text height from which every other pixel tells the cells apart
LARGEST_CELL = 0.06  # share of the page: what is larger is no cell but the sheet around the drawing


@dataclass(frozen=True)
class Cell:
    """Edges in page pixels."""

    number: int
    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


class Cells:
    """Connected regions of a page between its horizontal and vertical lines."""

    def __init__(self, image: Image, text_height: float) -> None:
        """`text_height` is the usual height of the page's text in pixels: shorter strokes are no rules."""
        height, width = image.shape[:2]
        self._scale = min(1.0, LARGEST_SIDE / max(height, width))
        rules = _rules(image, self._scale, max(12, round(1.3 * text_height * self._scale)))
        if text_height * self._scale >= COARSE:  # cells are far larger than a pixel
            rules, self._scale = cv2.dilate(rules, np.ones((2, 2), np.uint8), anchor=(0, 0))[::2, ::2], self._scale / 2
        _, labels, stats, _ = cv2.connectedComponentsWithStats((rules == 0).astype(np.uint8), connectivity=4)
        self._reach = round(max(12.0, 0.8 * text_height) * self._scale)  # over the thickest rule, into the next cell
        self._labels: NDArray[np.int32] = np.asarray(labels, np.int32)
        self._stats: NDArray[np.int32] = np.asarray(stats, np.int32)

    def at(self, quad: Quad) -> Cell | None:
        """The cell that a line of text stands in; None outside of every table."""
        points = np.array(quad) * self._scale
        (left, top), (right, bottom) = points.min(axis=0).astype(int), points.max(axis=0).astype(int) + 1
        found = self._labels[max(0, top) : bottom, max(0, left) : right]
        found = found[found > 0]
        return self._cell(int(np.bincount(found).argmax())) if found.size else None

    def beside(self, cell: Cell, dx: int, dy: int) -> list[Cell]:
        """The cells that touch an edge of `cell`: (1, 0) right, (-1, 0) left, (0, 1) below, (0, -1) above."""
        left, top, right, bottom = (round(v * self._scale) for v in (cell.left, cell.top, cell.right, cell.bottom))
        reach = self._reach
        if dx:
            strip = (
                self._labels[top:bottom, right : right + reach]
                if dx > 0
                else self._labels[top:bottom, max(0, left - reach) : left]
            )
        else:
            strip = (
                self._labels[bottom : bottom + reach, left:right]
                if dy > 0
                else self._labels[max(0, top - reach) : top, left:right]
            )
        numbers, counts = np.unique(strip[strip > 0], return_counts=True)
        order = np.argsort(-counts)
        cells = (self._cell(int(numbers[i])) for i in order if numbers[i] != cell.number)
        return [c for c in cells if c is not None]

    def _cell(self, number: int) -> Cell | None:
        left, top, width, height, _ = (int(v) for v in self._stats[number])
        if width * height > LARGEST_CELL * self._labels.size:
            return None
        edges = (value / self._scale for value in (left, top, left + width, top + height))
        return Cell(number, *edges)


def _rules(image: Image, scale: float, shortest: int) -> NDArray[np.uint8]:
    """Non-zero on straight horizontal and vertical strokes of at least `shortest` pixels."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # Forms are often ruled in pale grey, and scans have shadows: darker than the paper around is what counts.
    strokes = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((15, 15), np.uint8))
    ink = (strokes > RULE_CONTRAST).astype(np.uint8) * 255
    if scale < 1:
        ink = ((cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) > 60) * 255).astype(np.uint8)
    found = np.zeros_like(ink)
    for size in ((shortest, 1), (1, shortest)):
        found |= cv2.morphologyEx(ink, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, size))
    return np.asarray(cv2.dilate(found, np.ones((3, 3), np.uint8)), np.uint8)


def usual_height(quads: Sequence[Quad]) -> float:
    """Median height of text lines, pixels; 20 where there are none."""
    heights = [float(np.hypot(q[3][0] - q[0][0], q[3][1] - q[0][1])) for q in quads]
    return float(np.median(heights)) if heights else 20.0
