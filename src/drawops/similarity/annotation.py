"""What stands on a drawing beside the part, told by its look: for scans in which every line has the same weight."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from drawops.similarity.masks import Mask, binary, block

Grey = NDArray[np.uint8]
Rows = NDArray[np.floating]

_INK = 100  # darkness
_BOX = 7  # pixels over which the width of a line is measured
_SIZES = 2, 4  # line widths: heads are looked for in two sizes
_THICKER, _SURELY = 1.25, 1.5  # than its line is a head, at least
_TAPER = 0.1, 0.2  # of a line's width, likewise
_LINE = 1.4, 1.2  # widths of a line: what goes on behind a head, at most
_DIRECTIONS = 64
_TURNS = np.exp(2j * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS)
_RINGS = np.arange(4)  # pixels: the circles around a head on which its lines are looked at lie so far apart
_OPPOSITE = -0.86  # cosine
_ALONG = 0.97  # cosine: how straight the way is between two heads of one line
_HATCH = 11  # pixels that a line of a hatching is long, at least
_BENT, _BENT_UP_TO = 0.09, 100  # of its length, up to that length, the rise of an arc
_EDGE = 15  # pixels of an edge, level or upright, at which it ends
_PITCH = 60  # of the longer side: the widest hatching
_INKED = 0.5  # of that way: the rest may be a text


def cut_at_arrows(lines: Mask, darkness: Grey) -> Mask:
    """Lines (H, W), without letters, cut at the heads of arrows.

    What dimension and extension lines close beside a part is open then.

    Args:
        darkness: of the same sheet, in the same or a finer resolution: heads are small.
    """
    bare = lines.copy()
    finer = darkness.shape[0] / lines.shape[0]
    left, top, width, height = cv2.boundingRect(bare)
    window = (
        slice(round(top * finer), round((top + height) * finer)),
        slice(round(left * finer), round((left + width) * finer)),
    )
    for x, y, thick in dimension_cuts(darkness[window], bare[top : top + height, left : left + width]):
        centre = round(left + x / finer), round(top + y / finer)
        cv2.circle(bare, centre, round(thick / finer / 2 + 2), 0, cv2.FILLED)
    return bare


def dimension_cuts(darkness: Grey, lines: Mask) -> Iterator[tuple[float, float, float]]:
    """x, y and width of where dimension lines may be cut without touching what they measure: at the heads of arrows, and
    midway between heads that point at each other.

    Args:
        darkness: (H, W), 0 paper to 255 ink. lines: where heads are looked for, (h, w) of the same or lower resolution.
    """
    around = cv2.dilate(cv2.resize(lines, darkness.shape[::-1], interpolation=cv2.INTER_NEAREST), block(3))
    darkness = darkness & around
    inked = darkness > _INK
    if not inked.any():
        return
    width = float(np.median(cv2.blur(darkness, (_BOX, _BOX))[inked])) * _BOX / 255
    closed = cv2.morphologyEx(darkness, cv2.MORPH_CLOSE, block(3))  # a head may be two strokes
    heads = np.concatenate([_heads(closed, width, round(size * width) + 1) for size in _SIZES])
    sure = heads[:, 5] > 0
    for one, other, facing in _pairs(heads, darkness):
        sure[[one, other]] = True
        if facing:
            yield *heads[[one, other], :2].mean(axis=0), width
    yield from heads[sure, :3].tolist()


def _heads(darkness: Grey, width: float, side: int) -> Rows:
    """(N, 6) Of what may be heads about `side` pixels wide, of arrows whose lines have this width: x and y of where they are
    widest, their width there, the direction (x, y) in which they point, and 1 for those that are surely heads.

    A head is wider than a line; a line goes on at two opposite sides of it; on one of them it tapers.
    """
    dense = cv2.blur(darkness, (side, side))
    peak = (dense == cv2.dilate(dense, block(side))) & (dense > _THICKER * 255 * width / side) & (darkness > _INK)
    _, _, stats, centres = cv2.connectedComponentsWithStats(peak.view(np.uint8))
    short = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1) <= side  # the others are lines
    x, y = np.rint(centres[short]).astype(int).T
    near, far = _around(darkness, x, y, side / 2), _around(darkness, x, y, side)
    two = np.flatnonzero((_sides(near) == 2) & (_sides(far) == 2))
    found = []
    for i in two:
        one, other = (direction / abs(direction) for direction in _directions(far[i]))
        if (one / other).real > _OPPOSITE:
            continue
        for tip, back in ((one, other), (other, one)):
            ahead, behind = (
                _thickness(near[i], tip, side / 2, 0.75) / width,
                _thickness(far[i], back, side, 0.87) / width,
            )
            thick = float(dense[y[i], x[i]]) * side / 255
            tests = [
                thick > thicker * width and ahead - behind > taper and behind < line
                for thicker, taper, line in zip((_THICKER, _SURELY), _TAPER, _LINE, strict=True)
            ]
            if tests[0] and ahead > _thickness(far[i], tip, side, 0.87) / width:
                found.append((x[i], y[i], thick, tip.real, tip.imag, tests[1]))
    return np.array(found, float).reshape(-1, 6)


def _pairs(heads: Rows, darkness: Grey) -> Iterator[tuple[int, int, bool]]:
    """Two heads at the ends of one line, by their numbers, and whether they point at each other."""
    places, tips = heads[:, 0] + 1j * heads[:, 1], heads[:, 3] + 1j * heads[:, 4]
    way = places[None] - places[:, None]
    length = np.abs(way)
    along = (way / np.maximum(length, 1) / tips[:, None]).real  # 1: towards the other
    straight = (np.abs(along) > _ALONG) & (np.abs(along.T) > _ALONG) & (along * along.T > 0)
    thick = cv2.dilate(darkness, block(3))
    for one, other in np.argwhere(np.triu(straight & (length > 2 * heads[:, 2]))):
        at = places[one] + way[one, other] * np.linspace(0, 1, 64)
        if (thick[np.rint(at.imag).astype(int), np.rint(at.real).astype(int)] > _INK).mean() > _INKED:
            yield int(one), int(other), bool(along[one, other] > 0)


def _around(darkness: Grey, x: NDArray[np.intp], y: NDArray[np.intp], radius: float) -> Grey:
    """(N, rings, directions) The darkness on circles around points."""
    circles = (radius + _RINGS)[:, None] * _TURNS
    column = np.rint(x[:, None, None] + circles.real).astype(int).clip(0, darkness.shape[1] - 1)
    row = np.rint(y[:, None, None] + circles.imag).astype(int).clip(0, darkness.shape[0] - 1)
    return darkness[row, column]


def _inked(rings: Grey) -> NDArray[np.bool_]:
    """(…, directions) where lines go out; single gaps are closed."""
    out = (rings > _INK).sum(axis=-2) > len(_RINGS) / 2
    return out | np.roll(out, 1, axis=-1) & np.roll(out, -1, axis=-1)


def _sides(rings: Grey) -> NDArray[np.intp]:
    """(N,) How many lines go out."""
    out = _inked(rings)
    return (out & ~np.roll(out, 1, axis=1)).sum(axis=1)


def _directions(rings: Grey) -> list[complex]:
    """Of the lines that go out, not of unit length."""
    out = _inked(rings)
    first = int(np.argmin(out))
    out, turns = np.roll(out, -first), np.roll(_TURNS, -first)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], out, [0]]).astype(np.int8)))
    return [complex(turns[start:end].sum()) for start, end in edges.reshape(-1, 2)]


def _thickness(rings: Grey, direction: complex, radius: float, within: float) -> float:
    """Pixels, of the line that goes out there, seen `within` an angle (its cosine)."""
    arc = (radius + _RINGS) * (2 * np.pi / _DIRECTIONS * (1 / 255))
    return float((rings[:, (_TURNS / direction).real > within].sum(axis=1) * arc).mean())


def hatching(lines: Mask) -> Mask:
    """Lines at 45 degrees that stand side by side."""
    pitch = max(lines.shape) // _PITCH
    found = np.zeros_like(lines)
    for diagonal in (np.eye(_HATCH, dtype=np.uint8), np.eye(_HATCH, dtype=np.uint8)[::-1]):
        slanted = _straight(cv2.morphologyEx(lines, cv2.MORPH_OPEN, diagonal))
        area = cv2.morphologyEx(slanted, cv2.MORPH_CLOSE, block(pitch))
        area = cv2.morphologyEx(area, cv2.MORPH_OPEN, block(pitch))
        found |= cv2.dilate(slanted, block(3)) & area
    edges = [cv2.morphologyEx(lines, cv2.MORPH_OPEN, np.ones(side, np.uint8)) for side in ((1, _EDGE), (_EDGE, 1))]
    return found & lines & ~(edges[0] | edges[1])


def _straight(slanted: Mask) -> Mask:
    """Without pieces that bend: circles within each other run side by side too."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(slanted)
    bent = np.zeros(len(stats), bool)
    for label, (left, top, w, h, _) in enumerate(stats[1:].tolist(), start=1):
        if max(w, h) < 2 * _HATCH:
            continue  # of so short a piece nothing is known
        y, x = np.nonzero(labels[top : top + h, left : left + w] == label)
        along, aside = sorted((x + y, x - y), key=np.ptp, reverse=True)
        length = np.ptp(along)
        bend = np.polyfit(along - along.mean(), aside, 2)[0] * (length / 2) ** 2
        bent[label] = abs(bend) > _BENT * min(length, _BENT_UP_TO)
    return slanted & ~binary(bent)[labels]


def without_small_pieces(ink: Mask, largest: int) -> Mask:
    """Ink without pieces no side of which is larger than `largest` pixels: letters, dashes."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink)
    small = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1) <= largest
    small[0] = False
    return ink & ~binary(small)[labels]
