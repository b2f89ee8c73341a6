"""Outlines of the part among the lines of a vector file, told by their weight."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

LETTER = 0.04  # of the page's longer side: what is smaller may be a letter or an arrow
_SPAN = 0.6  # of a page's side: frames and rulings of forms
_SPLIT = 1.3  # so much heavier are outlines than the heaviest of the other lines
_SHARE = 0.08  # of all drawn length; less is no class of lines


def telling(size: ArrayLike, shape: Sequence[int]) -> np.ndarray:
    """Whether polylines of these sizes (…, 2), width and height, say something about the weight of outlines on a page of
    `shape`, height and width: frames don't, nor do letters drawn in strokes, which come in any weight."""
    sizes = np.asarray(size, float)
    return (sizes < _SPAN * np.array(shape[1::-1])).all(axis=-1) & (sizes.max(axis=-1) >= LETTER * max(shape[:2]))


def weight_of_outlines(weights: Sequence[float], lengths: Sequence[float]) -> float:
    """The weight from which a line may be an outline; 0 where all lines have one weight.

    It lies in the widest gap, in ratio, between the weights of a drawing, with enough drawn length on both sides.
    """
    if not len(weights):
        return 0.0
    order = np.argsort(weights)
    heavy, share = np.maximum(np.array(weights)[order], 1e-3), np.cumsum(np.array(lengths, float)[order])
    share /= max(share[-1], 1e-9)
    gaps = np.where((share[:-1] >= _SHARE) & (share[:-1] <= 1 - _SHARE), heavy[1:] / heavy[:-1], 1.0)
    if not len(gaps) or gaps.max() < _SPLIT:
        return 0.0
    at = int(gaps.argmax())
    return float(np.sqrt(heavy[at] * heavy[at + 1]))
