"""Turned parts: outlines given as (x, radius) along the axis, seen from the side or cut along the axis."""

from collections.abc import Sequence
from math import asin, degrees, sqrt

from drawops.drawings.synth.numbers import Key
from drawops.drawings.synth.scene import LineType, Point
from drawops.drawings.synth.view import View

Profile = Sequence[Point]
"""Points (x, radius) from left to right; both ends lie at the end faces."""


def mirror(profile: Profile) -> list[Point]:
    return [(x, -r) for x, r in profile]


def outside(view: View, profile: Profile, line: LineType = "visible") -> None:
    """The silhouette with the edges that a step or a chamfer makes."""
    view.polyline([*profile, *reversed(mirror(profile))], line, closed=True)
    for (x, r), (px, pr), (nx, nr) in zip(profile[1:-1], profile, profile[2:], strict=False):
        if nx == x and nr < r or px == x and pr < r or (nx > x and px < x and (nr != r or pr != r)):
            view.line((x, -r), (x, r), line)
    axis(view, profile)


def section(
    view: View,
    outer: Profile,
    inner: Profile | None = None,
    voids: Sequence[Sequence[Point]] = (),
    keyway: Sequence[Point] = (),
) -> None:
    """A full section: both halves hatched between the outer and the inner outline, inner edges seen.

    `voids` are rings of the upper half that are not cut, nor their mirror images: bolt holes, teeth. `keyway` is one
    that is in the upper half only.
    """
    inner = list(inner or ())
    for sign in (1, -1):
        ring = [(x, sign * r) for x, r in (*outer, *reversed(inner or [(outer[0][0], 0.0), (outer[-1][0], 0.0)]))]
        view.polyline(ring if inner else [(x, sign * r) for x, r in outer], "visible", closed=bool(inner))
        holes = [[(x, sign * y) for x, y in void] for void in voids]
        view.hatch(ring, [*holes, list(keyway)] if keyway and sign > 0 else holes)
    ends = (inner[0], inner[-1]) if inner else (outer[0], outer[-1])
    for x, r in ends:
        view.line((x, -r), (x, r))
    for (px, pr), (x, r), (nx, nr) in zip(inner, inner[1:], inner[2:], strict=False):
        if (px == x and pr < r) or (nx == x and nr < r) or (px < x < nx and pr != nr):
            view.line((x, -r), (x, r))
    axis(view, outer)


def hub_bore(view: View, bore: float, key: Key) -> None:
    """A bore with its keyway at the top, seen along the axis."""
    half, top = key.width / 2, bore / 2 + key.hub
    angle = degrees(asin(half / (bore / 2)))
    view.arc((0, 0), bore / 2, 90 + angle, 450 - angle)
    foot = sqrt((bore / 2) ** 2 - half**2)
    view.polyline([(-half, foot), (-half, top), (half, top), (half, foot)])


def axis(view: View, profile: Profile) -> None:
    reach = 0.04 * (profile[-1][0] - profile[0][0]) + 2.0
    view.line((profile[0][0] - reach, 0.0), (profile[-1][0] + reach, 0.0), "centre")


def steps(
    diameters: Sequence[float], lengths: Sequence[float], chamfer: float = 0.0, start: float = 0.0
) -> list[Point]:
    """A stepped outline with a chamfer at both ends, from `start` to the right."""
    points: list[Point] = []
    x = start
    for i, (d, length) in enumerate(zip(diameters, lengths, strict=True)):
        r = d / 2
        first, last = i == 0, i == len(diameters) - 1
        if first and chamfer:
            points += [(x, r - chamfer), (x + chamfer, r)]
        else:
            points.append((x, r))
        x += length
        if last and chamfer:
            points += [(x - chamfer, r), (x, r - chamfer)]
        else:
            points.append((x, r))
    return points


def volume(profile: Profile) -> float:
    """Of the solid of revolution, mm³ (sum of frustums)."""
    total = 0.0
    for (x0, r0), (x1, r1) in zip(profile, profile[1:], strict=False):
        total += 3.14159265 / 3 * (x1 - x0) * (r0 * r0 + r0 * r1 + r1 * r1)
    return total
