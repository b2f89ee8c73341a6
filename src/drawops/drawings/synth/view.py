"""A view of a part: geometry in part millimetres, with what is to be dimensioned and annotated.

A view is filled first and placed later: only when all dimensions are known can the sheet be laid out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import cos, radians, sin
from typing import Literal

from drawops.drawings.synth.scene import Arc, LineType, Point, Stroke

Side = Literal["left", "right", "top", "bottom"]


@dataclass(frozen=True)
class Value:
    """What stands at a dimension: the text, and deviations set small, one above the other."""

    text: str
    upper: str = ""
    lower: str = ""
    suffix: str = ""
    kind: str = "dimension"


@dataclass(frozen=True)
class Linear:
    """A dimension between two points, measured along x (sides top, bottom) or y (left, right)."""

    a: Point
    b: Point
    value: Value
    side: Side


@dataclass(frozen=True)
class Leader:
    """An arrow to `tip` with lines of text at its end; `away` is the direction (degrees) it prefers to leave in.

    `frame` holds the cells of a tolerance frame below the text, `through` the far point of a diameter line.
    """

    tip: Point
    away: float
    lines: tuple[str, ...]
    kind: str = "dimension"
    frame: tuple[str, ...] = ()
    through: Point | None = None


@dataclass(frozen=True)
class Angular:
    """An angle at `vertex` between two directions (degrees), its arc at `radius` (part mm)."""

    vertex: Point
    start: float
    end: float
    radius: float
    value: Value


@dataclass(frozen=True)
class Mark:
    """A sign that stands on an edge: surface finish (`text` = Ra 1.6) or datum (`text` = A)."""

    kind: Literal["finish", "datum"]
    at: Point
    direction: float
    text: str


@dataclass(frozen=True)
class Cut:
    """A cutting plane with arrows and its letter, from `a` to `b`, looking towards `look` (degrees)."""

    a: Point
    b: Point
    look: float
    letter: str


@dataclass
class View:
    """`zoom` multiplies the drawing's scale; `title` is written above it (A-A, detail I (5:1))."""

    zoom: float = 1.0
    title: str = ""
    strokes: list[Stroke] = field(default_factory=list)
    arcs: list[Arc] = field(default_factory=list)
    sections: list[list[list[Point]]] = field(default_factory=list)
    """Cut areas to hatch: each an outer ring and its holes."""
    dims: list[Linear] = field(default_factory=list)
    leaders: list[Leader] = field(default_factory=list)
    angles: list[Angular] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)

    def line(self, a: Point, b: Point, line: LineType = "visible") -> None:
        self.strokes.append(Stroke([a, b], line))

    def polyline(self, points: Iterable[Point], line: LineType = "visible", *, closed: bool = False) -> None:
        self.strokes.append(Stroke(list(points), line, closed))

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, line: LineType = "visible") -> None:
        self.polyline([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], line, closed=True)

    def circle(self, centre: Point, radius: float, line: LineType = "visible") -> None:
        self.arcs.append(Arc(centre, radius, 0.0, 360.0, line))

    def arc(self, centre: Point, radius: float, start: float, end: float, line: LineType = "visible") -> None:
        self.arcs.append(Arc(centre, radius, start, end if end > start else end + 360.0, line))

    def centre_mark(self, centre: Point, radius: float) -> None:
        """Crossed centre lines that stand out of a circle."""
        (x, y), r = centre, radius * 1.12 + 1.5
        self.line((x - r, y), (x + r, y), "centre")
        self.line((x, y - r), (x, y + r), "centre")

    def hole(self, centre: Point, radius: float) -> None:
        self.circle(centre, radius)
        self.centre_mark(centre, radius)

    def thread(self, centre: Point, size: float, core: float) -> None:
        """A tapped hole seen from above: core circle wide, three quarters of the thread's outside narrow."""
        self.circle(centre, core / 2)
        self.arc(centre, size / 2, 100.0, 370.0, "thin")
        self.centre_mark(centre, size / 2)

    def slot(self, centre: Point, length: float, width: float, angle: float = 0.0, line: LineType = "visible") -> None:
        """A slot with round ends; `length` is over all."""
        (x, y), r, half = centre, width / 2, (length - width) / 2
        c, s = cos(radians(angle)), sin(radians(angle))
        for sign in (1, -1):
            self.line(
                (x - half * c - sign * r * s, y - half * s + sign * r * c),
                (x + half * c - sign * r * s, y + half * s + sign * r * c),
                line,
            )
        self.arc((x + half * c, y + half * s), r, angle - 90, angle + 90, line)
        self.arc((x - half * c, y - half * s), r, angle + 90, angle + 270, line)

    def hatch(self, ring: Sequence[Point], holes: Sequence[Sequence[Point]] = ()) -> None:
        self.sections.append([list(ring), *[list(h) for h in holes]])

    def dim(self, a: Point, b: Point, value: Value, side: Side) -> None:
        self.dims.append(Linear(a, b, value, side))

    def leader(self, tip: Point, away: float, *lines: str, kind: str = "dimension", **more: object) -> None:
        self.leaders.append(Leader(tip, away, tuple(lines), kind, **more))  # type: ignore[arg-type]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """xmin, ymin, xmax, ymax of the outlines, part mm."""
        points = [p for s in self.strokes if s.line != "centre" for p in s.points]
        points += [p for a in self.arcs if a.line != "centre" for p in a.points(15.0)]
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        return min(xs), min(ys), max(xs), max(ys)
