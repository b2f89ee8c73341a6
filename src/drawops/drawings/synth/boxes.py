"""Where things lie on the sheet: upright boxes, and which lines meet them. All lengths in mm."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drawops.drawings.synth.scene import Point

Box = tuple[float, float, float, float]
"""xmin, ymin, xmax, ymax."""


def bounds(points: Sequence[Point]) -> Box:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def hits(segments: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    """Which of the segments (N, 4) touch the box."""
    x0, y0, x1, y1 = segments[:, 0], segments[:, 1], segments[:, 2], segments[:, 3]
    near = (np.minimum(x0, x1) <= box[2]) & (np.maximum(x0, x1) >= box[0])
    near &= (np.minimum(y0, y1) <= box[3]) & (np.maximum(y0, y1) >= box[1])
    dx, dy = x1 - x0, y1 - y0  # the line separates the box when all its corners lie on one side
    sides = [dx * (cy - y0) - dy * (cx - x0) for cx in (box[0], box[2]) for cy in (box[1], box[3])]
    lowest, highest = np.minimum.reduce(sides), np.maximum.reduce(sides)
    return near & (lowest <= 0) & (highest >= 0)


def crossings(segments: NDArray[np.float64], a: Point, b: Point) -> int:
    """How many of the segments (N, 4) the line from a to b crosses."""
    (ax, ay), (bx, by) = a, b
    x0, y0, x1, y1 = segments.T
    one = ((bx - ax) * (y0 - ay) - (by - ay) * (x0 - ax)) * ((bx - ax) * (y1 - ay) - (by - ay) * (x1 - ax)) < 0
    two = ((x1 - x0) * (ay - y0) - (y1 - y0) * (ax - x0)) * ((x1 - x0) * (by - y0) - (y1 - y0) * (bx - x0)) < 0
    return int((one & two).sum())
