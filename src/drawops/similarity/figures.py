"""A view at the one size at which it is measured."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.similarity.masks import Mask, binary, block

_RASTER = 256  # pixels of the longer side


@dataclass(frozen=True)
class Figure:
    """A view at one size: `shape`, filled, and `picture`, the same with its inner lines cut out, so that holes and
    edges show; (H, W) 0 or 255, longer side 256 and a margin of one pixel or more."""

    shape: Mask
    picture: Mask

    @cached_property
    def moments(self) -> dict[str, float]:
        """Of the shape, see `cv2.moments`."""
        return cv2.moments(self.shape, binaryImage=True)

    @cached_property
    def outline(self) -> NDArray[np.int32]:
        """(N, 1, 2) the pixels of its longest outline."""
        outlines, _ = cv2.findContours(self.shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        return max(outlines, key=len)


def figure_of(silhouette: Mask, lines: Mask) -> Figure:
    height, width = silhouette.shape
    scale = _RASTER / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    filled = binary(cv2.resize(silhouette, size, interpolation=kind) > 64)
    thin = binary(cv2.resize(lines, size, interpolation=kind) > 32)
    filled, thin = (cv2.copyMakeBorder(m, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=0) for m in (filled, thin))
    areas = cv2.morphologyEx(thin, cv2.MORPH_OPEN, block(9))  # what was drawn solid is no line
    thin &= ~cv2.dilate(areas, block(5))
    inner = thin & cv2.erode(filled, block(11))
    shape = cv2.dilate(filled, block(3))  # gives a shape that is a mere line some width
    return Figure(shape, shape & ~cv2.dilate(inner, block(3)))
