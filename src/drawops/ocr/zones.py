"""The zones along a sheet's border: letters and numbers that are no part of the drawing."""

import re
from collections.abc import Sequence

import numpy as np

from drawops.drawings.model import TextLine

_BORDER = 0.06  # of the sheet's shorter side: where zones stand
_FEWEST = 3  # in one row or column


def at_edge(x: float, y: float, width: int, height: int) -> bool:
    """Does a point lie in the border of a sheet, where zones stand?"""
    band = _BORDER * min(width, height)
    return min(x, y, width - x, height - y) < band


def zone_marks(lines: Sequence[TextLine], width: int, height: int) -> frozenset[int]:
    """Indices of the lines that name zones: single letters or small numbers, several in line along an edge."""
    band = _BORDER * min(width, height)
    found: set[int] = set()
    marks = [
        (i, *np.mean(t.quad, axis=0), t) for i, t in enumerate(lines) if re.fullmatch(r"[A-Z]|\d{1,2}", t.text.strip())
    ]
    for axis, edge in ((2, 0.0), (2, float(height)), (1, 0.0), (1, float(width))):
        near = [mark for mark in marks if abs(mark[axis] - edge) < band]
        if len(near) < _FEWEST:
            continue
        middle = float(np.median([mark[axis] for mark in near]))
        aligned = [mark for mark in near if abs(mark[axis] - middle) < 0.3 * band]
        if len({mark[3].text for mark in aligned}) >= _FEWEST:
            found |= {mark[0] for mark in aligned}
    return frozenset(found)
