"""Small things done with masks of pixels."""

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
