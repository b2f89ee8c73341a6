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
    return condition.view(np.uint8) * np.uint8(255)


def fill(ink: Mask) -> Mask:
    """With all that closed lines enclose."""
    outlines, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    filled = np.zeros_like(ink)
    cv2.drawContours(filled, outlines, -1, 255, cv2.FILLED)
    return filled


def is_one_piece(mask: Mask) -> bool:
    """Whether it is one piece without holes. Outlines are found in a fifth of the time in which pieces are labelled."""
    return len(cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]) == 1
