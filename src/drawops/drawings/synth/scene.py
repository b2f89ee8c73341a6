"""The drawing as a draughtsman has it: lines, arcs, fills and text on a sheet, in millimetres.

The origin is the lower left corner of the sheet, x right, y up; angles are degrees, counter-clockwise.
One scene is written as PDF, DXF and PNG, so all three show the same, and its texts are the labels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import cos, pi, radians, sin
from typing import Literal

from drawops.drawings.synth.typeface import Layout, Typeface

Point = tuple[float, float]
LineType = Literal["visible", "hidden", "centre", "thin", "hatch", "dimension", "frame", "phantom", "cut"]

DASHES: dict[str, tuple[float, ...]] = {
    "hidden": (3.0, 1.2),
    "centre": (10.0, 1.2, 1.0, 1.2),
    "phantom": (10.0, 1.2, 1.0, 1.2, 1.0, 1.2),
}
"""Dash pattern in mm, drawn and gap in turn."""

WIDE: frozenset[str] = frozenset({"visible", "frame", "cut"})
"""Line types drawn in the wide line of the drawing's line group; the others are drawn in the narrow one."""


@dataclass
class Stroke:
    """A polyline; `closed` joins its end to its start."""

    points: list[Point]
    line: LineType
    closed: bool = False


@dataclass
class Arc:
    """A circular arc from `start` to `end` degrees, counter-clockwise; a full circle is 0 to 360."""

    centre: Point
    radius: float
    start: float
    end: float
    line: LineType

    @property
    def full(self) -> bool:
        return self.end - self.start >= 360.0

    def points(self, step_deg: float = 6.0) -> list[Point]:
        """Flattened for hit tests and clipping."""
        n = max(2, int((self.end - self.start) / step_deg) + 1)
        (cx, cy), r = self.centre, self.radius
        angles = [radians(self.start + (self.end - self.start) * i / n) for i in range(n + 1)]
        return [(cx + r * cos(a), cy + r * sin(a)) for a in angles]


@dataclass
class Fill:
    """A filled polygon: an arrowhead, a datum triangle."""

    points: list[Point]


@dataclass
class Text:
    """One line of text. `label` is False for text that is art, such as a company's name in a logo.

    `origin` is the start of the baseline; `height` is the height of a capital in mm.
    """

    text: str
    origin: Point
    height: float
    angle: float
    kind: str
    layout: Layout
    label: bool = True

    @property
    def width(self) -> float:
        return self.layout.width * self.height

    def at(self, along: float, up: float) -> Point:
        """The sheet position of a point given along the baseline and above it, mm."""
        c, s = cos(radians(self.angle)), sin(radians(self.angle))
        return self.origin[0] + along * c - up * s, self.origin[1] + along * s + up * c

    def quad(self, pad: float = 0.0) -> tuple[Point, Point, Point, Point]:
        """Corners on the sheet in reading order: start-top, end-top, end-bottom, start-bottom; mm, y up."""
        left, right = self.layout.left * self.height - pad, self.layout.right * self.height + pad
        low, high = self.layout.bottom * self.height - pad, self.layout.top * self.height + pad
        return self.at(left, high), self.at(right, high), self.at(right, low), self.at(left, low)


@dataclass
class Group:
    """Several texts that are read as one line, such as a tolerance frame: one label, one quad."""

    text: str
    quad: tuple[Point, Point, Point, Point]
    angle: float
    kind: str
    outline: tuple[float, float, float, float]
    """The frame around them: xmin, ymin, xmax, ymax."""


@dataclass
class Scene:
    """A sheet and what is on it. `wide` is the width of outlines in mm; narrow lines are half of it."""

    width: float
    height: float
    face: Typeface
    wide: float = 0.5
    strokes: list[Stroke] = field(default_factory=list)
    arcs: list[Arc] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    def line(self, a: Point, b: Point, line: LineType = "visible") -> None:
        self.strokes.append(Stroke([a, b], line))

    def polyline(self, points: Iterable[Point], line: LineType = "visible", *, closed: bool = False) -> None:
        self.strokes.append(Stroke(list(points), line, closed))

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, line: LineType = "frame") -> None:
        self.polyline([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], line, closed=True)

    def circle(self, centre: Point, radius: float, line: LineType = "visible") -> None:
        self.arcs.append(Arc(centre, radius, 0.0, 360.0, line))

    def arc(self, centre: Point, radius: float, start: float, end: float, line: LineType = "visible") -> None:
        self.arcs.append(Arc(centre, radius, start, end if end > start else end + 360.0, line))

    def fill(self, points: Sequence[Point]) -> None:
        self.fills.append(Fill(list(points)))

    def measure(self, text: str, height: float) -> float:
        """Width in mm of a line of text whose capitals are `height` mm high."""
        return self.face.layout(text).width * height

    def text(
        self,
        text: str,
        at: Point,
        height: float,
        *,
        angle: float = 0.0,
        anchor: Literal["start", "middle", "end"] = "start",
        kind: str = "note",
        label: bool = True,
    ) -> Text:
        """Writes a line; `at` is the start, middle or end of its baseline."""
        layout = self.face.layout(text)
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * layout.width * height
        a = angle * pi / 180.0
        item = Text(text, (at[0] - shift * cos(a), at[1] - shift * sin(a)), height, angle, kind, layout, label)
        self.texts.append(item)
        return item

    def line_width(self, line: LineType) -> float:
        """Stroke width in mm."""
        return self.wide if line in WIDE else self.wide / 2.0
