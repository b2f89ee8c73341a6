"""Is a similar part the mirror image? The vectors forget turns and mirroring; this small picture beside each vector
forgets only turns.

A view is laid out around its centroid, rings by angle. Turning the part shifts the angles, mirroring reverses them: so
the best circular correlation of two views, once as they are and once with one reversed, tells left from right.
"""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.similarity.figures import Figure
from drawops.similarity.index import Document

LAYOUT = "layout"  # of a view in the index: its signature
RINGS, ANGLES = 8, 64
FLAT = base64.b64encode(bytes(RINGS * ANGLES // 2)).decode()
"""The signature of nothing, which is mirrored to none."""
_TELLING = 0.03  # smaller differences of the two correlations are chance or a symmetric part
_LEVELS = 15  # four bits a cell
_AT_ONCE = 1_000  # pairs, 40 KB each
_AS_ALIKE = 0.01  # cosine: views that differ less in it from the best are as alike


def signature(figure: Figure) -> str:
    """The layout of a view, 8 rings by 64 angles of 4 bits, in base64 (344 characters)."""
    m = figure.moments
    centre = (m["m10"] / m["m00"], m["m01"] / m["m00"])
    reach = 2.4 * np.sqrt((m["mu20"] + m["mu02"]) / m["m00"])
    flags = cv2.WARP_POLAR_LINEAR | cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
    fine = cv2.warpPolar(figure.picture, (4 * RINGS, 4 * ANGLES), centre, reach, flags)  # (angle, radius)
    cells = cv2.resize(fine, (RINGS, ANGLES), interpolation=cv2.INTER_AREA).T
    levels = np.round(cells / 255 * _LEVELS).astype(np.uint8).ravel()
    return base64.b64encode(levels[::2] << 4 | levels[1::2]).decode()


def mirrored(firsts: Sequence[str], seconds: Sequence[str]) -> list[bool | None]:
    """Whether the second of two views is rather the mirror image of the first than the first itself, by their signatures; None
    where it can't be told, as for a symmetric part. For many pairs."""
    told: list[bool | None] = []
    for start in range(0, len(firsts), _AT_ONCE):
        a, b = (_spectra(layouts[start : start + _AT_ONCE]) for layouts in (firsts, seconds))
        # Correlation theorem: the product with the conjugate shifts, the product alone shifts and reverses.
        # Interpolated, because the mirror image of a cell lies between two cells.
        as_is, reversed = (8 * np.fft.irfft((a * c).sum(axis=1), 8 * ANGLES).max(axis=1) for c in (b.conj(), b))
        told += [None if abs(gain) < _TELLING else gain > 0 for gain in (reversed - as_is).tolist()]
    return told


def are_mirrored(first: Document, second: Document, alike: float) -> bool:
    """Whether a view of the first drawing finds in the second its mirror image, and not itself as well. Only views
    whose cosine is at least `alike` are compared."""
    for view, cosines in zip(first.views, first.vectors @ second.vectors.T, strict=True):
        near = np.flatnonzero(cosines >= max(cosines.max() - _AS_ALIKE, alike))
        others = [layout for i in near if (layout := second.views[i].get(LAYOUT))]
        if LAYOUT in view and others and all(mirrored([view[LAYOUT]] * len(others), others)):
            return True
    return False


def _spectra(texts: Sequence[str]) -> NDArray[np.complex128]:
    """(N, 8, 33) of layouts without their means, each ring weighed by its area, of length 1."""
    packed = np.frombuffer(b"".join(map(base64.b64decode, texts)), np.uint8)
    cells = np.stack([packed >> 4, packed & 15], axis=1).reshape(-1, RINGS, ANGLES).astype(float)
    cells = (cells - cells.mean(axis=2, keepdims=True)) * np.sqrt(np.arange(RINGS) + 0.5)[:, None]
    return np.fft.rfft(cells / np.maximum(np.linalg.norm(cells, axis=(1, 2), keepdims=True), 1e-9), axis=2)
