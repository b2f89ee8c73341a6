"""From what is solid on a sheet to its views: silhouettes with the lines drawn within them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.similarity.figures import Figure, figure_of
from drawops.similarity.line_weights import BOX
from drawops.similarity.masks import Mask, binary, block, is_one_piece
from drawops.similarity.photo import Box

INK = 45  # darkness from which a pixel is ink; above the noise of JPEG, below thin lines
_MAX_VIEWS = 12
_SPECK = 0.01  # of the largest piece of a view
_SMALL = 0.02  # of the largest view: what is smaller is none,
_SMALL_BOX = 0.03  # of it, unless the box around it is larger: the end of a long angle is thin
_LINE = 9 / 256  # of a view's longer side: no line is wider


@dataclass(frozen=True)
class View:
    """One view of a part on a sheet.

    `silhouette` is the filled shape, `lines` the outlines drawn within it, both masks (H, W) at the working size
    (the box times a scale of at most 1).
    """

    box: Box
    silhouette: Mask
    lines: Mask

    @cached_property
    def figure(self) -> Figure:
        """The view as it is measured."""
        return figure_of(self.silhouette, self.lines)


def views_of(
    solid: Mask, outlines: Mask, darkness: NDArray[np.uint8] | None, scale: float, *, gap: int | None
) -> list[View]:
    """The pieces of `solid`, those nearer to each other than `gap` together; all together with None."""
    found = []
    for left, top, shape in [(0, 0, solid)] if gap is None else _pieces(solid, gap):
        h, w = shape.shape
        window = (slice(top, top + h), slice(left, left + w))
        x, y, width, height = cv2.boundingRect(shape)
        silhouette = shape[y : y + height, x : x + width]
        lines = (
            _edges(outlines[window], None if darkness is None else darkness[window])[y : y + height, x : x + width]
            & silhouette
        )
        box = tuple(round(v / scale) for v in (left + x, top + y, left + x + width, top + y + height))
        found.append((cv2.countNonZero(silhouette), View(box, silhouette, lines)))  # type: ignore[arg-type]
    found.sort(key=lambda f: -f[0])
    largest = found[0][0]
    return [
        view
        for area, view in found[:_MAX_VIEWS]
        if (area >= _SMALL * largest or view.silhouette.size >= _SMALL_BOX * largest)
        and max(view.silhouette.shape) >= 8
    ]


def _edges(drawn: Mask, darkness: NDArray[np.uint8] | None) -> Mask:
    """Drawn lines without what is drawn solid; of that, given the darkness, as of shaded views on a sheet, the rims, also of
    holes, and the lines on it. Holes in the silhouette of a thing are its accidents."""
    width = _LINE * max(drawn.shape)
    solid = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, block(max(BOX, round(width))))
    shaded = cv2.dilate(solid, block(BOX)) & drawn
    lines = drawn & ~shaded
    if darkness is None:
        return lines
    if shaded.any():
        darker = binary(cv2.morphologyEx(darkness, cv2.MORPH_TOPHAT, block(BOX)) > INK)
        lines |= shaded & (~cv2.erode(drawn, block(5)) | darker)
    if width > BOX:
        return lines
    side = max(2, round(width))
    wide = cv2.morphologyEx(lines, cv2.MORPH_OPEN, block(side))  # for so small a view
    return (lines & ~cv2.dilate(wide, block(3))) | cv2.erode(wide, block(side - 1))


def _pieces(solid: Mask, gap: int) -> Iterator[tuple[int, int, Mask]]:
    """Left, top and shape of each group of pieces nearer to each other than `gap`."""
    near = cv2.dilate(solid, block(max(3, gap)))
    if is_one_piece(near):
        left, top, w, h = cv2.boundingRect(near)
        yield left, top, _without_specks(solid[top : top + h, left : left + w])
        return
    _, labels, stats, _ = cv2.connectedComponentsWithStats(near)
    for label, (left, top, w, h, _) in enumerate(stats[1:].tolist(), start=1):
        window = (slice(top, top + h), slice(left, left + w))
        yield left, top, _without_specks(np.where(labels[window] == label, solid[window], np.uint8(0)))


def _without_specks(shape: Mask) -> Mask:
    """Without what lies beside it and is tiny: ends of a cutting plane, arrow heads."""
    if is_one_piece(shape):
        return shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(shape)
    areas = stats[:, cv2.CC_STAT_AREA].astype(float)
    areas[0] = 0
    return binary(areas > _SPECK * areas.max())[labels]
