"""A sheet of paper photographed on a desk: where its corners are, and the sheet as if it lay straight."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""(xmin, ymin, xmax, ymax) in pixels of the page, max exclusive."""

_SMALL = 400  # pixels of the longer side at which the sheet is looked for
_DARKER = 35  # the desk than the paper, in grey values
_SHARE = (0.12, 0.95)  # of the picture that a sheet takes
_GREY, _GREYS = (30, 225), 0.05  # neither black nor white, and how much of a photo is that at least
_INK = 0.003  # of the sheet at least
_THICK = 0.02  # of its shorter side: lines are thinner
_INSET = 0.006  # of its shorter side: the edge of the paper and its shadow


@dataclass(frozen=True)
class Flattened:
    """`grey` (H, W) is the sheet seen from above; `back` (3, 3) takes its pixels to those of the photo."""

    grey: NDArray[np.uint8]
    back: NDArray[np.floating]

    def on_photo(self, box: Box) -> Box:
        """The box, upright in the photo, around a box of the sheet."""
        x0, y0, x1, y1 = box
        corners = np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]], np.float64)
        there = cv2.perspectiveTransform(corners, self.back)[0]
        (left, top), (right, bottom) = np.floor(there.min(axis=0)), np.ceil(there.max(axis=0))
        return int(left), int(top), int(right), int(bottom)


def flattened(grey: NDArray[np.uint8]) -> Flattened | None:
    """The sheet on a photo (H, W) of a desk; None where the picture shows none: a scan, a drawing, a crop.

    A sheet is a bright quadrangle on darker ground with thin lines drawn on it. A filled shape, bright on dark, has none;
    one with slits has, but of black and white alone.
    """
    if cv2.inRange(grey, *_GREY).mean() < 255 * _GREYS:
        return None
    corners = _corners(grey)
    if corners is None:
        return None
    top, right, bottom, left = (float(np.hypot(*(corners[(i + 1) % 4] - corners[i]))) for i in range(4))
    width, height = round(max(top, bottom)), round(max(left, right))
    if min(width, height) < 50:
        return None
    straight = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    there = cv2.getPerspectiveTransform(corners.astype(np.float32), straight)
    sheet = cv2.warpPerspective(grey, there, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inset = max(2, round(_INSET * min(width, height)))
    sheet = np.ascontiguousarray(sheet[inset:-inset, inset:-inset])
    if not _is_drawn_on(sheet):
        return None
    moved = np.array([[1, 0, inset], [0, 1, inset], [0, 0, 1]], np.float64)
    return Flattened(sheet, np.linalg.inv(there) @ moved)


def _corners(grey: NDArray[np.uint8]) -> NDArray[np.floating] | None:
    """(4, 2) in pixels, top left first, clockwise."""
    edge = np.concatenate([grey[0, ::4], grey[-1, ::4], grey[::4, 0], grey[::4, -1]])
    if np.median(edge) > np.quantile(grey[::8, ::8], 0.95) - _DARKER:  # paper to the edge of the picture
        return None
    scale = min(1.0, _SMALL / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))  # paper without its lines
    small = cv2.GaussianBlur(small, (5, 5), 0)
    level, bright = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    if border.mean() > 0.3 * 255 or not bright.any():  # light that fades towards one side
        return None
    if float(small[bright > 0].mean()) - float(small[bright == 0].mean()) < _DARKER:
        return None
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    sheet = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(sheet)
    hull = cv2.convexHull(sheet)
    if not _SHARE[0] < area / bright.size < _SHARE[1] or area < 0.93 * cv2.contourArea(hull):
        return None
    around = cv2.arcLength(hull, True)
    for tolerance in (0.01, 0.02, 0.03, 0.05):
        quad = cv2.approxPolyDP(hull, tolerance * around, True)[:, 0].astype(np.float64)
        if len(quad) == 4:
            break
    if len(quad) != 4 or cv2.contourArea(quad.astype(np.float32)) < 0.93 * area:
        return None
    middle = quad.mean(axis=0)
    quad = quad[np.argsort(np.arctan2(*(quad - middle).T[::-1]))]  # clockwise as seen, y runs down
    first = int(np.argmin(quad.sum(axis=1)))
    return np.roll(quad, -first, axis=0) / scale


def _is_drawn_on(sheet: NDArray[np.uint8]) -> bool:
    side = min(sheet.shape)
    paper = cv2.morphologyEx(sheet, cv2.MORPH_CLOSE, np.ones((max(3, round(_THICK * side)),) * 2, np.uint8))
    lines = cv2.subtract(paper, sheet) > _DARKER
    return float(lines.mean()) > _INK
