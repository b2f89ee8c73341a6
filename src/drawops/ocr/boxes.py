"""Text boxes on a page: rectangles at any angle, and how those of several detector passes become one set."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Quad

SQUARE = 1.5  # below this aspect the longer side does not tell the reading direction
_FULLER = 1.25  # length ratio from which one box is a line and the other a piece of it
_ONE_ROW = 1.6  # height ratio up to which they stand on one row
_LOWER = 0.67  # height ratio below which one is a row of the other
_ASKEW = 8.0  # degrees
_LARGER = 5.0  # shorter side by the longer one of a lone character from which a box around it is a part of the drawing
_LONG = 6.0  # length by height from which a box's angle can be trusted
_SHORT = 4.0  # and up to which it says little


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
        c, s = self._turn
        return np.array([c, -s]), np.array([s, c])

    @property
    def _turn(self) -> tuple[float, float]:
        """Cosine and sine of the angle. (A page asks boxes for their corners and bounds ten thousand times.)"""
        radians = math.radians(self.angle)
        return math.cos(radians), math.sin(radians)

    def quad(self) -> Quad:
        """Corners in reading order."""
        c, s = self._turn
        ux, uy, vx, vy = c * self.length / 2, -s * self.length / 2, s * self.height / 2, c * self.height / 2
        x, y = self.x, self.y
        return (
            (x - ux - vx, y - uy - vy),
            (x + ux - vx, y + uy - vy),
            (x + ux + vx, y + uy + vy),
            (x - ux + vx, y - uy + vy),
        )

    def bounds(self) -> tuple[float, float, float, float]:
        """(xmin, ymin, xmax, ymax)."""
        c, s = self._turn
        x = (abs(c) * self.length + abs(s) * self.height) / 2
        y = (abs(s) * self.length + abs(c) * self.height) / 2
        return self.x - x, self.y - y, self.x + x, self.y + y

    def scaled(self, factor: float) -> "Box":
        return replace(
            self,
            x=self.x * factor,
            y=self.y * factor,
            length=self.length * factor,
            height=self.height * factor,
        )

    def part(self, left: float, top: float, right: float, bottom: float) -> "Box":
        """The part between two points that are measured along and across from the corner where reading starts."""
        along, across = self.axes
        centre = np.array([self.x, self.y]) + along * ((left + right - self.length) / 2)
        centre = centre + across * ((top + bottom - self.height) / 2)
        return replace(self, x=float(centre[0]), y=float(centre[1]), length=right - left, height=bottom - top)

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


def taken(lone: Box, boxes: Sequence[Box], *, share: float = 0.0) -> bool:
    """Does one of the boxes take in more than this share of a lone character? One that is far larger holds no line with it:
    a dimension with its arrows looks like a character to the network."""
    largest = _LARGER * max(lone.length, lone.height)
    return any(overlap(lone, box) > share * lone.area for box in boxes if min(box.length, box.height) < largest)


def levelled(boxes: Sequence[Box]) -> list[Box]:
    """Boxes that stand nearly level or upright stand as the page does: of a short text, or one with deviations at its
    end, the smallest rectangle is often askew. The long lines tell how the page itself is turned."""
    leans = [lean(box.angle) for box in boxes if box.length > _LONG * box.height and abs(lean(box.angle)) < _ASKEW]
    page = float(np.median(leans)) if len(leans) >= 3 else 0.0
    found = []
    for box in boxes:
        off = lean(box.angle - page)
        most = 1.5 * _ASKEW if box.length < _SHORT * box.height else _ASKEW
        if off == 0 or abs(off) > most or box.length > _LONG * box.height:
            found.append(box)
            continue
        c, s = np.cos(np.radians(abs(off))), np.sin(np.radians(abs(off)))
        length, height = float(box.length * c + box.height * s), float(box.height * c + box.length * s)
        found.append(replace(box, length=length, height=height, angle=wrap(box.angle - off)))
    return found


def lean(angle: float) -> float:
    """How far an angle is from level or upright, degrees in [-45, 45)."""
    return (angle + 45.0) % 90.0 - 45.0


def joined_rows(boxes: Sequence[Box]) -> list[Box]:
    """The boxes of one pass with the pieces of a text made one: boxes as high as each other, in one row, that run into
    each other. Letters set wide apart come out of the network in pieces."""
    near, whole = touching(boxes), dict(enumerate(boxes))
    for i in range(len(boxes)):
        while i in whole and (pieces := [j for j in near[i] if j in whole and _in_row(whole[i], whole[j])]):
            piece = min(pieces)
            whole[i] = joined(whole[i], whole.pop(piece))
            for other in near[piece] - {i}:  # what the piece touched
                near[i].add(other)
                near[other].add(i)
    return list(whole.values())


def joined(a: Box, b: Box) -> Box:
    """One box along `a` that reaches from where the first begins to where the last ends."""
    along, _ = a.axes
    offset = _ahead(a, b)
    start = min(-a.length / 2, offset - b.length / 2)
    end = max(a.length / 2, offset + b.length / 2)
    middle = (start + end) / 2
    x, y = a.x + float(along[0]) * middle, a.y + float(along[1]) * middle
    return replace(a, x=x, y=y, length=end - start, height=max(a.height, b.height))


def _in_row(a: Box, b: Box) -> bool:
    """Does the text of one box go on in the other? Each is longer than high: next to a figure may stand another."""
    low, high = sorted((a.height, b.height))
    return _side_by_side(a, b) and min(a.length, b.length) > 2 * high and _common(a, b) > 0.2 * low


def goes_on(a: Box, b: Box) -> bool:
    """Does a row of characters begin in one box and end in the other, which touch?"""
    return _side_by_side(a, b) and _ahead(a, b) > 0 and 0 < _common(a, b) < 0.5 * min(a.length, b.length)


def _common(a: Box, b: Box) -> float:
    """How long two boxes of one row lie over each other."""
    return (a.length + b.length) / 2 - abs(_ahead(a, b))


def _ahead(a: Box, b: Box) -> float:
    """How far the middle of another box lies further along the direction of `a`."""
    return float(np.dot((b.x - a.x, b.y - a.y), a.axes[0]))


def _side_by_side(a: Box, b: Box) -> bool:
    """Are two boxes as high as each other, in one row?"""
    low, high = sorted((a.height, b.height))
    aside = abs(float(np.dot((b.x - a.x, b.y - a.y), a.axes[1])))
    return abs(wrap(a.angle - b.angle)) < 3.0 and low > 0.8 * high and aside < 0.2 * low


def merge_passes(passes: Sequence[Sequence[Box]]) -> list[Box]:
    """One set of boxes from several detector passes over the same page, the most trusted pass first.

    Where boxes of two passes lie over each other the fuller one of the same text height is kept, and all its pieces go
    (a pass may have cut a line); a box that swallows two or more lower ones (a pass ran two lines together) gives way
    to them, but for what of it they leave free; otherwise the earlier pass wins.
    """
    boxes = [box for boxes in passes for box in boxes]
    rank = [n for n, boxes in enumerate(passes) for _ in boxes]
    if not boxes:
        return []
    near = touching(boxes)
    alive = [True] * len(boxes)
    remainders: list[Box] = []
    for i, box in enumerate(boxes):  # boxes that hold several lines
        inside = [j for j in near[i] if _share(boxes[j], box) > 0.7 and boxes[j].height < _LOWER * box.height]
        lines = [j for j in inside if not any(k < j and _share(boxes[j], boxes[k]) > 0.3 for k in inside)]
        if len(lines) >= 2 and sum(boxes[j].area for j in lines) > 0.35 * box.area:
            alive[i] = False
            if rest := _rest(box, [boxes[j] for j in lines]):
                remainders.append(rest)
    order = sorted(range(len(boxes)), key=lambda i: (-boxes[i].length, rank[i]))
    place = {i: n for n, i in enumerate(order)}
    for i in order:
        box = boxes[i]
        rivals = [j for j in near[i] if alive[j] and place[j] > place[i] and _rival(box, boxes[j])] if alive[i] else []
        trusted = [j for j in rivals if rank[j] < rank[i]]
        alike = any(box.length <= _FULLER * boxes[j].length for j in trusted)
        row = max((_height_across(boxes[j], box) for j in trusted), default=box.height)
        taller = box.height >= _ONE_ROW * row and not any(rank[j] != rank[i] and _same(box, boxes[j]) for j in rivals)
        if alike or taller:  # else it is the whole line of which the others are pieces
            alive[i] = False
            low = [boxes[j] for j in trusted if boxes[j].height < _LOWER * box.height]
            if low and (rest := _rest(box, low)):
                remainders.append(rest)
            continue
        for j in rivals:
            alive[j] = False
            if box.height < _LOWER * boxes[j].height and (rest := _rest(boxes[j], [box])):
                remainders.append(rest)
    kept = [box for box, keep in zip(boxes, alive, strict=True) if keep]
    for rest in remainders:
        if all(overlap(rest, box) < 0.3 * min(rest.area, box.area) for box in kept):
            kept.append(rest)
    return kept


def _rival(a: Box, b: Box) -> bool:
    """Do two boxes lie over each other?"""
    return overlap(a, b) >= 0.5 * min(a.area, b.area)


def _same(a: Box, b: Box) -> bool:
    """Are two boxes the same one, seen twice?"""
    common = overlap(a, b)
    return common > 0.75 * (a.area + b.area - common)


def _height_across(part: Box, box: Box) -> float:
    """How high a part is, measured across the reading direction of `box`: a pass that caught the end of a slanted text
    took it for an upright one."""
    turn = np.radians(part.angle - box.angle)
    return float(part.length * abs(np.sin(turn)) + part.height * abs(np.cos(turn)))


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
