"""Drawings on dark ground: screens of CAD programs, blueprints."""

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image

_DARK = 110  # grey level up to which paper is dark
_SAMPLES = 250  # along the shorter side, for the colour of the ground
_FAINTEST = 40  # levels between ground and line
_STRONG = 0.9  # of the lines' pixels are no further from the ground than those that become black


def on_white(image: Image) -> Image:
    """An (H, W, 3) uint8 RGB page on dark ground as dark lines on white, every colour by how far it is from the ground; any
    other page as it is (the same array)."""
    step = 1 + min(image.shape[:2]) // _SAMPLES
    ground = np.median(image[::step, ::step].reshape(-1, 3), axis=0)
    if ground @ (0.299, 0.587, 0.114) > _DARK:
        return image
    strength = _distance(image, ground)
    some = strength[::2, ::2]
    lines = some[some > _FAINTEST]
    strong = float(np.quantile(lines, _STRONG)) if len(lines) else 255.0
    grey = 255 - cv2.convertScaleAbs(strength, alpha=255 / strong)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _distance(image: Image, ground: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(H, W): of the channels the largest difference to the ground."""
    difference = cv2.absdiff(image, np.broadcast_to(ground.astype(np.uint8), image.shape))
    return np.asarray(difference.max(axis=2), np.uint8)
