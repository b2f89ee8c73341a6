"""Cutting text lines out of pages."""

import cv2
import numpy as np

from drawops.drawings.model import Image, Quad

_LEVEL = 1e-6  # pixels: what the sine of a right angle leaves of a side


def quad_size(quad: Quad) -> tuple[float, float]:
    """Length along the reading direction and height across it, in pixels (the longer of both sides)."""
    a, b, c, d = (np.asarray(p, float) for p in quad)
    length = max(np.linalg.norm(b - a), np.linalg.norm(c - d))
    height = max(np.linalg.norm(d - a), np.linalg.norm(c - b))
    return float(length), float(height)


def crop_line(image: Image, quad: Quad) -> Image:
    """The picture inside `quad`, upright in its reading direction.

    Args:
        image: (H, W, 3) uint8 RGB page.
        quad: corners in pixels, in reading order (see `drawops.drawings.model.Quad`); may reach over the page's
            edge, which is repeated outwards.
    Returns:
        (h, w, 3) uint8 RGB with w the quad's length and h its height, at least 1 x 1.
    """
    if (upright := _without_resampling(image, quad)) is not None:
        return upright
    length, height = quad_size(quad)
    w, h = max(1, round(length)), max(1, round(height))
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    # Warp only the neighbourhood: OpenCV refuses pictures of more than 32,767 pixels a side.
    points = np.asarray(quad, np.float32)
    x_low, y_low = np.floor(points.min(axis=0)).astype(int) - 2
    x_high, y_high = np.ceil(points.max(axis=0)).astype(int) + 2
    x_low, y_low = int(np.clip(x_low, 0, image.shape[1] - 1)), int(np.clip(y_low, 0, image.shape[0] - 1))
    x_high, y_high = int(np.clip(x_high, x_low + 1, image.shape[1])), int(np.clip(y_high, y_low + 1, image.shape[0]))
    matrix = cv2.getPerspectiveTransform(points - np.array([x_low, y_low], np.float32), corners)
    crop = cv2.warpPerspective(
        image[y_low:y_high, x_low:x_high], matrix, (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(crop, np.uint8)


def _without_resampling(image: Image, quad: Quad) -> Image | None:
    """What is inside a quad that lies level, or turned by a right angle, in the page."""
    for turns in range(4):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (quad[(n + turns) % 4] for n in range(4))
        level = max(abs(y0 - y1), abs(x1 - x2), abs(y2 - y3), abs(x3 - x0)) < _LEVEL
        if level and x0 < x1 and y0 < y3:
            left, top, w, h = round(x0), round(y0), max(1, round(x1 - x0)), max(1, round(y3 - y0))
            if left >= 0 and top >= 0 and left + w <= image.shape[1] and top + h <= image.shape[0]:
                return np.rot90(image[top : top + h, left : left + w], -turns).copy()
    return None
