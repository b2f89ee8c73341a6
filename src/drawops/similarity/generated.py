"""Families of made-up shapes, to fit the embedding on. A family is a recipe; its members differ by jitter, by elastic
distortion, and by turn and mirroring, which must not count."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.similarity.masks import Mask
from drawops.similarity.views import View

_SIDE = 256
_CENTRE = np.array([_SIDE / 2, _SIDE / 2])
_UNIT = 0.38 * _SIDE

Rng = np.random.Generator
Draw = Callable[[Rng, Mask], None]


def generated_views(families: int, members: int, *, seed: int) -> tuple[list[View], NDArray[np.int64]]:
    """`families` x `members` views and the number of the family of each."""
    views = members_of(_family, families, members, np.random.default_rng(seed))
    return views, np.repeat(np.arange(families), members)


def members_of(family: Callable[[Rng], Callable[[], View | None]], families: int, members: int, rng: Rng) -> list[View]:
    """Of each of so many families so many views, one after the other."""
    views: list[View] = []
    while len(views) < families * members:
        member = family(rng)
        tries = (member() for _ in range(2 * members))
        drawn = [view for view in tries if view is not None][:members]
        if len(drawn) == members:  # else it falls apart too often
            views += drawn
    return views


def _family(rng: Rng) -> Callable[[], View | None]:
    recipe = [_blob, _polygon, _limbs, _limbs, _parts, _gear, _star, _profile][rng.integers(8)]
    jitter = rng.uniform(0.4, 1.4)
    draw, aspect = recipe(rng, jitter), rng.uniform(0.6, 1)
    marks = _marks(rng)

    def member() -> View | None:
        canvas = np.zeros((_SIDE, _SIDE), np.uint8)
        draw(rng, canvas)
        lines = np.zeros_like(canvas)
        marks(rng, lines)
        return view_of(*_distorted(rng, canvas, lines, aspect, jitter))

    return member


def distorted(view: View, rng: Rng) -> View | None:
    """The view turned, perhaps mirrored, and bent a little, as another hand would draw it; None where it fell apart."""
    scale = 0.76 * _SIDE / max(view.silhouette.shape)
    size = tuple(max(1, round(scale * side)) for side in view.silhouette.shape[::-1])
    canvases = []
    for mask in (view.silhouette, view.lines):
        canvas = np.zeros((_SIDE, _SIDE), np.uint8)
        top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
        small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        canvas[top : top + size[1], left : left + size[0]] = (small > 32).astype(np.uint8) * 255
        canvases.append(canvas)
    return view_of(*_distorted(rng, canvases[0], canvases[1], 1.0, rng.uniform(0.2, 0.8)))


def _distorted(rng: Rng, shape: Mask, lines: Mask, aspect: float, jitter: float) -> tuple[Mask, Mask]:
    """Stretched, sheared, turned, perhaps mirrored, and wobbled: the same for both."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.array([[1, 0.1 * jitter * rng.normal()], [0, aspect * np.exp(0.12 * jitter * rng.normal())]])
    matrix = 0.9 * turn @ np.diag([rng.choice([-1, 1]), 1]) @ stretch
    affine = np.c_[matrix, _CENTRE - matrix @ _CENTRE]
    grain = rng.choice([8, 16, 30])
    height = rng.uniform(0, 0.35) * grain * jitter * 0.6
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    waves = [cv2.GaussianBlur(rng.normal(size=(_SIDE, _SIDE)).astype(np.float32), (0, 0), grain) for _ in range(2)]
    to_x, to_y = (axis + wave / wave.std() * np.float32(height) for axis, wave in zip((x, y), waves, strict=True))
    warped = []
    for mask in (shape, lines):
        mask = cv2.remap(cv2.warpAffine(mask, affine, (_SIDE, _SIDE)), to_x, to_y, cv2.INTER_LINEAR)
        warped.append((mask > 127).astype(np.uint8) * 255)
    return warped[0], warped[1]


def view_of(shape: Mask, lines: Mask) -> View | None:
    """The largest piece of a shape with the lines within it; None where it is too small."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(shape)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, width, height, area = (int(v) for v in stats[largest])
    if area < 300:
        return None
    window = (slice(y, y + height), slice(x, x + width))
    part = (labels[window] == largest).astype(np.uint8) * 255
    return View((x, y, x + width, y + height), part, lines[window] & part)


def _fill(canvas: Mask, points: NDArray[np.floating], value: int = 255) -> None:
    cv2.fillPoly(canvas, [np.round(points * 16).astype(np.int32)], value, shift=4)


def _blob(rng: Rng, jitter: float) -> Draw:
    """A closed wave around a point."""
    count = int(rng.integers(3, 14))
    order = np.arange(1, count + 1)
    heights = rng.normal(size=(2, count)) * rng.uniform(0.15, 0.5, (2, 1)) / order ** rng.uniform(0.5, 1.3)
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)

    def draw(rng: Rng, canvas: Mask) -> None:
        cosine, sine = heights * (1 + 0.15 * jitter * rng.normal(size=heights.shape))
        radius = 1 + cosine @ np.cos(order[:, None] * angle) + sine @ np.sin(order[:, None] * angle)
        radius = np.maximum(radius, 0.12)
        _fill(canvas, _polar(angle, radius / radius.max()))

    return draw


def _polygon(rng: Rng, jitter: float) -> Draw:
    count = int(rng.integers(3, 11))
    corners = _polar(np.sort(rng.uniform(0, 2 * np.pi, count)), rng.uniform(0.3, 1, count))

    def draw(rng: Rng, canvas: Mask) -> None:
        _fill(canvas, corners + 0.05 * jitter * _UNIT * rng.normal(size=corners.shape))

    return draw


def _limbs(rng: Rng, jitter: float) -> Draw:
    """A body with jointed limbs, half of the time in pairs."""
    body = np.array([rng.uniform(0.15, 0.5), rng.uniform(0.1, 0.35)])
    paired = rng.random() < 0.5
    limbs = []
    for _ in range(rng.integers(2, 8)):
        start = rng.uniform(0, 2 * np.pi)
        bones = [
            (rng.uniform(0.1, 0.4), 0.6 * rng.normal(), rng.uniform(0.02, 0.12)) for _ in range(rng.integers(1, 4))
        ]
        limbs.append((start, bones))
        if paired:
            limbs.append((-start, [(length, -bend, width) for length, bend, width in bones]))

    def draw(rng: Rng, canvas: Mask) -> None:
        a, b = body * (1 + 0.12 * jitter * rng.normal(size=2))
        _fill(canvas, _ellipse(_CENTRE, abs(a) * _UNIT, abs(b) * _UNIT, 0))
        for start, bones in limbs:
            angle = start + 0.1 * jitter * rng.normal()
            at = _CENTRE + 0.8 * _UNIT * np.array([a * np.cos(angle), b * np.sin(angle)])
            for length, bend, width in bones:
                angle += bend + 0.18 * jitter * rng.normal()
                end = at + 1.4 * _UNIT * length * (1 + 0.15 * jitter * rng.normal()) * _direction(angle)
                thick = max(1, int(width * (1 + 0.1 * jitter * rng.normal()) * _UNIT))
                cv2.line(canvas, _pixel(at), _pixel(end), 255, 2 * thick)
                cv2.circle(canvas, _pixel(end), thick, 255, cv2.FILLED)
                at = end

    return draw


def _parts(rng: Rng, jitter: float) -> Draw:
    """Ellipses and rectangles put together, some cut out."""
    pieces = [
        (
            rng.random() < 0.5,
            0.3 * rng.normal(size=2),
            np.array([rng.uniform(0.08, 0.5), rng.uniform(0.08, 0.4)]),
            rng.uniform(0, np.pi) if rng.random() < 0.4 else 0.0,
            0 if rng.random() < 0.25 else 255,
        )
        for _ in range(rng.integers(2, 7))
    ]

    def draw(rng: Rng, canvas: Mask) -> None:
        for is_round, offset, half, angle, value in pieces:
            at = _CENTRE + _UNIT * (offset + 0.03 * jitter * rng.normal(size=2))
            a, b = np.abs(half * (1 + 0.1 * jitter * rng.normal(size=2))) * _UNIT
            if is_round:
                _fill(canvas, _ellipse(at, a, b, angle), value)
            else:
                corners = np.array([[-a, -b], [a, -b], [a, b], [-a, b]])
                _fill(canvas, corners @ np.array([_direction(angle), _direction(angle + np.pi / 2)]) + at, value)

    return draw


def _gear(rng: Rng, jitter: float) -> Draw:
    teeth, depth, duty = int(rng.integers(3, 16)), rng.uniform(0.08, 0.6), rng.uniform(0.25, 0.75)
    hole = rng.uniform(0.1, 0.4) if rng.random() < 0.4 else 0.0
    square = rng.random() < 0.5
    angle = np.linspace(0, 2 * np.pi, 480, endpoint=False)
    phase = angle * teeth / (2 * np.pi) % 1

    def draw(rng: Rng, canvas: Mask) -> None:
        d = np.clip(depth * (1 + 0.12 * jitter * rng.normal()), 0.03, 0.8)
        share = np.clip(duty + 0.05 * jitter * rng.normal(), 0.15, 0.85)
        if square:
            radius = np.where(phase < share, 1, 1 - d)
        else:
            radius = 1 - d * (1 - np.sin(np.pi * np.clip(phase / share, 0, 1)))
        _fill(canvas, _polar(angle, radius))
        if hole:
            cv2.circle(canvas, _pixel(_CENTRE), int(hole * (1 - d) * _UNIT), 0, cv2.FILLED)

    return draw


def _star(rng: Rng, jitter: float) -> Draw:
    count, waist, tip = int(rng.integers(3, 10)), rng.uniform(0.15, 0.7), rng.uniform(0, 0.4)
    half = tip * np.pi / count
    angle = (2 * np.pi * np.arange(count)[:, None] / count + [-half, half, np.pi / count]).ravel()

    def draw(rng: Rng, canvas: Mask) -> None:
        inner = np.clip(waist * (1 + 0.1 * jitter * rng.normal(size=count)), 0.05, 0.9)
        radius = np.stack([np.ones(count), np.ones(count), inner], axis=1).ravel()
        _fill(canvas, _polar(angle, radius * (1 + 0.03 * jitter * rng.normal(size=3 * count))))

    return draw


def _profile(rng: Rng, jitter: float) -> Draw:
    """Symmetric about an axis, stepped or curved: a turned part, a bottle."""
    count = int(rng.integers(3, 9))
    along = np.concatenate([[0.0], np.cumsum(rng.uniform(0.1, 1, count))])
    along /= along[-1]
    heights, stepped = rng.uniform(0.05, 0.5, count + 1), rng.random() < 0.6

    def draw(rng: Rng, canvas: Mask) -> None:
        h = np.abs(heights * (1 + 0.12 * jitter * rng.normal(size=count + 1)))
        if stepped:
            x, y = np.repeat(along, 2)[1:-1], np.repeat(h[:-1], 2)
        else:
            x = np.linspace(0, 1, 60)
            y = np.convolve(np.pad(np.interp(x, along, h), 5, "edge"), np.ones(11) / 11, "valid")
        upper, lower = np.stack([x - 0.5, y], axis=1), np.stack([x - 0.5, -y], axis=1)
        _fill(canvas, _CENTRE + 2 * _UNIT * np.concatenate([upper, lower[::-1]]))

    return draw


def _marks(rng: Rng) -> Draw:
    """Circles and lines within the shape, as holes and edges are drawn; none for half of the families."""
    circles = [(0.4 * rng.normal(size=2), rng.uniform(0.05, 0.4)) for _ in range(rng.integers(0, 5))]
    strokes = [0.4 * rng.normal(size=(2, 2)) for _ in range(rng.integers(0, 4))]
    if rng.random() < 0.5:
        circles, strokes = [], []

    def draw(rng: Rng, canvas: Mask) -> None:
        for offset, radius in circles:
            at = _CENTRE + _UNIT * (offset + 0.03 * rng.normal(size=2))
            cv2.circle(canvas, _pixel(at), max(3, int(radius * _UNIT)), 255, 3)
        for ends in strokes:
            start, end = _CENTRE + _UNIT * (ends + 0.03 * rng.normal(size=(2, 2)))
            cv2.line(canvas, _pixel(start), _pixel(end), 255, 3)

    return draw


def _polar(angle: NDArray[np.floating], radius: NDArray[np.floating]) -> NDArray[np.floating]:
    return _CENTRE + _UNIT * np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _ellipse(centre: NDArray[np.floating], a: float, b: float, angle: float) -> NDArray[np.floating]:
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return centre + np.outer(a * np.cos(t), _direction(angle)) + np.outer(b * np.sin(t), _direction(angle + np.pi / 2))


def _direction(angle: float) -> NDArray[np.floating]:
    return np.array([np.cos(angle), np.sin(angle)])


def _pixel(point: NDArray[np.floating]) -> tuple[int, int]:
    return int(point[0]), int(point[1])
