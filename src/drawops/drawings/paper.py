"""Drawings on dark ground (screens of CAD programs, blueprints) and faint ones (pencil, worn copies)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image

_DARK = 110  # grey level up to which paper is dark
_SAMPLES = 250  # along the shorter side, for the colour of the ground
_FAINTEST = 40  # levels between ground and line
_STRONG = 0.9  # of the lines' pixels are no further from the ground than those that become black
_FAINT = 150  # levels between ground and strong lines, below which a page is faint


def legible(image: Image) -> Image:
    """A page (H, W, 3) uint8 RGB as it is read best: one on dark ground or with nothing but faint lines as dark lines on white,
    any other as it is (the same array)."""
    ground = _ground(image)
    if _is_dark(ground):
        return _drawn_on_white(image, ground)
    grey = cv2.cvtColor(image[::3, ::3], cv2.COLOR_RGB2GRAY)
    contrast = _strong(cv2.absdiff(grey, np.full_like(grey, np.median(grey))))
    return _drawn_on_white(image, ground) if contrast < _FAINT else image


def on_white(image: Image) -> Image:
    """A page on dark ground as dark lines on white, any other as it is (the same array)."""
    ground = _ground(image)
    return _drawn_on_white(image, ground) if _is_dark(ground) else image


def _ground(image: Image) -> NDArray[np.float64]:
    """(3,) the colour that most of a page has."""
    step = 1 + min(image.shape[:2]) // _SAMPLES
    return np.median(image[::step, ::step].reshape(-1, 3), axis=0)


def _is_dark(ground: NDArray[np.float64]) -> bool:
    return bool(ground @ (0.299, 0.587, 0.114) <= _DARK)


def _drawn_on_white(image: Image, ground: NDArray[np.float64]) -> Image:
    """Every colour as dark as it is far from the ground: of the channels the largest difference counts."""
    red, green, blue = cv2.split(cv2.absdiff(image, (*ground.tolist(), 0.0)))
    away = np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)
    grey = 255 - cv2.convertScaleAbs(away, alpha=255 / _strong(away[::2, ::2]))
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _strong(away: NDArray[np.uint8]) -> float:
    """How far the strong lines of a page are from its ground; 255 where there are none."""
    lines = away[away > _FAINTEST]
    return float(np.quantile(lines, _STRONG)) if len(lines) else 255.0
