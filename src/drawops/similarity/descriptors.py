"""What is measured on a silhouette. All of it is the same for a turned, mirrored, moved or scaled shape."""

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.similarity.figures import Figure
from drawops.similarity.masks import block

SIDE = 128  # pixels of the picture that the network sees
_MARGIN = 0.08  # of the longer side, white, around the shape in the picture

CONTOUR_DIM = 288
POLAR_DIM = 260
GLOBAL_DIM = 19

Vector = NDArray[np.floating]


def upright(shape: Figure) -> NDArray[np.float32]:
    """The picture (128, 128), 0 to 1, turned so that the long axis lies flat and the heavier tail points right.

    The axis is that of the second moments, the directions are those of the third.
    """
    m = shape.moments
    angle = 0.5 * np.arctan2(2 * m["mu11"], m["mu20"] - m["mu02"])
    cos, sin = np.cos(angle), np.sin(angle)
    flip_x = _third_moment(m, cos, sin) < 0
    flip_y = _third_moment(m, -sin, cos) < 0
    turn = np.array([[cos, sin], [-sin, cos]]) * np.where([[flip_x], [flip_y]], -1.0, 1.0)
    outline = cv2.findNonZero(cv2.morphologyEx(shape.shape, cv2.MORPH_GRADIENT, block(3)))[:, 0] @ turn.T
    low, high = outline.min(axis=0), outline.max(axis=0)
    scale = SIDE / ((1 + 2 * _MARGIN) * (high - low).max())
    shift = SIDE / 2 - scale * (low + high) / 2
    soft = cv2.blur(shape.picture, (3, 3))  # the picture shrinks by about two
    turned = cv2.warpAffine(soft, np.c_[scale * turn, shift], (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return turned.astype(np.float32) / 255


def _third_moment(m: dict[str, float], x: float, y: float) -> float:
    """Sum of (projection on the direction (x, y))**3 about the centroid."""
    return x**3 * m["mu30"] + 3 * x * x * y * m["mu21"] + 3 * x * y * y * m["mu12"] + y**3 * m["mu03"]


def contour_spectrum(shape: Figure) -> Vector:
    """(288,) How the outline bends: Fourier magnitudes, along the outline, of the chord between points k apart, of the
    triangle over points -k, 0, k, and of the distance from the centroid, for several k. The magnitude forgets the
    starting point and the sense, and with them turns and mirroring."""
    points, n = _evenly(shape.outline), 128
    z = points[:, 0] + 1j * points[:, 1]
    z = z - z.mean()
    z = z / max(np.abs(z).mean(), 1e-9)
    chords = [np.abs(z - np.roll(z, -k)) for k in (3, 6, 10, 16, 24, 32, 44, 56, 64)]
    triangles = []
    for k in (3, 6, 10, 16, 24, 32, 44, 56):
        before, after = np.roll(z, k) - z, np.roll(z, -k) - z
        triangles.append(before.real * after.imag - before.imag * after.real)
    spectrum = np.abs(np.fft.rfft(np.stack([*chords, np.abs(z), *triangles]), axis=1))[:, :16] / n  # (18, 16)
    return np.sqrt(spectrum).ravel()


def _evenly(outline: NDArray[np.int32], n: int = 128) -> Vector:
    """(n, 2) points evenly along an outline, smoothed a little."""
    closed = np.concatenate([outline, outline[:1]])[:, 0].astype(np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.linspace(0, along[-1], n, endpoint=False)
    points = np.stack([np.interp(at, along, closed[:, 0]), np.interp(at, along, closed[:, 1])], axis=1)
    for _ in range(2):
        points = 0.25 * np.roll(points, 1, 0) + 0.5 * points + 0.25 * np.roll(points, -1, 0)
    return points


def polar_spectrum(shape: Figure) -> Vector:
    """(260,) Where the matter lies: Fourier magnitudes over the angle, on 20 rings about the centroid. Counts bolt
    holes, teeth and spokes."""
    m = shape.moments
    centre = (m["m10"] / m["m00"], m["m01"] / m["m00"])
    reach = 2.4 * np.sqrt((m["mu20"] + m["mu02"]) / m["m00"])
    flags = cv2.WARP_POLAR_LINEAR | cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
    rings = cv2.warpPolar(shape.picture.astype(np.float32) / 255, (20, 128), centre, reach, flags)  # (angle, radius)
    return np.sqrt(np.abs(np.fft.rfft(rings, axis=0))[:13] / 128).ravel()


def global_numbers(shape: Figure) -> Vector:
    """(19,) Proportions: how thick it is where (12), solidity, roughness, elongation twice, compactness, share of the
    holes, squareness of its hull."""
    picture, filled = shape.picture, cv2.countNonZero(shape.shape)
    area = max(cv2.countNonZero(picture), 1)
    depth = cv2.distanceTransform(picture, cv2.DIST_L2, 3)[picture > 0] / np.sqrt(area)
    thickness = np.histogram(depth, bins=12, range=(0, 0.6))[0] / area
    outline = shape.outline
    hull = cv2.convexHull(outline)
    hull_area, around = max(cv2.contourArea(hull), 1.0), max(cv2.arcLength(outline, True), 1.0)
    sides = sorted(cv2.minAreaRect(outline)[1])
    m = shape.moments
    spread = np.linalg.eigvalsh([[m["mu20"], m["mu11"]], [m["mu11"], m["mu02"]]])
    proportions = [
        filled / hull_area,
        cv2.arcLength(hull, True) / around,
        np.sqrt(max(spread[0], 0) / max(spread[1], 1e-9)),
        sides[0] / max(sides[1], 1.0),
        4 * np.sqrt(filled) / around,
        np.sqrt(max(filled - area, 0) / filled),
        hull_area / max(sides[0] * sides[1], 1.0),
    ]
    return np.concatenate([np.sqrt(thickness), np.clip(proportions, 0, 2)])
