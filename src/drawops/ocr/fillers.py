"""What people put into a field that stays empty: a dash or a row of dots. A detector of text passes over them."""

from collections.abc import Sequence

import cv2
import numpy as np

from drawops.drawings.model import Image, Quad
from drawops.ocr.cells import Cell

_DARKER = 60  # grey levels below the paper
_MARGIN = 4  # pixels: the rules of the cell, blurred


def filler_in(image: Image, cell: Cell, texts: Sequence[Quad]) -> str | None:
    """ "-" or "..." where a cell (pixels of the page) holds nothing else beside its texts; None where it is empty or
    holds more."""
    left, top = int(cell.left) + _MARGIN, int(cell.top) + _MARGIN
    part = image[top : int(cell.bottom) - _MARGIN, left : int(cell.right) - _MARGIN]
    if min(part.shape[:2]) < 8:
        return None
    grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    ink = (grey < float(np.median(grey)) - _DARKER).astype(np.uint8)
    height = 0.0  # of the texts: what a stroke is measured by
    for quad in texts:
        (x0, y0), (x1, y1) = np.min(quad, axis=0), np.max(quad, axis=0)
        height = max(height, float(y1 - y0))
        ink[
            max(0, int(y0) - top - 2) : max(0, int(y1) - top + 3),
            max(0, int(x0) - left - 4) : max(0, int(x1) - left + 5),
        ] = 0
    _, _, stats, centres = cv2.connectedComponentsWithStats(ink, connectivity=8)
    marks = [(*map(int, s), float(c[1])) for s, c in zip(stats[1:], centres[1:], strict=True) if s[4] >= 3]
    if not marks or not height or any(h > 0.3 * height for _, _, _, h, _, _ in marks):
        return None
    if max(y for *_, y in marks) - min(y for *_, y in marks) > 0.2 * height:
        return None
    if len(marks) == 1 and marks[0][2] > 1.5 * marks[0][3]:
        return "-" if marks[0][2] < 2 * height else None
    if len(marks) >= 2 and all(w < 0.3 * height for _, _, w, _, _, _ in marks):
        return "." * len(marks)
    return None
