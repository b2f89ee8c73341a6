"""Turned parts: outlines given as (x, radius) along the axis, seen from the side or cut along the axis."""

from collections.abc import Sequence

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


def section(view: View, outer: Profile, inner: Profile | None) -> None:
    """A full section: both halves hatched between the outer and the inner outline, inner edges seen."""
    inner = list(inner) if inner else []
    for sign in (1, -1):
        out = [(x, sign * r) for x, r in outer]
        if inner:
            ring = [*out, *[(x, sign * r) for x, r in reversed(inner)]]
            view.polyline(ring, "visible", closed=True)
            view.hatch(ring)
    if inner:
        view.line((inner[0][0], -inner[0][1]), (inner[0][0], inner[0][1]))
        view.line((inner[-1][0], -inner[-1][1]), (inner[-1][0], inner[-1][1]))
        for (x, r), (nx, _) in zip(inner[1:-1], inner[2:], strict=False):
            if r > 0 and nx >= x:
                view.line((x, -r), (x, r))
    else:
        ring = [*outer, *reversed(mirror(outer))]
        view.polyline(ring, "visible", closed=True)
        view.hatch(ring)
    axis(view, outer)


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
