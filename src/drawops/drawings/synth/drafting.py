"""Dimension lines, leaders and signs on the sheet, placed where an engineer puts them.

Dimensions stand outside the outline, the short before the long, and are read from below or from the right.
Leaders look for a free place: no text overlaps another, and few lines are crossed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import atan2, cos, degrees, hypot, radians, sin

import numpy as np
from numpy.typing import NDArray

from drawops.drawings.synth.boxes import Box, bounds, crossings, hits, overlap
from drawops.drawings.synth.scene import Group, Point, Scene, Text
from drawops.drawings.synth.style import Style
from drawops.drawings.synth.view import Angular, Cut, Leader, Linear, Mark, Side, Value, View

SMALL = 0.68
"""Height of deviations as a part of the text height."""


@dataclass(frozen=True)
class Placed:
    """A view on the sheet: `origin` is the place of part point (0, 0), `scale` sheet mm per part mm."""

    view: View
    origin: Point
    scale: float
    room: float = 0.0
    """Height kept free above the origin, dimensions and title included, mm."""

    def at(self, p: Point) -> Point:
        return self.origin[0] + p[0] * self.scale, self.origin[1] + p[1] * self.scale

    @property
    def box(self) -> Box:
        x0, y0, x1, y1 = self.view.box
        return *self.at((x0, y0)), *self.at((x1, y1))


@dataclass
class Board:
    """A sheet being drawn on: the scene, the office's style, and where there is room."""

    scene: Scene
    style: Style
    area: Box
    taken: list[Box] = field(default_factory=list)
    _segments: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))
    _counted: tuple[int, int] = (0, 0)

    # --- text ---------------------------------------------------------------------------------

    def write(self, text: str, at: Point, height: float | None = None, **how: object) -> Text:
        """Writes a line and remembers its place."""
        item = self.scene.text(text, at, height or self.style.text_height, **how)  # type: ignore[arg-type]
        x0, y0, x1, y1 = bounds(item.quad(0.3))
        apart = 0.7 * item.height  # texts closer than that on one line would be read as one
        across, upward = abs(cos(radians(item.angle))) * apart, abs(sin(radians(item.angle))) * apart
        self.taken.append((x0 - across, y0 - upward, x1 + across, y1 + upward))
        return item

    def value_width(self, value: Value, height: float) -> float:
        small = height * SMALL
        deviations = max((self.scene.measure(t, small) for t in (value.upper, value.lower) if t), default=0.0)
        width = self.scene.measure(value.text, height) + (deviations + 0.4 if deviations else 0.0)
        return width + (self.scene.measure(value.suffix, height) + 0.3 if value.suffix else 0.0)

    def write_value(self, value: Value, middle: Point, angle: float, height: float) -> None:
        """Writes a dimension text, deviations stacked behind it; `middle` is the middle of the baseline."""
        c, s = cos(radians(angle)), sin(radians(angle))
        along, width = -self.value_width(value, height) / 2, 0.0
        if value.upper or value.lower:
            middle = (middle[0] - s * 0.35 * height, middle[1] + c * 0.35 * height)  # room for the lower one

        def put(text: str, shift: float, up: float, size: float, kind: str) -> float:
            at = middle[0] + c * shift - s * up, middle[1] + s * shift + c * up
            return self.write(text, at, size, angle=angle, kind=kind).width

        along += put(value.text, along, 0.0, height, value.kind)
        small = height * SMALL
        for text, up in ((value.upper, 0.58 * height), (value.lower, -0.42 * height)):
            if text:
                width = max(width, put(text, along + 0.4, up, small, "tolerance"))
        if value.suffix:
            put(value.suffix, along + (width + 0.7 if width else 0.3), 0.0, height, "tolerance")

    # --- arrows -------------------------------------------------------------------------------

    def arrow(self, tip: Point, angle: float, size: float | None = None) -> None:
        """An arrowhead whose tip points towards `angle` (degrees)."""
        length = size or self.style.arrow
        half = length * self.style.arrow_slim / 2
        c, s = cos(radians(angle)), sin(radians(angle))
        back = tip[0] - c * length, tip[1] - s * length
        wings = (back[0] - s * half, back[1] + c * half), (back[0] + s * half, back[1] - c * half)
        if self.style.arrow_open:
            self.scene.polyline([wings[0], tip, wings[1]], "dimension")
        else:
            self.scene.fill([tip, *wings])

    # --- linear dimensions ----------------------------------------------------------------------

    def span(self, dim: Linear, scale: float) -> tuple[float, float, float, float, bool]:
        """Where a dimension lies along its axis in sheet mm from the view's origin:
        start and end of what is measured, start and end of what it occupies, and whether the text fits inside."""
        axis = 0 if dim.side in ("top", "bottom") else 1
        lo, hi = sorted((dim.a[axis] * scale, dim.b[axis] * scale))
        turned = axis == 1 and self.style.unidirectional
        need = self.style.text_height * 2.2 if turned else self.value_width(dim.value, self.style.text_height) + 1.2
        if need + (2 * self.style.arrow if self.style.unidirectional else 0.0) <= hi - lo:
            return lo, hi, lo, hi, True
        return lo, hi, lo - self.style.arrow - 2.0, hi + self.style.arrow + 3.0 + need, False

    def levels(self, dims: Sequence[Linear], scale: float) -> list[int]:
        """On which line, counted from the outline, each dimension of one side stands."""
        spans = [self.span(d, scale) for d in dims]
        order = sorted(range(len(dims)), key=lambda i: spans[i][1] - spans[i][0])
        level = [0] * len(dims)
        done: list[int] = []
        for i in order:
            for j in done:
                if spans[i][2] < spans[j][3] - 0.3 and spans[j][2] < spans[i][3] - 0.3:
                    level[i] = max(level[i], level[j] + 1)
            done.append(i)
        return level

    def pitch(self, dims: Sequence[Linear], side: Side) -> float:
        """Distance between the dimension lines of a side."""
        stacked = 2.0 if any(d.value.upper or d.value.lower for d in dims) else 0.0
        pitch = max(self.style.spacing, self.style.text_height * 2.0 + 1.5) + stacked
        if side in ("left", "right") and self.style.unidirectional:
            pitch = max(pitch, max(self.value_width(d.value, self.style.text_height) for d in dims) + 3.0)
        return pitch

    def first_gap(self, view: View, side: Side) -> float:
        """From the outline to the first dimension line, mm; past the arrows of a cutting plane if there are some."""
        stands = {
            "left": lambda c: c.a[1] == c.b[1],
            "right": lambda c: c.a[1] == c.b[1],
            "bottom": lambda c: c.a[0] == c.b[0],
            "top": lambda c: c.a[0] == c.b[0],
        }[side]
        gap = max(10.0, self.style.text_height + 6.0)
        if side in ("left", "right") and self.style.unidirectional:
            dims = [d for d in view.dims if d.side == side]
            gap = max([gap, *[self.value_width(d.value, self.style.text_height) / 2 + 3.0 for d in dims]])
        marks = {m.kind for m in view.marks if facing(m.direction) == side}
        height = self.style.text_height
        gap = max(gap, 3.2 * height + 3.0 if "finish" in marks else 0.0, 2 * height + 9.0 if "datum" in marks else 0.0)
        return gap + (12.0 if any(stands(c) for c in view.cuts) else 0.0)

    def linear(self, placed: Placed) -> None:
        """Draws all linear dimensions of a view."""
        x0, y0, x1, y1 = placed.box
        edge = {"left": x0, "right": x1, "bottom": y0, "top": y1}
        for side in ("bottom", "top", "left", "right"):
            dims = [d for d in placed.view.dims if d.side == side]
            if not dims:
                continue
            pitch, sign = self.pitch(dims, side), 1.0 if side in ("top", "right") else -1.0
            gap = self.first_gap(placed.view, side)
            for dim, level in zip(dims, self.levels(dims, placed.scale), strict=True):
                self._linear(placed, dim, edge[side] + sign * (gap + level * pitch))

    def _linear(self, placed: Placed, dim: Linear, line: float) -> None:
        vertical = dim.side in ("left", "right")
        axis = 1 if vertical else 0
        lo, hi, _, far, fits = self.span(dim, placed.scale)
        lo, hi, far = lo + placed.origin[axis], hi + placed.origin[axis], far + placed.origin[axis]

        def at(along: float, across: float) -> Point:
            return (across, along) if vertical else (along, across)

        for point in (dim.a, dim.b):
            px, py = placed.at(point)
            along, start = (py, px) if vertical else (px, py)
            step = 1.0 if line > start else -1.0
            self.scene.line(at(along, start + step * 0.8), at(along, line + step * 1.8), "dimension")
        inside = hi - lo >= 2 * self.style.arrow + 2.0
        turn = 90.0 if vertical else 0.0
        self.arrow(at(lo, line), turn + (180 if inside else 0))
        self.arrow(at(hi, line), turn + (0 if inside else 180))
        reach, half = self.style.arrow + 2.0, (far - hi - self.style.arrow - 1.5) / 2
        if fits:
            free = (hi - lo - self.value_width(dim.value, self.style.text_height)) / 2
            tries = [(lo + hi) / 2 + free * k for k in (0.0, 0.4, -0.4, 0.8, -0.8)]
        else:  # behind the dimension, else before it, else a little further out
            tries = [hi + self.style.arrow + 1.5 + half, lo - self.style.arrow - 1.5 - half]
            tries += [tries[0] + 5.0, tries[1] - 5.0, tries[0] + 10.0]
        middle = self._dimension_text(dim.value, [at(a, line) for a in tries], vertical)[axis]
        start, end = (lo, hi) if inside else (lo - reach, hi + reach)
        if not fits and not self.style.unidirectional:
            start, end = min(start, middle - half), max(end, middle + half)
        self.scene.line(at(start, line), at(end, line), "dimension")

    def _dimension_text(self, value: Value, places: Sequence[Point], vertical: bool) -> Point:
        """Writes the text on the first of the places along its line where no other text stands; returns the place."""
        height, gap = self.style.text_height, self.style.text_gap
        half, angle = self.value_width(value, height) / 2, 0.0
        low, high = (-0.1, 1.65) if value.upper or value.lower else (0.0, 1.0)
        best = None
        for place in places:
            x, y = place
            if self.style.unidirectional:
                at, box = (x, y - height / 2), (x - half, y - height * 0.6, x + half, y + height * (high - 0.5))
            elif vertical:
                at, angle = (x - gap, y), 90.0
                box = (x - gap - height * high, y - half, x - gap - height * low, y + half)
            else:
                at = x, y + gap
                box = (x - half, y + gap + height * low, x + half, y + gap + height * high)
            cost = sum(overlap(box, other) for other in self.taken)
            if best is None or cost < best[0]:
                best = cost, at, place
        assert best is not None
        self.write_value(value, best[1], angle, height)
        return best[2]

    # --- angles, leaders, signs -----------------------------------------------------------------

    def angular(self, placed: Placed, angle: Angular) -> None:
        centre, r = placed.at(angle.vertex), angle.radius * placed.scale
        self.scene.arc(centre, r, angle.start, angle.end, "dimension")
        for end, turn in ((angle.start, -90.0), (angle.end, 90.0)):
            a = radians(end)
            tip = centre[0] + r * cos(a), centre[1] + r * sin(a)
            self.arrow(tip, end + turn)
            self.scene.line(
                (centre[0] + (r * 0.45) * cos(a), centre[1] + (r * 0.45) * sin(a)),
                (centre[0] + (r + 2) * cos(a), centre[1] + (r + 2) * sin(a)),
                "dimension",
            )
        middle = radians((angle.start + angle.end) / 2)
        height = self.style.text_height
        width = self.value_width(angle.value, height)
        out = r + 1.5 + abs(cos(middle)) * width / 2 + abs(sin(middle)) * height / 2
        at = centre[0] + out * cos(middle), centre[1] + out * sin(middle) - height / 2
        self.write_value(angle.value, at, 0.0, height)

    def leader(self, placed: Placed, leader: Leader) -> None:
        """Draws a leader with its shoulder and text in the freest place near the wanted direction."""
        height = self.style.text_height
        tip = placed.at(leader.tip)
        pitch = height * 1.75
        width = max((self.scene.measure(t, height) for t in leader.lines), default=0.0) + 2.0
        cells = self._cells(leader.frame, height)
        width = max(width, sum(cells))
        below = pitch * (len(leader.lines) - 1) + (height * 2.4 if leader.frame else 0.0)
        best, knee, right = None, tip, True
        for length in (9.0, 13.0, 18.0, 25.0, 34.0, 45.0, 58.0):
            for turn in (0, 12, -12, 25, -25, 40, -40, 60, -60, 85, -85):
                a = radians(leader.away + turn)
                k = tip[0] + length * cos(a), tip[1] + length * sin(a)
                to_right = cos(a) >= -0.05
                x0 = k[0] if to_right else k[0] - width - 3.0
                box = (x0, k[1] - below - 1.2, x0 + width + 3.0, k[1] + height * 1.5)
                cost = self._cost(box, tip, k, placed) + length * 0.05 + abs(turn) * 0.015
                if best is None or cost < best:
                    best, knee, right = cost, k, to_right
        self.arrow(tip, degrees(atan2(tip[1] - knee[1], tip[0] - knee[0])))
        end = knee[0] + (width if right else -width), knee[1]
        start = placed.at(leader.through) if leader.through else tip
        if leader.through:
            self.arrow(start, degrees(atan2(start[1] - tip[1], start[0] - tip[0])))
        self.scene.polyline([start, knee, end] if leader.lines else [start, knee], "dimension")
        x = min(knee[0], end[0]) + 1.0
        for i, text in enumerate(leader.lines):
            self.write(text, (x, knee[1] + self.style.text_gap - i * pitch * 1.0), height, kind=leader.kind)
        if leader.frame:
            top = knee[1] - pitch * max(0, len(leader.lines) - 1) - (1.2 if leader.lines else -height)
            self.frame((knee[0] if right else knee[0] - sum(cells), top), leader.frame)

    def _cells(self, frame: Sequence[str], height: float) -> list[float]:
        return [max(self.scene.measure(t, height) + height * 0.7, height * 2.0) for t in frame]

    def frame(self, top_left: Point, cells: Sequence[str]) -> None:
        """A tolerance frame: one label, its cells joined by blanks."""
        height = self.style.text_height
        (x, y), tall = top_left, height * 2.0
        widths = self._cells(cells, height)
        self.scene.rectangle(x, y - tall, x + sum(widths), y, "thin")
        quads, left = [], x
        for text, width in zip(cells, widths, strict=True):
            if left > x:
                self.scene.line((left, y), (left, y - tall), "thin")
            middle = left + width / 2, y - tall / 2 - height / 2
            item = self.scene.text(text, middle, height, anchor="middle", kind="gdt", label=False)
            quads.append(bounds(item.quad()))
            left += width
        x0, y0, x1, y1 = quads[0][0], min(q[1] for q in quads), quads[-1][2], max(q[3] for q in quads)
        outline = x, y - tall, x + sum(widths), y
        quad = (x0, y1), (x1, y1), (x1, y0), (x0, y0)
        self.scene.groups.append(Group(" ".join(cells), quad, 0.0, "gdt", outline))
        self.taken.append(outline)

    def mark(self, placed: Placed, mark: Mark) -> None:
        """A surface-finish tick or a datum triangle standing on an edge."""
        (x, y), h = placed.at(mark.at), self.style.text_height
        if mark.kind == "datum":
            c, s = cos(radians(mark.direction)), sin(radians(mark.direction))
            reach = 4.0 + h
            self.scene.fill([(x - s * 1.6, y + c * 1.6), (x + s * 1.6, y - c * 1.6), (x + c * 2.6, y + s * 2.6)])
            cx, cy, side = x + c * (reach + h), y + s * (reach + h), h * 1.0
            self.scene.line((x, y), (cx - c * side, cy - s * side), "dimension")
            self.scene.rectangle(cx - side, cy - side, cx + side, cy + side, "thin")
            self.write(mark.text, (cx, cy - h / 2), h, anchor="middle", kind="gdt")
            self.taken.append((cx - side, cy - side, cx + side, cy + side))
            return
        width = self.scene.measure(mark.text, h * 0.85) + h * 3.2
        segments, best = self.segments(), None
        for shift in (0.0, 3.0, -3.0, 6.0, -6.0, 10.0, -10.0, 15.0, -15.0):
            box = (x + shift - h * 0.8, y + 0.4, x + shift + width, y + h * 3.0)
            cost = 10 * sum(overlap(box, other) for other in self.taken) + int(hits(segments, box).sum())
            foot = not hits(segments, (x + shift - 0.2, y - 0.2, x + shift + 0.2, y + 0.2)).any()
            if best is None or cost + 40 * foot + abs(shift) * 0.01 < best[0]:
                best = cost + 40 * foot + abs(shift) * 0.01, shift
        x += best[1] if best else 0.0
        finish_sign(self, (x, y), mark.text, h)

    def cut(self, placed: Placed, cut: Cut) -> None:
        """The ends of a cutting plane: thick strokes, arrows and the letter."""
        a, b = placed.at(cut.a), placed.at(cut.b)
        length = hypot(b[0] - a[0], b[1] - a[1])
        ux, uy = (b[0] - a[0]) / length, (b[1] - a[1]) / length
        c, s = cos(radians(cut.look)), sin(radians(cut.look))
        h = self.style.text_height * 1.3
        for (px, py), sign in ((a, -1.0), (b, 1.0)):
            out = px + ux * sign * 7.0, py + uy * sign * 7.0
            self.scene.line((px + ux * sign * 2.5, py + uy * sign * 2.5), out, "cut")
            tip = out[0] + c * 7.0, out[1] + s * 7.0
            self.scene.line(out, tip, "dimension")
            self.arrow(tip, cut.look, self.style.arrow * 1.3)
            place = out[0] + c * 5.0 + ux * sign * (h * 0.9 + 1.2), out[1] + s * 5.0 + uy * sign * (h * 0.9 + 1.2)
            self.write(cut.letter, (place[0], place[1] - h / 2), h, anchor="middle", kind="section")

    # --- room -------------------------------------------------------------------------------------

    def _cost(self, box: Box, tip: Point, knee: Point, placed: Placed) -> float:
        cost = 0.0
        ax0, ay0, ax1, ay1 = self.area
        if box[0] < ax0 or box[1] < ay0 or box[2] > ax1 or box[3] > ay1:
            cost += 200.0
        cost += 60.0 * sum(overlap(box, other) for other in self.taken)
        line = np.array([[*tip, *knee]])
        reach = bounds((tip, knee))
        cost += 15.0 * sum(overlap(reach, other) and bool(hits(line, other)[0]) for other in self.taken)
        segments = self.segments()
        cost += 0.35 * min(12, crossings(segments, tip, knee))
        cost += 3.0 * min(8, int(hits(segments, box).sum()))
        vx0, vy0, vx1, vy1 = placed.box
        if overlap(box, (vx0, vy0, vx1, vy1)):
            cost += 5.0
        return cost

    def segments(self) -> NDArray[np.float64]:
        """All lines drawn so far as (N, 4): x0, y0, x1, y1."""
        counted = len(self.scene.strokes), len(self.scene.arcs)
        if counted != self._counted:
            new = [
                (*p, *q)
                for stroke in self.scene.strokes[self._counted[0] :]
                for p, q in zip(stroke.points, stroke.points[1:] + stroke.points[:1], strict=True)
            ]
            for arc in self.scene.arcs[self._counted[1] :]:
                points = arc.points(20.0)
                new += [(*p, *q) for p, q in zip(points, points[1:], strict=False)]
            if new:
                self._segments = np.vstack([self._segments, np.array(new)])
            self._counted = counted
        return self._segments


def finish_sign(board: Board, foot: Point, text: str, h: float) -> None:
    """The surface-texture sign of ISO 1302, machining required, its value above the arm."""
    (x, y), small = foot, h * 0.85
    left, right = (x - h * 0.8, y + h * 1.4), (x + h * 1.6, y + h * 2.8)
    board.scene.polyline([left, (x, y), right], "dimension")
    board.scene.line(left, (x + h * 0.8, y + h * 1.4), "dimension")
    width = board.scene.measure(text, small)
    board.scene.line(right, (right[0] + width + 1.5, right[1]), "dimension")
    board.write(text, (right[0] + 0.8, right[1] - small - 0.6), small, kind="finish")


def facing(direction: float) -> Side:
    """The side towards which a direction (degrees) points."""
    sides: tuple[Side, ...] = ("right", "top", "left", "bottom")
    return sides[round(direction / 90.0) % 4]
