"""Families of made-up parts: turned parts, fronts, plates and sections. Members of a family differ by their sizes, as parts
of one family do; what is drawn within them goes with the shape."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from drawops.similarity.generated import Rng, members_of, view_of
from drawops.similarity.masks import Mask
from drawops.similarity.views import View

_SIDE = 384
_CENTRE = np.array([_SIDE / 2, _SIDE / 2])
_UNIT = 0.42 * _SIDE
_LINE = 3
_SHIFT = 4  # bits behind the point of OpenCV's coordinates

Points = NDArray[np.floating]


def part_views(families: int, members: int, *, seed: int) -> list[View]:
    """`families` x `members` views, those of a family behind each other."""
    return members_of(_family, families, members, np.random.default_rng(seed))


class _Sheet:
    """A shape and the lines drawn within it; coordinates run from -1 to 1."""

    def __init__(self) -> None:
        self.shape, self.lines = (np.zeros((_SIDE, _SIDE), np.uint8) for _ in range(2))

    def fill(self, points: ArrayLike, value: int = 255) -> None:
        cv2.fillPoly(self.shape, [_pixels(points)], value, shift=_SHIFT)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self.fill([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])

    def disc(self, centre: ArrayLike, radius: float) -> None:
        self._round(self.shape, centre, radius, cv2.FILLED)

    def line(self, *points: ArrayLike, closed: bool = False) -> None:
        cv2.polylines(self.lines, [_pixels(np.array(points))], closed, 255, _LINE, shift=_SHIFT)

    def circle(self, centre: ArrayLike, radius: float) -> None:
        self._round(self.lines, centre, radius, _LINE)

    def _round(self, mask: Mask, centre: ArrayLike, radius: float, thickness: int) -> None:
        x, y = _pixels(centre)
        cv2.circle(mask, (int(x), int(y)), round(max(_UNIT * radius, 3) * (1 << _SHIFT)), 255, thickness, shift=_SHIFT)


Draw = Callable[[Rng], _Sheet]


def _family(rng: Rng) -> Callable[[], View | None]:
    draw = [_turned, _turned, _front, _front, _plate, _section][rng.integers(6)](rng)

    def member() -> View | None:
        sheet = draw(rng)
        if rng.random() < 0.06:  # an edge more
            sheet.line(*rng.uniform(-0.5, 0.5, (2, 2)))
        angle = rng.uniform(0, 360) if rng.random() < 0.4 else 90 * rng.integers(4)
        sense = -1 if rng.random() < 0.5 else 1
        turn = cv2.getRotationMatrix2D((_SIDE / 2, _SIDE / 2), float(angle), 0.72)
        masks = (np.ascontiguousarray(mask[:, ::sense]) for mask in (sheet.shape, sheet.lines))
        shape, lines = ((cv2.warpAffine(mask, turn, (_SIDE, _SIDE)) > 100).astype(np.uint8) * 255 for mask in masks)
        return view_of(shape, lines)

    return member


def _turned(rng: Rng) -> Draw:
    """Side view of a turned part: steps, chamfers, cones; bore, thread, groove, key, knurl."""
    count, spread = int(rng.integers(1, 8)), rng.uniform(0.08, 0.35)
    lengths, radii, slim = rng.uniform(0.15, 1, count), rng.uniform(0.15, 1, count), rng.uniform(0.08, 0.6)
    chamfered, conical = rng.random(count) < 0.3, rng.random(count) < 0.15
    bore = rng.uniform(0.3, 0.7) if rng.random() < 0.4 else 0.0
    edges, groove, key = rng.random() < 0.85, rng.random() < 0.25, rng.random() < 0.25
    thread = int(rng.integers(count)) if rng.random() < 0.3 else None
    knurl = int(rng.integers(count)) if rng.random() < 0.15 else None

    def draw(rng: Rng) -> _Sheet:
        sheet = _Sheet()
        length, radius = lengths * _factor(rng, spread, count), radii * _factor(rng, 0.7 * spread, count)
        length, radius = 2 * length / length.sum(), radius / radius.max() * slim * _factor(rng, spread)
        fit = min(1, 1 / radius.max())
        length, radius = fit * length, fit * radius
        x = np.concatenate([[0], np.cumsum(length)]) - length.sum() / 2
        upper: list[tuple[float, float]] = []
        for k, r in enumerate(radius):
            cut = min(0.12 * r, 0.3 * length[k])
            upper += [(x[k], r - cut), (x[k] + cut, r)] if chamfered[k] else [(x[k], r)]
            upper.append((x[k + 1], 0.6 * r if conical[k] else r))
        sheet.fill(upper + [(a, -b) for a, b in reversed(upper)])
        for k in range(1, count if edges else 1):
            larger, smaller = sorted(radius[k - 1 : k + 1])[::-1]
            height = larger if rng.random() < 0.9 else smaller
            sheet.line((x[k], -height), (x[k], height))
        for sign in (-1, 1):
            if bore:
                sheet.line((x[0], sign * bore * radius.min()), (x[-1], sign * bore * radius.min()))
            if thread is not None:
                root = 0.8 * sign * radius[thread]
                sheet.line((x[thread], root), (x[thread + 1], root))
        if groove:
            k = int(rng.integers(count))
            for at in (x[k] + 0.5 * length[k], x[k] + 0.5 * length[k] + 0.04):
                sheet.line((at, -radius[k]), (at, radius[k]))
        if key:
            k = count // 2
            outline = _rounded(0.6 * length[k], 0.4 * radius[k], 0.2 * radius[k]) + [(x[k] + x[k + 1]) / 2, 0]
            sheet.line(*outline, closed=True)
        if knurl is not None:
            for at in np.linspace(x[knurl], x[knurl + 1], 8):
                sheet.line((at, -radius[knurl]), (at, radius[knurl]))
        return sheet

    return draw


def _front(rng: Rng) -> Draw:
    """Seen along the axis: discs, toothed wheels, nuts, lugs; rings, bolt holes, spokes, keyway."""
    kind = rng.choice(["disc", "disc", "disc", "teeth", "polygon", "square", "lobes", "flat"])
    spread = rng.uniform(0.08, 0.35)
    rings = np.sort(rng.uniform(0.12, 0.92, rng.integers(0, 5)))[::-1]
    holes, pitch, size = (
        int(rng.choice([0, 0, 2, 3, 4, 4, 5, 6, 8, 12])),
        rng.uniform(0.5, 0.85),
        rng.uniform(0.04, 0.12),
    )
    teeth, depth, duty, square = (
        int(rng.integers(3, 40)),
        rng.uniform(0.06, 0.25),
        rng.uniform(0.35, 0.65),
        rng.random(),
    )
    corners, spokes = int(rng.choice([4, 5, 6, 6, 8])), int(rng.choice([0, 0, 0, 3, 4, 5, 6]))
    keyed, counts_vary = rng.random() < 0.2, rng.random() < 0.4

    def draw(rng: Rng) -> _Sheet:
        sheet = _Sheet()
        count = holes + (int(rng.integers(-1, 2)) if counts_vary and holes > 2 else 0)
        wheel = max(3, round(teeth * _factor(rng, 0.25))) if counts_vary else teeth
        around = 2 * np.pi * np.arange(count) / max(count, 1) + rng.uniform(0, 2 * np.pi)
        radii = np.clip(rings * _factor(rng, spread, len(rings)), 0.06, 0.93)
        at, hole = np.clip(pitch * _factor(rng, 0.1), 0.4, 0.9), size * _factor(rng, spread)
        if kind in ("disc", "flat"):
            sheet.disc((0, 0), 1)
        if kind == "flat":
            sheet.shape[: int(_SIDE / 2 - 0.75 * _UNIT * _factor(rng, 0.08))] = 0
        if kind == "teeth":
            sheet.fill(_toothed(wheel, depth * _factor(rng, spread), duty, square < 0.5))
        if kind == "polygon":
            sheet.fill(_on_circle(2 * np.pi * np.arange(corners) / corners))
        if kind == "square":
            sheet.fill(_rounded(1.5 * min(1.3, _factor(rng, spread)), 1.4, 0.1 + 0.3 * rng.random()))
        if kind == "lobes":
            at = 0.75
            sheet.disc((0, 0), 0.6)
            for centre in _on_circle(around):
                sheet.disc(at * centre, 0.25)
        for radius in radii:
            sheet.circle((0, 0), radius)
        for centre in _on_circle(around):
            sheet.circle(at * centre, hole)
        for way in _on_circle(2 * np.pi * np.arange(spokes) / max(spokes, 1)):
            for aside in np.outer((-0.05, 0.05), way[::-1] * [1, -1]):
                sheet.line(0.25 * way + aside, 0.8 * way + aside)
        if keyed and len(radii):
            bore = radii[-1]
            sheet.line((-0.3 * bore, -bore), (-0.3 * bore, -1.3 * bore), (0.3 * bore, -1.3 * bore), (0.3 * bore, -bore))
        return sheet

    return draw


def _plate(rng: Rng) -> Draw:
    """A rectangle with round or sharp corners, notches, a cut corner, holes, a slot, bending lines."""
    spread, slender, rounding = rng.uniform(0.08, 0.35), rng.uniform(0.2, 1), rng.choice([0, 0, 0.08, 0.2, 0.5])
    pattern, count = rng.choice(["none", "corners", "row", "grid", "centre", "random"]), int(rng.integers(2, 6))
    size, scattered = rng.uniform(0.03, 0.12), [rng.uniform(-0.8, 0.8, 2) for _ in range(count)]
    notches = [
        (int(rng.choice(4)), rng.uniform(0.2, 0.8), rng.uniform(0.08, 0.4), rng.uniform(0.1, 0.45))
        for _ in range(rng.integers(0, 3))
    ]
    slotted, cut = rng.random() < 0.25, rng.random() < 0.25
    opening = rng.uniform(0.3, 0.7) if rng.random() < 0.35 else 0.0
    bends = [(rng.random() < 0.5, rng.uniform(-0.9, 0.9)) for _ in range(rng.integers(0, 4))]

    def draw(rng: Rng) -> _Sheet:
        sheet = _Sheet()
        height = 2 * np.clip(slender * _factor(rng, spread), 0.08, 1)
        half = np.array([1, height / 2])
        sheet.fill(_rounded(2, height, rounding * height))
        for side, along, width, deep in notches:
            width, deep = width * _factor(rng, spread), deep * _factor(rng, spread)
            at = 2 * along - 1
            notch = np.array([(at - width, 1 - deep), (at + width, 1 - deep), (at + width, 1.1), (at - width, 1.1)])
            turned = [notch, notch * [1, -1], notch[:, ::-1], notch[:, ::-1] * [-1, 1]]
            sheet.fill(turned[side] * half, 0)
        if cut:
            sheet.fill(np.array([(1.05, 1.05), (1.05, 0.6), (0.6, 1.05)]) * half, 0)
        radius = size * height * _factor(rng, spread)
        x, y = 1 - 3.7 * radius / np.array([2, height])
        row = np.linspace(-x, x, count)
        places: dict[str, Sequence[ArrayLike]] = {
            "none": [],
            "corners": [(a, b) for a in (-x, x) for b in (-y, y)],
            "row": [(a, 0) for a in row],
            "grid": [(a, b) for a in row for b in (-y, y)],
            "centre": [(0, 0)],
            "random": scattered,
        }
        for place in places[pattern]:
            sheet.circle(np.asarray(place) * half, radius)
        if opening:
            sheet.circle((0, 0), opening * height / 2 * _factor(rng, 0.6 * spread))
        if slotted:
            slot = _rounded(0.8 * _factor(rng, spread), 0.2 * height, 0.1 * height) + [0.3, 0]
            sheet.line(*slot, closed=True)
        for upright, at in bends:
            at = np.clip(at * _factor(rng, 0.15), -0.95, 0.95)
            ends = np.array([(at, -1), (at, 1)] if upright else [(-1, at), (1, at)]) * half
            sheet.line(*ends)
        return sheet

    return draw


def _section(rng: Rng) -> Draw:
    """Profiles, brackets, levers."""
    kind = rng.choice(["L", "U", "T", "I", "Z", "C", "H", "bracket", "lever"])
    spread, wall, slender = rng.uniform(0.08, 0.35), rng.uniform(0.08, 0.3), rng.uniform(0.4, 1.4)
    hole, edge = rng.random() < 0.5, rng.random() < 0.4

    def draw(rng: Rng) -> _Sheet:
        sheet = _Sheet()
        t, aspect = np.clip(wall * _factor(rng, spread), 0.05, 0.45), np.clip(slender * _factor(rng, spread), 0.3, 2)
        w, h = (1, aspect) if aspect < 1 else (1 / aspect, 1)
        if kind in ("L", "U", "C", "bracket", "H"):
            sheet.box(-w, -h, -w + 2 * t, h)
        if kind in ("L", "U", "bracket", "Z", "C", "I"):
            sheet.box(-w, h - 2 * t, w, h)
        if kind in ("U", "H"):
            sheet.box(w - 2 * t, -h, w, h)
        if kind in ("C", "Z", "T", "I"):
            sheet.box(-w, -h, w, -h + 2 * t)
        if kind in ("T", "I"):
            sheet.box(-t, -h, t, h)
        if kind == "H":
            sheet.box(-w, -t, w, t)
        if kind == "Z":
            sheet.fill([(w, -h), (w - 2 * t, -h), (-w, h), (-w + 2 * t, h)])
        if kind == "bracket":
            sheet.fill([(-w, -h + 0.3), (-w, h), (w - 0.3, h)])
        if kind == "lever":
            ends = np.minimum([0.45, 0.3] * _factor(rng, spread / 2, 2), [0.8, 0.6])
            for at, radius in zip((-0.6, 0.6), ends, strict=True):
                sheet.disc((at, 0), radius)
                sheet.circle((at, 0), radius / 2)
            a, b = 0.8 * ends
            sheet.fill([(-0.6, -a), (0.6, -b), (0.6, b), (-0.6, a)])
        elif hole:
            sheet.circle((0, 0) if kind == "Z" else (t - w, t - h), 0.4 * t)
        if edge:
            sheet.line((-w, h - 2 * t), (w, h - 2 * t))
        return sheet

    return draw


def _factor(rng: Rng, spread: float, count: int | None = None) -> Any:
    """How much larger a size is in one member than in its family; of `count` sizes, or of one."""
    return np.exp(spread * rng.normal(size=count))


def _pixels(points: ArrayLike) -> NDArray[np.int32]:
    return np.round((_CENTRE + _UNIT * np.asarray(points)) * (1 << _SHIFT)).astype(np.int32)


def _on_circle(angles: NDArray[np.floating]) -> Points:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _rounded(width: float, height: float, radius: float) -> Points:
    """(32, 2) A rectangle about 0 with rounded corners."""
    radius = min(radius, width / 2, height / 2)
    inner = np.array([width / 2 - radius, height / 2 - radius])
    quarters = [_on_circle(np.linspace(q, q + 1, 8) * np.pi / 2) for q in range(4)]
    signs = ([1, 1], [-1, 1], [-1, -1], [1, -1])
    return np.concatenate([radius * quarter + inner * sign for quarter, sign in zip(quarters, signs, strict=True)])


def _toothed(count: int, depth: float, duty: float, square: bool) -> Points:
    angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    phase = angle * count / (2 * np.pi) % 1
    radius = np.where(phase < duty, 1, 1 - depth) if square else 1 - depth * (0.5 + 0.5 * np.cos(2 * np.pi * phase))
    return radius[:, None] * _on_circle(angle)
