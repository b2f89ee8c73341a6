"""Outlines are drawn heavier than dimensions, if all is well: the two weights of the lines on a sheet."""

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.similarity.masks import Mask, binary, block

BOX = 7  # pixels over which the weight of a line is measured; no outline is wider at the working size
_PIXELS = (np.arange(255 * BOX**2 + 1) / BOX**2).astype(np.float32) * np.float32(BOX / 255)
"""The weight of a line by the darkness in a box on it."""
_BINS = 64
_HEAVIER = 1.4
_SHARE, _CLEAR_SHARE = 0.1, 0.2  # of all length, at least, that the fewer of two kinds of lines have


def heavy_lines(darkness: NDArray[np.uint8], sheet: Mask) -> Mask:
    """The lines of the heavier of two line weights; `sheet` itself where there is but one."""
    weight, areas = _weights(darkness, sheet)
    counts, centres = _lengths(weight, sheet, areas)
    if not len(counts):
        return sheet
    threshold, light, heavy, share = _two_classes(counts, centres)
    if heavy < _HEAVIER * light or share < _SHARE:
        return sheet
    return sheet & (areas | binary(weight >= int(np.searchsorted(_PIXELS, threshold))))


def between_weights(darkness: NDArray[np.uint8], bare: Mask) -> float:
    """How much is drawn in weights between two line weights, 0 for nothing, 1 for as much as in one of the two, or where there
    are no two. Where all lines have one weight, crossings and pairs of lines make a tail.

    Args:
        bare: lines without letters and heads of arrows, which are no measure.
    """
    weight, areas = _weights(darkness, bare)
    counts, centres = _lengths(weight, bare, areas)
    if not len(counts):
        return 1.0
    threshold, light, heavy, share = _two_classes(counts, centres)
    if heavy < _HEAVIER * light or share < _CLEAR_SHARE:
        return 1.0
    smooth, at = np.convolve(counts, np.ones(3), "same"), int(np.searchsorted(centres, threshold)) + 1
    low, high = int(smooth[:at].argmax()), at + int(smooth[at:].argmax())
    return float(smooth[low : high + 1].min() / min(smooth[low], smooth[high]))


def _weights(darkness: NDArray[np.uint8], lines: Mask) -> tuple[NDArray[np.uint16], Mask]:
    """The weight of lines, (H, W) as the darkness in a box, and what is drawn solid.

    The weight of a line is its width times its darkness, in pixels: pale thin dimension lines are light on both
    counts. It is measured with a sum over a box, which a straight line of width w crosses with w * box pixels.
    """
    weight = cv2.boxFilter(darkness, cv2.CV_16U, (BOX, BOX), normalize=False)
    areas = cv2.morphologyEx(lines, cv2.MORPH_OPEN, block(BOX))  # shaded, filled
    return weight, cv2.dilate(areas, block(BOX))


def _lengths(weight: NDArray[np.uint16], lines: Mask, areas: Mask) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """How much line there is of each weight, and the weights; both empty where there are few lines."""
    pixels = np.bincount(weight[(lines & ~areas) > 0])
    found = np.flatnonzero(pixels)
    found = found[_PIXELS[found] > 0.2]
    if pixels[found].sum() < 500:
        return np.empty(0), np.empty(0)
    by_length = pixels[found] / _PIXELS[found]
    counts, edges = np.histogram(_PIXELS[found], bins=_BINS, weights=by_length)
    return counts, (edges[:-1] + edges[1:]) / 2


def _two_classes(counts: NDArray[np.floating], centres: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """Otsu's threshold: the value, the means below and above it, the share of the smaller class."""
    share = np.cumsum(counts) / counts.sum()
    mass = np.cumsum(counts * centres) / counts.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mass[-1] * share - mass) ** 2 / (share * (1 - share))
    at = int(np.nanargmax(between[:-1]))
    low = mass[at] / share[at]
    high = (mass[-1] - mass[at]) / (1 - share[at])
    return float(centres[at]), float(low), float(high), float(min(share[at], 1 - share[at]))
