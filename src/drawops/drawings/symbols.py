"""Vector text that lacks what the picture shows beside it: CAD programs draw many symbols (⌀, °, ±) as lines."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image, Quad, TextLine

PARTIAL = "partial"
"""`kind` of a vector line with a drawn symbol at its start or end: its text is not all that stands there."""

_WINDOW = 1.5  # text heights beside the line that are looked at
_NEAR = 0.45  # text heights between the text and a symbol that belongs to it
_INK = 190  # grey level; many sheets are drawn in grey


def mark_partial(lines: Sequence[TextLine], image: Image) -> list[TextLine]:
    """The lines, those with a drawn symbol attached with kind PARTIAL.

    A symbol is ink of its own, about as high as the text and right beside it; lines of the drawing run out of the
    window that is looked at, and other texts are left out of it.
    """
    if not lines:
        return []
    texts: NDArray[np.uint8] = np.zeros(image.shape[:2], np.uint8)
    for line in lines:
        cv2.fillPoly(texts, [np.round(_grown(line.quad, 0.1)).astype(np.int32)], (1,))
    return [replace(line, kind=PARTIAL) if _has_symbol(line.quad, image, texts) else line for line in lines]


def _has_symbol(quad: Quad, image: Image, texts: NDArray[np.uint8]) -> bool:
    corners = np.asarray(quad, float)
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    length, height = float(np.linalg.norm(along)), float(np.linalg.norm(down))
    if height < 5 or length < 1:
        return False
    right, below = along / length, down / height
    for corner, outward in ((corners[0], -right), (corners[1], right)):
        steps = np.arange(0, _WINDOW * height)
        rows = np.arange(-0.5 * height, 1.5 * height)
        points = corner + steps[None, :, None] * outward + rows[:, None, None] * below
        x, y = np.round(points[..., 0]).astype(int), np.round(points[..., 1]).astype(int)
        inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
        x, y = np.where(inside, x, 0), np.where(inside, y, 0)
        ink = inside & (image[y, x].min(axis=-1) < _INK) & (texts[y, x] == 0)
        if _is_symbol_in(ink, height):
            return True
    return False


def _is_symbol_in(ink: NDArray[np.bool_], height: float) -> bool:
    """Whether a window, its first column at the text, holds ink of a symbol's size that touches none of the far edges."""
    rows, columns = ink.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    for x, y, w, h, _ in stats[1:]:
        if x > _NEAR * height or y == 0 or y + h == rows or x + w == columns:
            continue
        if h >= 0.3 * height and w >= 0.2 * height:
            return True
    return False


def _grown(quad: Quad, share: float) -> NDArray[np.float64]:
    corners = np.asarray(quad, float)
    down = (corners[3] - corners[0]) * share
    return corners + np.array([-down, -down, down, down])
