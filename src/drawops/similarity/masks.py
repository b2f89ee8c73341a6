"""Small things done with masks of pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
"""(H, W) uint8, 0 or 255."""


def block(side: int) -> Mask:
    """A square to open, close or dilate with."""
    return np.ones((side, side), np.uint8)


def binary(condition: NDArray[np.bool_]) -> Mask:
    """255 where it holds."""
    return condition.astype(np.uint8) * 255


def fill(ink: Mask) -> Mask:
    """With all that closed lines enclose."""
    padded = cv2.copyMakeBorder(ink, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(padded, None, (0, 0), 128)
    return binary(padded[1:-1, 1:-1] != 128)
