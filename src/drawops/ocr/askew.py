"""Which way a short text runs that stands askew, told by its ink."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drawops.drawings.crops import crop_line
from drawops.drawings.model import Image
from drawops.ocr.boxes import Box, lean
from drawops.ocr.detector import rectangle
from drawops.ocr.ink import ink_parts

_SHORT = 2.5  # length by height up to which a box may run another way than its text
_FEWEST = 3  # characters that show a direction
_LARGEST = 0.7  # of the box's shorter side
_SMALLEST = 0.05
_ASKEW = 5.0  # degrees from which it matters
_MARGIN = 0.3  # of the height of the characters, around them


def along_its_ink(image: Image, box: Box) -> Box | None:
    """The box along the row of characters in it, its longer side still in (-90, 90]; None where they run as it does.

    The network's box around a size at the end of an arc is nearly square, and its longer side is none of the text's.
    """
    if box.length > _SHORT * box.height:
        return None
    left, top, right, bottom = box.bounds()
    around = Box(box.x, box.y, right - left, bottom - top, 0.0)
    window = crop_line(image, around.quad())
    parts = ink_parts(window)
    size = np.maximum(parts.widths, parts.heights)
    short = min(box.length, box.height)
    rows, columns = window.shape[:2]
    whole = (parts.left > 0) & (parts.top > 0) & (parts.right < columns) & (parts.bottom < rows)
    letters = whole & (size < _LARGEST * short) & (size > max(2, _SMALLEST * short))
    if letters.sum() < _FEWEST:
        return None
    points = _points(parts.labels, letters)
    row = rectangle(points)
    if abs(lean(row.angle - box.angle)) < _ASKEW or row.length < 1.2 * row.height:
        return None
    margin = _MARGIN * row.height
    return replace(
        row,
        x=row.x + box.x - columns / 2,
        y=row.y + box.y - rows / 2,
        length=row.length + margin,
        height=row.height + margin,
        score=box.score,
    )


def _points(labels: NDArray[np.int32], letters: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(N, 1, 2) x, y of the ink of those pieces, as OpenCV has contours."""
    y, x = np.nonzero(np.concatenate([[False], letters])[labels])
    return np.stack([x, y], axis=1).astype(np.int32)[:, None]
