"""Drawing symbols as strokes, the way CAD systems draw them, which are mostly no font at all.

Units: the height of a capital is 1, the baseline is y = 0, y points up.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

Stroke = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Glyph:
    """Polylines of one character; `filled` ones are closed areas. The next character starts at x = advance."""

    strokes: tuple[Stroke, ...]
    advance: float
    filled: tuple[Stroke, ...] = ()


@dataclass(frozen=True)
class Proportions:
    """What differs from one drawing office to the next."""

    slash: float = 60.0  # angle of the line through ⌀, degrees
    slant: float = 60.0  # angle of ⏥, ⌭ and ∥, degrees
    width: float = 1.0  # of the symbol against its normal width
    arrow: float = 0.3  # length of an arrowhead
    filled: bool = True  # arrowheads filled
    gap: float = 0.15  # space on both sides

    @classmethod
    def drawn(cls, rng: random.Random, *, held_out: bool = False) -> "Proportions":
        """Held-out proportions lie beside those that training lines get, not among them."""
        if held_out:
            return cls(55.0, 65.0, rng.uniform(0.99, 1.01), 0.34, rng.random() < 0.5, 0.18)
        return cls(
            rng.choice((45.0, 60.0, 63.0, 68.0)),
            rng.choice((55.0, 60.0, 70.0)),
            rng.choice((rng.uniform(0.85, 0.98), rng.uniform(1.02, 1.15))),
            rng.choice((0.22, 0.28, 0.4)),
            rng.random() < 0.6,
            rng.choice((0.08, 0.14, 0.22)),
        )


def symbol_glyph(character: str, proportions: Proportions | None = None) -> Glyph | None:
    """The strokes of `character`, or None when it is not a symbol drawn here."""
    p = proportions or Proportions()
    if character not in _SHAPES:
        return None
    strokes, filled, width = _SHAPES[character](p)
    return Glyph(_moved(strokes, p), width * p.width + 2 * p.gap, _moved(filled, p))


SYMBOLS: str  # every character that symbol_glyph knows; set at the end

_Shape = tuple[list[Stroke], list[Stroke], float]


def _moved(strokes: list[Stroke], p: Proportions) -> tuple[Stroke, ...]:
    return tuple(tuple((p.gap + x * p.width, y) for x, y in stroke) for stroke in strokes)


def _arc(x: float, y: float, r: float, start: float = 0.0, end: float = 360.0) -> Stroke:
    steps = max(8, int(abs(end - start) / 10))
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return tuple((x + r * math.cos(a), y + r * math.sin(a)) for a in angles)


def _line(*points: tuple[float, float]) -> Stroke:
    return points


def _arrow(x: float, y: float, angle: float, length: float, p: Proportions) -> tuple[list[Stroke], list[Stroke]]:
    """A shaft that starts at (x, y) and its head."""
    a = math.radians(angle)
    tip = (x + length * math.cos(a), y + length * math.sin(a))
    wings = [(tip[0] - p.arrow * math.cos(a + turn), tip[1] - p.arrow * math.sin(a + turn)) for turn in (-0.32, 0.32)]
    shaft = _line((x, y), tip)
    if p.filled:
        return [shaft], [_line(tip, wings[0], wings[1])]
    return [shaft, _line(wings[0], tip, wings[1])], []


def _diameter(p: Proportions) -> _Shape:
    a = math.radians(p.slash)
    dx, dy = 0.62 * math.cos(a), 0.62 * math.sin(a)
    return [_arc(0.45, 0.5, 0.42), _line((0.45 - dx, 0.5 - dy), (0.45 + dx, 0.5 + dy))], [], 0.9


def _position(p: Proportions) -> _Shape:
    return [_arc(0.55, 0.5, 0.33), _line((0, 0.5), (1.1, 0.5)), _line((0.55, -0.05), (0.55, 1.05))], [], 1.1


def _flatness(p: Proportions) -> _Shape:
    lean = 0.7 / math.tan(math.radians(p.slant))
    return [_line((0, 0.15), (0.85, 0.15), (0.85 + lean, 0.85), (lean, 0.85), (0, 0.15))], [], 0.85 + lean


def _parallel(p: Proportions) -> _Shape:
    lean = 1.0 / math.tan(math.radians(p.slant))
    return [_line((0, 0), (lean, 1)), _line((0.35, 0), (0.35 + lean, 1))], [], 0.35 + lean


def _cylindricity(p: Proportions) -> _Shape:
    r, a = 0.3, math.radians(p.slant)
    nx, ny = r * math.sin(a), -r * math.cos(a)  # the lines touch the circle
    dx, dy = 0.52 * math.cos(a), 0.52 * math.sin(a)
    lines = [_line((0.55 + s * nx - dx, 0.5 + s * ny - dy), (0.55 + s * nx + dx, 0.5 + s * ny + dy)) for s in (-1, 1)]
    return [_arc(0.55, 0.5, r), *lines], [], 1.1


def _concentricity(p: Proportions) -> _Shape:
    return [_arc(0.5, 0.5, 0.45), _arc(0.5, 0.5, 0.24)], [], 1.0


def _symmetry(p: Proportions) -> _Shape:
    rows = [((0.2, 0.8), (0.8, 0.8)), ((0.0, 0.5), (1.0, 0.5)), ((0.2, 0.2), (0.8, 0.2))]
    return [_line(*row) for row in rows], [], 1.0


def _line_profile(p: Proportions) -> _Shape:
    return [_arc(0.5, 0.25, 0.5, 180, 0)], [], 1.0


def _surface_profile(p: Proportions) -> _Shape:
    return [(*_arc(0.5, 0.25, 0.5, 180, 0), (0.0, 0.25))], [], 1.0


def _runout(p: Proportions) -> _Shape:
    strokes, filled = _arrow(0.0, 0.0, 50, 1.25, p)
    return strokes, filled, 0.85


def _total_runout(p: Proportions) -> _Shape:
    first, head = _arrow(0.0, 0.05, 50, 1.2, p)
    second, other = _arrow(0.6, 0.05, 50, 1.2, p)
    return [*first, *second, _line((0.0, 0.05), (0.6, 0.05))], [*head, *other], 1.45


def _counterbore(p: Proportions) -> _Shape:
    return [_line((0, 0.8), (0, 0.1), (1.0, 0.1), (1.0, 0.8))], [], 1.0


def _countersink(p: Proportions) -> _Shape:
    return [_line((0, 0.9), (0.5, 0.1), (1.0, 0.9))], [], 1.0


def _depth(p: Proportions) -> _Shape:
    strokes, filled = _arrow(0.4, 1.0, -90, 1.0, p)
    return [_line((0, 1.0), (0.8, 1.0)), *strokes], filled, 0.8


def _perpendicular(p: Proportions) -> _Shape:
    return [_line((0, 0.05), (1.0, 0.05)), _line((0.5, 0.05), (0.5, 1.0))], [], 1.0


def _angularity(p: Proportions) -> _Shape:
    return [_line((0.95, 0.05), (0, 0.05), (0.85, 0.75))], [], 0.95


def _circle(p: Proportions) -> _Shape:
    return [_arc(0.45, 0.5, 0.42)], [], 0.9


def _square(p: Proportions) -> _Shape:
    return [_line((0, 0.05), (0.85, 0.05), (0.85, 0.9), (0, 0.9), (0, 0.05))], [], 0.85


def _hexagon(p: Proportions) -> _Shape:
    corners = [math.radians(60 * i) for i in range(7)]
    return [tuple((0.5 + 0.5 * math.cos(a), 0.5 + 0.5 * math.sin(a)) for a in corners)], [], 1.0


def _modifier(letter: list[Stroke]) -> Callable[[Proportions], _Shape]:
    """A letter in a circle; the letter comes in a 1 x 1 box."""

    def shape(p: Proportions) -> _Shape:
        small = [tuple((0.36 + 0.4 * x, 0.2 + 0.6 * y) for x, y in stroke) for stroke in letter]
        return [_arc(0.56, 0.5, 0.56), *small], [], 1.12

    return shape


def _degree(p: Proportions) -> _Shape:
    return [_arc(0.15, 0.85, 0.15)], [], 0.3


def _plus_minus(p: Proportions) -> _Shape:
    rows = [((0, 0.6), (0.7, 0.6)), ((0.35, 0.28), (0.35, 0.92)), ((0, 0.08), (0.7, 0.08))]
    return [_line(*row) for row in rows], [], 0.7


def _times(p: Proportions) -> _Shape:
    return [_line((0, 0.15), (0.6, 0.75)), _line((0, 0.75), (0.6, 0.15))], [], 0.6


def _prime(count: int) -> Callable[[Proportions], _Shape]:
    return lambda p: ([_line((0.2 * i, 0.68), (0.12 + 0.2 * i, 1.02)) for i in range(count)], [], 0.2 * count)


def _compare(points: tuple[tuple[float, float], ...]) -> Callable[[Proportions], _Shape]:
    return lambda p: ([_line(*points), _line((0, 0.0), (0.7, 0.0))], [], 0.7)


_LETTERS: dict[str, list[Stroke]] = {
    "Ⓜ": [((0, 0), (0, 1), (0.5, 0.2), (1, 1), (1, 0))],
    "Ⓔ": [((0.9, 0), (0.1, 0), (0.1, 1), (0.9, 1)), ((0.1, 0.52), (0.7, 0.52))],
    "Ⓛ": [((0.15, 1), (0.15, 0), (0.9, 0))],
    "Ⓟ": [((0.15, 0), (0.15, 1), (0.7, 1), (0.9, 0.88), (0.9, 0.6), (0.7, 0.48), (0.15, 0.48))],
}

_SHAPES: dict[str, Callable[[Proportions], _Shape]] = {
    "⌀": _diameter,
    "⌖": _position,
    "⏤": lambda p: ([_line((0, 0.45), (1.0, 0.45))], [], 1.0),
    "⏥": _flatness,
    "∥": _parallel,
    "⌭": _cylindricity,
    "◎": _concentricity,
    "⌯": _symmetry,
    "⌒": _line_profile,
    "⌓": _surface_profile,
    "↗": _runout,
    "⌰": _total_runout,
    "⌴": _counterbore,
    "⌵": _countersink,
    "↧": _depth,
    "⊥": _perpendicular,
    "∠": _angularity,
    "○": _circle,
    "□": _square,
    "⬡": _hexagon,
    "°": _degree,
    "±": _plus_minus,
    "×": _times,
    "′": _prime(1),
    "″": _prime(2),
    "≤": _compare(((0.7, 0.95), (0, 0.55), (0.7, 0.18))),
    "≥": _compare(((0, 0.95), (0.7, 0.55), (0, 0.18))),
    **{character: _modifier(letter) for character, letter in _LETTERS.items()},
}
SYMBOLS = "".join(_SHAPES)
