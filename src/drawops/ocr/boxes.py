"""Text boxes on a page: rectangles at any angle, and how those of several detector passes become one set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Quad


@dataclass(frozen=True)
class Box:
    """A rectangle in page pixels. `angle` is the direction of `length` in degrees, counter-clockwise as seen on
    the page (90 points up); `height` is measured across it. `score` is the detector's mean text probability."""

    x: float
    y: float
    length: float
    height: float
    angle: float
    score: float = 1.0

    @property
    def area(self) -> float:
        return self.length * self.height

    @property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unit vectors on the page: along the reading direction, and downwards across it."""
        radians = np.radians(self.angle)
        along = np.array([np.cos(radians), -np.sin(radians)])
        return along, np.array([-along[1], along[0]])

    def quad(self) -> Quad:
        """Corners in reading order."""
        along, across = self.axes
        centre, u, v = np.array([self.x, self.y]), along * self.length / 2, across * self.height / 2
        a, b, c, d = (centre - u - v), (centre + u - v), (centre + u + v), (centre - u + v)
        return _point(a), _point(b), _point(c), _point(d)

    def bounds(self) -> tuple[float, float, float, float]:
        """(xmin, ymin, xmax, ymax)."""
        points = np.array(self.quad())
        return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())

    def scaled(self, factor: float) -> "Box":
        return replace(
            self,
            x=self.x * factor,
            y=self.y * factor,
            length=self.length * factor,
            height=self.height * factor,
        )

    def turned(self, degrees: float) -> "Box":
        """The same rectangle read in another direction, `degrees` a multiple of 90."""
        length, height = (self.length, self.height) if degrees % 180 == 0 else (self.height, self.length)
        return replace(self, length=length, height=height, angle=wrap(self.angle + degrees))


def box_of_quad(quad: Quad, score: float = 1.0) -> Box:
    """The rectangle of a (nearly) rectangular quad."""
    a, b, c, d = (np.asarray(p, float) for p in quad)
    centre, along, across = (a + b + c + d) / 4, ((b - a) + (c - d)) / 2, ((d - a) + (c - b)) / 2
    angle = wrap(float(np.degrees(np.arctan2(-along[1], along[0]))))
    length, height = float(np.linalg.norm(along)), float(np.linalg.norm(across))
    return Box(float(centre[0]), float(centre[1]), length, height, angle, score)


def wrap(angle: float) -> float:
    """Into (-180, 180]."""
    angle = (angle + 180.0) % 360.0 - 180.0
    return 180.0 if angle == -180.0 else angle


def overlap(a: Box, b: Box) -> float:
    """Area of the intersection in square pixels."""
    if a.angle % 90 == 0 and b.angle % 90 == 0:
        ax0, ay0, ax1, ay1 = a.bounds()
        bx0, by0, bx1, by1 = b.bounds()
        return max(0.0, min(ax1, bx1) - max(ax0, bx0)) * max(0.0, min(ay1, by1) - max(ay0, by0))
    kind, points = cv2.rotatedRectangleIntersection(
        ((a.x, a.y), (a.length, a.height), -a.angle), ((b.x, b.y), (b.length, b.height), -b.angle)
    )
    return 0.0 if kind == cv2.INTERSECT_NONE or points is None else float(cv2.contourArea(cv2.convexHull(points)))


def merge_passes(passes: Sequence[Sequence[Box]]) -> list[Box]:
    """One set of boxes from several detector passes over the same page, the most trusted pass first.

    Where boxes of two passes lie over each other the fuller one of the same text height is kept (a pass may
    have cut a line into pieces); a box that swallows two or more lower ones (a pass ran two lines together)
    gives way to them, but for what of it they leave free; otherwise the earlier pass wins.
    """
    boxes = [box for boxes in passes for box in boxes]
    rank = [n for n, boxes in enumerate(passes) for _ in boxes]
    if not boxes:
        return []
    near = touching(boxes)
    alive = [True] * len(boxes)
    remainders: list[Box] = []
    for i, box in enumerate(boxes):  # boxes that hold several lines
        inside = [j for j in near[i] if _share(boxes[j], box) > 0.7 and boxes[j].height < 0.67 * box.height]
        lines = [j for j in inside if not any(k < j and _share(boxes[j], boxes[k]) > 0.3 for k in inside)]
        if len(lines) >= 2 and sum(boxes[j].area for j in lines) > 0.35 * box.area:
            alive[i] = False
            if rest := _rest(box, [boxes[j] for j in lines]):
                remainders.append(rest)
    order = sorted(range(len(boxes)), key=lambda i: (rank[i], -boxes[i].length))
    for i in order:
        for j in near[i]:
            if not (alive[i] and alive[j]) or overlap(boxes[i], boxes[j]) < 0.5 * min(boxes[i].area, boxes[j].area):
                continue
            fuller = boxes[j].length > 1.25 * boxes[i].length and boxes[j].height < 1.6 * boxes[i].height
            alive[i if fuller else j] = False
            if not fuller and boxes[i].height < 0.67 * boxes[j].height and (rest := _rest(boxes[j], [boxes[i]])):
                remainders.append(rest)
    kept = [box for box, keep in zip(boxes, alive, strict=True) if keep]
    for rest in remainders:
        if all(overlap(rest, box) < 0.3 * min(rest.area, box.area) for box in kept):
            kept.append(rest)
    return kept


def _rest(box: Box, inside: Sequence[Box]) -> Box | None:
    """What of a box lies before or behind the lines in it: the size before its stacked deviations. None where that
    is too short for a character."""
    along, _ = box.axes
    ends = [
        (float(np.dot((b.x - box.x, b.y - box.y), along)) + side * b.length / 2) for b in inside for side in (-1, 1)
    ]
    before, behind = min(ends) + box.length / 2, box.length / 2 - max(ends)
    longer = max(before, behind)
    if longer < 0.5 * box.height:
        return None
    shift = (-box.length / 2 + longer / 2) if before >= behind else (box.length / 2 - longer / 2)
    return replace(box, x=box.x + float(along[0]) * shift, y=box.y + float(along[1]) * shift, length=longer)


def _share(part: Box, whole: Box) -> float:
    return overlap(part, whole) / max(part.area, 1e-9)


def touching(boxes: Sequence[Box]) -> list[set[int]]:
    """For each box the others whose bounds meet its own."""
    bounds = np.array([box.bounds() for box in boxes]).reshape(-1, 4)
    meets = (
        (bounds[:, None, 0] < bounds[None, :, 2])
        & (bounds[None, :, 0] < bounds[:, None, 2])
        & (bounds[:, None, 1] < bounds[None, :, 3])
        & (bounds[None, :, 1] < bounds[:, None, 3])
    )
    np.fill_diagonal(meets, False)
    return [set(np.flatnonzero(row).tolist()) for row in meets]


def _point(vector: NDArray[np.float64]) -> tuple[float, float]:
    return float(vector[0]), float(vector[1])
