"""Generated lines among what surrounds them on a drawing: dimension and extension lines, arrows, frames, outlines,
hatching and other texts. Cut out as the Reader cuts, they are the crops that it will get."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.drawings.model import Image, Quad
from drawops.drawings.synth.fonts import FontPool, pool_names
from drawops.drawings.synth.lines import FRAME_SYMBOLS, scan_line, squeeze, write
from drawops.drawings.synth.texts import dimension_text

CAPS = (9, 10, 12, 14, 16, 18, 20, 24, 28, 34)  # heights of capitals in pixels
_SIDE, _ABOVE = 3.2, 1.7  # capital heights of surroundings that are drawn
_SHIFT = 4  # fractional bits of OpenCV's coordinates

Ink = NDArray[np.float32]


@dataclass(frozen=True)
class PlacedLine:
    """`image` is (H, W, 3) uint8 RGB; `quad` lies around the text as a detector's box would; `font` is its font."""

    image: Image
    text: str
    font: str
    quad: Quad


def placed_lines(
    n: int,
    *,
    seed: int,
    fonts: FontPool = "training",
    text: Callable[[random.Random], str] = dimension_text,
    crossed: float = 0.03,
) -> Iterator[PlacedLine]:
    """`n` lines where they stand on drawings. The same seed gives the same.

    Args:
        crossed: share of the texts outside of frames that a line runs through.
    """
    for number in range(n):
        rng = random.Random(f"placed/{fonts}/{seed}/{number}")
        content, font = text(rng), rng.choice(pool_names(fonts))
        yield _place(content, font, fonts, rng, crossed)


def _place(text: str, font: str, pool: FontPool, rng: random.Random, crossed: float) -> PlacedLine:
    cap = rng.choice(CAPS)
    ink, blanks = _cut(*write(text, font, pool, rng, cap), rng)
    side, above = round(_SIDE * cap), round(_ABOVE * cap)
    height, width = ink.shape
    paper: Ink = np.pad(ink, ((above, above), (side, side)))
    surroundings = _Surroundings(paper, (side, above, side + width, above + height), cap, rng)
    if text[0] in FRAME_SYMBOLS and len(text) > 1 and rng.random() < 0.8:
        surroundings.frame(cells=[x + side for x in blanks])
    else:
        surroundings.draw(crossed)
        if rng.random() < 0.25:
            _neighbour(surroundings, font, pool, rng)
    turn = rng.gauss(0, 0.7)
    centre = (paper.shape[1] / 2, paper.shape[0] / 2)
    paper = cv2.warpAffine(paper, cv2.getRotationMatrix2D(centre, turn, 1), (paper.shape[1], paper.shape[0]))
    image = scan_line(paper, rng, smallest=8 / cap)
    scale = image.shape[0] / paper.shape[0], image.shape[1] / paper.shape[1]
    left, right = (rng.uniform(-0.1, 0.4) * cap for _ in range(2))
    top, bottom = (rng.uniform(-0.05, 0.35) * cap for _ in range(2))
    x0, x1 = (side - left) * scale[1], (side + width + right) * scale[1]
    y0, y1 = (above - top) * scale[0], (above + height + bottom) * scale[0]
    return PlacedLine(image, text, font, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def _cut(ink: Ink, blanks: list[float], rng: random.Random) -> tuple[Ink, list[float]]:
    """The text squeezed at times and cut to its ink; a lone dash keeps the height of a line."""
    before = ink.shape[1]
    ink = squeeze(ink, rng)
    columns = np.flatnonzero(ink.max(axis=0) > 0.2)
    rows = np.flatnonzero(ink.max(axis=1) > 0.2)
    if not len(columns):
        return ink, blanks
    low, high = rows[0], rows[-1] + 1
    missing = max(0, ink.shape[0] // 3 - (high - low))
    low, high = max(0, low - missing // 2), high + missing - missing // 2
    moved = [x * ink.shape[1] / before - columns[0] for x in blanks]
    return ink[low:high, columns[0] : columns[-1] + 1], moved


class _Surroundings:
    """Draws around a text that takes the pixels `box` (xmin, ymin, xmax, ymax) of `paper`, never through it but for
    a few lines that cross it, as on bad drawings."""

    def __init__(self, paper: Ink, box: tuple[int, int, int, int], cap: int, rng: random.Random) -> None:
        self.paper, self.box, self.cap, self._rng = paper, box, cap, rng
        self._pen = max(1, round(cap * rng.choice((0.04, 0.06, 0.08, 0.12))))
        self._ink = rng.uniform(0.6, 1.0)

    def draw(self, crossed: float) -> None:
        rng, cap = self._rng, self.cap
        x0, y0, x1, y1 = self.box
        height, width = self.paper.shape
        kind = rng.random()
        if kind < 0.4:  # along a dimension line
            self._dimension_line(y1 + rng.uniform(0.15, 0.9) * cap)
        elif kind < 0.47:
            self._dimension_line(y0 - rng.uniform(0.15, 0.9) * cap)
        elif kind < 0.6:  # in a break of it
            y, gap = (y0 + y1) / 2 + rng.uniform(-0.1, 0.1) * cap, rng.uniform(0.3, 0.9) * cap
            for start, end in ((-9.0, x0 - gap), (x1 + gap, width + 9.0)):
                self._line(start, y, end, y)
                if rng.random() < 0.3:
                    self._arrow(end if start < 0 else start, y, -1 if start < 0 else 1)
        elif kind < 0.68:  # a basic dimension in its frame
            gap = rng.uniform(0.2, 0.5) * cap
            self._rectangle(x0 - gap, y0 - gap, x1 + gap, y1 + gap)
        if rng.random() < 0.3:  # extension lines and outlines beside it
            for x, sign in ((x0, -1), (x1, 1)):
                if rng.random() < 0.6:
                    at = x + sign * rng.uniform(0.35, 2.2) * cap
                    self._line(at, -9, at, height + 9, rng.choice((1, 1, 2)))
        if rng.random() < 0.2:  # an outline near by
            y = rng.choice((y0 - rng.uniform(0.4, 1.5) * cap, y1 + rng.uniform(0.4, 1.5) * cap))
            self._line(-9, y, width + 9, y + rng.uniform(-0.3, 0.3) * cap, 2)
        if rng.random() < 0.1:
            self._hatch()
        if rng.random() < crossed:
            y = rng.uniform(y0, y1)
            self._line(-9, y, width + 9, y)

    def frame(self, *, cells: list[float]) -> None:
        """A tolerance frame: its cells are parted where the text has its blanks."""
        x0, y0, x1, y1 = self.box
        gap, side = self._rng.uniform(0.25, 0.6) * self.cap, self._rng.uniform(0.3, 0.7) * self.cap
        self._rectangle(x0 - side, y0 - gap, x1 + side, y1 + gap)
        for x in cells:
            self._line(x, y0 - gap, x, y1 + gap)

    def add(self, ink: Ink, x: int, y: int) -> None:
        """Another text whose upper left corner is at (x, y); what of it lies outside is cut off."""
        height, width = self.paper.shape
        left, top, right, bottom = max(0, x), max(0, y), min(width, x + ink.shape[1]), min(height, y + ink.shape[0])
        if left < right and top < bottom:
            part = self.paper[top:bottom, left:right]
            np.maximum(part, ink[top - y : bottom - y, left - x : right - x], out=part)

    def _dimension_line(self, y: float) -> None:
        x0, _, x1, _ = self.box
        height, width = self.paper.shape
        rng, ends = self._rng, [-9.0, width + 9.0]
        for end, sign in ((0, -1), (1, 1)):
            if rng.random() < 0.5:
                ends[end] = (x0, x1)[end] + sign * rng.uniform(0.3, 3.0) * self.cap
                self._arrow(ends[end], y, sign)
                if rng.random() < 0.8:
                    low = y - rng.uniform(0.3, 0.7) * self.cap
                    self._line(ends[end], low if rng.random() < 0.7 else -9.0, ends[end], height + 9.0)
        self._line(ends[0], y, ends[1], y)

    def _hatch(self) -> None:
        x0, y0, x1, y1 = self.box
        height, width = self.paper.shape
        pitch, low = self._rng.uniform(0.5, 1.2) * self.cap, y1 + self._rng.uniform(0.3, 0.8) * self.cap
        x = -height * 1.0
        while x < width:
            self._line(x, height + 9.0, x + height + 9.0 - low, low)
            x += pitch

    def _rectangle(self, x0: float, y0: float, x1: float, y1: float) -> None:
        for a, b, c, d in ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1)):
            self._line(a, b, c, d)

    def _line(self, x0: float, y0: float, x1: float, y1: float, wide: int = 1) -> None:
        canvas = np.zeros_like(self.paper)
        ends = [tuple(round(v * (1 << _SHIFT)) for v in point) for point in ((x0, y0), (x1, y1))]
        cv2.line(canvas, ends[0], ends[1], (self._ink,), self._pen * wide, cv2.LINE_8, _SHIFT)
        np.maximum(self.paper, canvas, out=self.paper)

    def _arrow(self, x: float, y: float, sign: int) -> None:
        """A filled arrowhead with its tip at (x, y), pointing right for sign 1."""
        length = self._rng.uniform(0.6, 1.1) * self.cap
        half = length * self._rng.uniform(0.12, 0.2)
        points = np.array([(x, y), (x - sign * length, y - half), (x - sign * length, y + half)])
        cv2.fillPoly(self.paper, [np.round(points * (1 << _SHIFT)).astype(np.int32)], (1.0,), cv2.LINE_8, _SHIFT)


def _neighbour(surroundings: _Surroundings, font: str, pool: FontPool, rng: random.Random) -> None:
    """Another text above, below or beside, as far away as texts are on drawings."""
    cap = surroundings.cap
    x0, y0, x1, y1 = surroundings.box
    ink, _ = _cut(*write(dimension_text(rng), font, pool, rng, cap), rng)
    place, gap = rng.choice(("above", "below", "left", "right")), rng.uniform(0.5, 1.3) * cap
    x, y = x0 + round(rng.uniform(-1.5, 1.5) * cap), y0
    if place in ("above", "below"):
        y = round(y0 - gap) - ink.shape[0] if place == "above" else round(y1 + gap)
    else:
        gap += 0.7 * cap
        x = round(x0 - gap) - ink.shape[1] if place == "left" else round(x1 + gap)
    surroundings.add(ink, x, y)
