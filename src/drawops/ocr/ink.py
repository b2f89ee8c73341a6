"""Ink on paper: which pixels of a small window are drawn, in which pieces, and the colour of what they are drawn on."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image

INK_CONTRAST = 50  # grey levels between paper and the faintest ink


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


def ink_mask(window: Image) -> NDArray[np.uint8]:
    """(H, W) of 0 and 1: what is darker than the paper."""
    grey, paper = _grey(window)
    return (grey < paper - INK_CONTRAST).view(np.uint8)


def ink_parts(window: Image) -> Parts:
    """The connected pieces of what is darker than the paper."""
    return parts_of(ink_mask(window))


def parts_of(mask: NDArray[np.uint8]) -> Parts:
    """The connected pieces of a mask (H, W) of 0 and 1."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    left, top, width, height = np.asarray(stats[1:, :4], np.int32).T
    return Parts(left, top, left + width, top + height, np.asarray(labels, np.int32))


def paper_colour(window: Image) -> NDArray[np.uint8]:
    """(3,) RGB."""
    grey, paper = _grey(window)
    bright = (grey >= paper).view(np.uint8)
    return np.array([_quantile(window, channel, 0.5, bright) for channel in range(3)], np.uint8)


def _grey(window: Image) -> tuple[NDArray[np.uint8], int]:
    """(H, W), and the level of the paper, which no drawing covers by more than four fifths."""
    grey = np.asarray(cv2.cvtColor(window, cv2.COLOR_RGB2GRAY), np.uint8)
    return grey, _quantile(grey, 0, 0.8)


def _quantile(picture: NDArray[np.uint8], channel: int, share: float, mask: NDArray[np.uint8] | None = None) -> int:
    """The level that a share of the pixels of a channel is not above."""
    below = np.cumsum(cv2.calcHist([picture], [channel], mask, [256], [0, 256]))
    return int(np.searchsorted(below, share * below[-1]))


def any_of(parts: Parts, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pieces of ink have a pixel of a mask (h, w)."""
    touched = np.zeros(len(parts.left) + 1, bool)
    touched[parts.labels[mask]] = True
    return touched[1:]
