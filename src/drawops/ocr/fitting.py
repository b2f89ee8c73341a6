"""Fitting a box to its characters: what the detector cut off is added, lines of the drawing are painted over."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.crops import crop_line
from drawops.drawings.model import Image
from drawops.ocr.boxes import Box

INK_CONTRAST = 50  # grey levels between paper and the faintest ink
MARGIN = 0.15  # white around the characters, in character heights


@dataclass(frozen=True)
class Parts:
    """Connected pieces of ink in a window: edges in window pixels and which is which in `labels`."""

    left: NDArray[np.int32]
    top: NDArray[np.int32]
    right: NDArray[np.int32]
    bottom: NDArray[np.int32]
    labels: NDArray[np.int32]

    @property
    def widths(self) -> NDArray[np.int32]:
        return self.right - self.left

    @property
    def heights(self) -> NDArray[np.int32]:
        return self.bottom - self.top


@dataclass(frozen=True)
class Fitted:
    """`crop` is (H, W, 3) uint8 RGB, upright in the box's reading direction. `ink` is (width, height) in pixels of
    the free-standing characters in it, None without any: the head of an arrow is found as text too, but hangs on
    its line. `certain` says that more than its own reading shows it to be text."""

    box: Box
    crop: Image
    ink: tuple[float, float] | None
    certain: bool = False

    @property
    def aspect(self) -> float:
        """Width by height of the ink; of the box where no character stands free."""
        width, height = self.ink or (self.box.length, self.box.height)
        return width / max(height, 1.0)


def fit(image: Image, box: Box) -> Fitted:
    """Grow a box to whole characters, and crop it without the drawing's lines.

    A character that the box cuts is taken in whole, and so are characters of like height that follow within
    less than half a character height. Straight lines that only pass by (frames, dimension lines, underlines)
    are painted in the colour of the paper; what touches a character stays.
    """
    reach = 2.5 * min(box.height, box.length)
    window_box = replace(box, length=box.length + 2 * reach, height=box.height * 1.6)
    window = crop_line(image, window_box.quad())
    rows, columns = window.shape[:2]
    left, right = reach, columns - reach
    top, bottom = rows / 2 - box.height / 2, rows / 2 + box.height / 2
    paper, parts = ink_parts(window)
    letters = _letters(parts, left, top, right, bottom)
    new_left, new_top, new_right, new_bottom = left, top, right, bottom
    ink = None
    if letters.any():
        low, up, high, down = _grown(parts, letters)
        margin = MARGIN * (down - up)
        new_left, new_right = min(left, low - margin), max(right, high + margin)
        new_top, new_bottom = min(top, up - margin), max(bottom, down + margin)
        ink = (high - low, down - up)
    x0, x1 = max(0, round(new_left)), min(columns, round(new_right))
    y0, y1 = max(0, round(new_top)), min(rows, round(new_bottom))
    clean = _without_lines(window, parts, paper, (left, top, right, bottom))
    along, across = box.axes
    centre = np.array([box.x, box.y]) + along * ((x0 + x1) / 2 - columns / 2) + across * ((y0 + y1) / 2 - rows / 2)
    fitted = replace(box, x=float(centre[0]), y=float(centre[1]), length=float(x1 - x0), height=float(y1 - y0))
    return Fitted(fitted, np.ascontiguousarray(clean[y0:y1, x0:x1]), ink)


def ink_parts(window: Image) -> tuple[NDArray[np.uint8], Parts]:
    """The paper's colour (3,), and the connected pieces of what is darker."""
    grey = cv2.cvtColor(window, cv2.COLOR_RGB2GRAY)
    level = float(np.percentile(grey, 80))
    mask = (grey < level - INK_CONTRAST).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    left, top, width, height = np.asarray(stats[1:, :4], np.int32).T
    bright = window[grey >= level]
    paper = np.median(bright, axis=0).astype(np.uint8) if len(bright) else np.full(3, 255, np.uint8)
    return paper, Parts(left, top, left + width, top + height, np.asarray(labels, np.int32))


def _letters(parts: Parts, left: float, top: float, right: float, bottom: float) -> NDArray[np.bool_]:
    """Which pieces of ink stand in the box and have the size of characters."""
    height = bottom - top
    x, y = (parts.left + parts.right) / 2, (parts.top + parts.bottom) / 2
    size = np.maximum(parts.widths, parts.heights)
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    return (
        inside
        & (parts.heights < 1.1 * height)
        & (parts.heights > 0.2 * height)
        & (size > 0.3 * height)
        & (size < 1.5 * height)
    )


def _grown(parts: Parts, letters: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Edges of the ink of `letters` and of the characters that the box cuts or that follow closely."""
    tall = float(np.percentile(parts.heights[letters], 75))
    row_top, row_bottom = float(np.median(parts.top[letters])), float(np.median(parts.bottom[letters]))
    # A character stands on the same row, is about as high as the others, and not a line of the drawing.
    alike = (
        (parts.heights > 0.5 * tall)
        & (parts.heights < 1.6 * tall)
        & (parts.widths < 1.6 * tall)
        & (parts.top > row_top - 0.4 * tall)
        & (parts.bottom < row_bottom + 0.4 * tall)
    )
    low, high = float(parts.left[letters].min()), float(parts.right[letters].max())
    taken = letters.copy()
    while True:
        gap = np.maximum(parts.left - high, low - parts.right)
        more = alike & ~taken & (gap < 0.4 * tall)
        if not more.any():
            break
        taken |= more
        low, high = min(low, float(parts.left[more].min())), max(high, float(parts.right[more].max()))
    return low, float(parts.top[taken].min()), high, float(parts.bottom[taken].max())


def _without_lines(
    window: Image, parts: Parts, paper: NDArray[np.uint8], core: tuple[float, float, float, float]
) -> Image:
    """The window with long straight pieces of ink painted over, where they do not touch a character."""
    left, top, right, bottom = (round(v) for v in core)
    height = bottom - top
    long = np.flatnonzero((parts.widths > 2.5 * height) | (parts.heights > 1.25 * height))
    if not len(long):
        return window
    clean = window.copy()
    core_labels = parts.labels[max(0, top) : bottom, max(0, left) : right]
    for n in long:
        rows, columns = np.nonzero(core_labels == n + 1)
        if len(rows) and min(np.ptp(rows), np.ptp(columns)) + 1 > max(3, 0.15 * height):
            continue  # more than a straight stroke lies in the box: a character may hang on it
        mask = (parts.labels == n + 1).astype(np.uint8)
        clean[cv2.dilate(mask, np.ones((3, 3), np.uint8)).astype(bool)] = paper
    return clean
