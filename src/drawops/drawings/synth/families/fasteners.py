"""Hexagon bolts and nuts."""

from math import cos, pi, tan

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.numbers import THREADS
from drawops.drawings.synth.view import Mark, Value, View


def hexagon(view: View, flats: float) -> None:
    """A hexagon seen along its axis, flats left and right, with the chamfer's circle."""
    r = flats / 2 / cos(pi / 6)
    corners = [(0, r), (-flats / 2, r / 2), (-flats / 2, -r / 2), (0, -r), (flats / 2, -r / 2), (flats / 2, r / 2)]
    view.polyline(corners, closed=True)
    view.circle((0, 0), flats / 2 * 0.97)
    view.centre_mark((0, 0), r)


def hexagon_side(view: View, x0: float, x1: float, flats: float, *, both: bool) -> None:
    """A hexagon prism from the side, three faces seen, chamfered towards x0 (and x1)."""
    e = flats / cos(pi / 6)
    c = (e - flats) / 2 * tan(pi / 6)
    half, quarter = e / 2, e / 4
    left = [(x0 + c, -half), (x0, -half + (e - flats) / 2), (x0, half - (e - flats) / 2), (x0 + c, half)]
    right = [(x1, half), (x1, -half)]
    if both:
        right = [(x1 - c, half), (x1, half - (e - flats) / 2), (x1, -half + (e - flats) / 2), (x1 - c, -half)]
    view.polyline([*left, *right], closed=True)
    for y in (-quarter, quarter):
        view.line((x0 + c, y), (x1 - (c if both else 0), y))
    for end, sign in ((x0, 1), (x1, -1)) if both else ((x0, 1),):
        radius = (quarter**2 + c**2) / (2 * c)  # the chamfer's arcs over the middle face
        turn = 180.0 if sign > 0 else 0.0
        span = 57.3 * quarter / radius
        view.arc((end + sign * radius, 0), radius, turn - span, turn + span)


@family
def hex_bolt(d: Draughtsman) -> Design:
    """A hexagon bolt: from the side and from the head."""
    thread = THREADS[int(d.pick(8, 10, 12, 16, 20, 24))]
    size, s, k = thread.size, thread.hexagon, thread.head
    length = max(d.whole(30, 120, 5), round(size * 3 / 5) * 5)
    full = round(2 * size + 6)
    end = thread.pitch
    view, head = View(), View()
    hexagon_side(view, -k, 0, s, both=False)
    view.polyline(
        [(0, size / 2), (length - end, size / 2), (length, size / 2 - end), (length, -size / 2 + end)]
        + [(length - end, -size / 2), (0, -size / 2)]
    )
    view.line((length - end, -size / 2), (length - end, size / 2))
    for sign in (1, -1):
        view.line((length - full, sign * thread.core / 2), (length - end / 2, sign * thread.core / 2), "thin")
    view.line((length - full, -size / 2), (length - full, size / 2))
    view.line((-k - 4, 0), (length + 4, 0), "centre")
    view.dim((-k, -s / 2), (0, -s / 2), d.plain(k), "bottom")
    view.dim((0, -size / 2), (length, -size / 2), d.value(length), "bottom")
    view.dim((length - full, size / 2), (length, size / 2), d.plain(full), "top")
    name = Value(d.thread(size, thread.pitch, tolerance="6g"), kind="thread")
    view.dim((length, -size / 2), (length, size / 2), name, "right")
    view.leader((0, size / 2), 50, d.radius(0.6 if size > 10 else 0.4))
    if d.chance(0.5):
        view.leader((length * 0.3, size / 2), 65, f"⌀{d.style.number(size)}h13", frame=d.gdt("⊥", 0.1, "A"))
        view.marks.append(Mark("datum", (-k / 2, s / cos(pi / 6) / 2), 90, "A"))
    hexagon(head, s)
    head.dim(
        (-s / 2, 0), (s / 2, 0), Value(d.style.number(s), "0", f"-{d.style.number(0.27 if s > 18 else 0.22)}"), "bottom"
    )
    e = s / cos(pi / 6)
    head.dim((0, -e / 2), (0, e / 2), Value("(" + d.style.number(e, 1) + ")"), "right")
    solid = s * s * 0.866 * k + pi / 4 * size**2 * length
    note = d.style.say(
        f"PROPERTY CLASS {d.rng.choice(('8.8', '10.9', '12.9'))}.",
        f"性能等级{d.rng.choice(('8.8', '10.9', '12.9'))}级。",
    )
    return Design({(0, 0): view, (0, 1): head}, solid, notes=[note])


@family
def hex_nut(d: Draughtsman) -> Design:
    """A hexagon nut, with a flange at times."""
    thread = THREADS[int(d.pick(10, 12, 16, 20, 24, 30))]
    size, s = thread.size, thread.hexagon
    m = thread.nut if d.chance(0.6) else round(size * 0.6)
    side, face = View(), View()
    hexagon_side(side, 0, m, s, both=True)
    for sign in (1, -1):
        side.line((0, sign * size / 2), (m, sign * size / 2), "hidden")
        side.line((0, sign * thread.core / 2), (m, sign * thread.core / 2), "hidden")
    side.line((-4, 0), (m + 4, 0), "centre")
    flange = d.chance(0.4)
    reach = 0.0
    if flange:
        wide, reach = round(s * d.pick(1.25, 1.35)), d.pick(2, 3, 4)
        side.rectangle(m, -wide / 2, m + reach, wide / 2)
        side.dim((m + reach, -wide / 2), (m + reach, wide / 2), d.value(wide, "⌀"), "right")
        side.dim((m, wide / 2), (m + reach, wide / 2), d.plain(reach), "top")
        face.circle((0, 0), wide / 2)
    side.dim((0, -s / 2), (m + reach, -s / 2), d.value(m + reach, p=0.6), "bottom")
    side.leader((0, thread.core / 2), 150, "C1" if size < 20 else "C1.5")
    hexagon(face, s)
    face.circle((0, 0), thread.core / 2)
    face.arc((0, 0), size / 2, 100, 370, "thin")
    e = s / cos(pi / 6)
    face.dim((-s / 2, -e / 4), (s / 2, -e / 4), Value(d.style.number(s), "0", f"-{d.style.number(0.33)}"), "bottom")
    face.dim((0, -e / 2), (0, e / 2), Value("(" + d.style.number(e, 1) + ")"), "right")
    at = size / 2 * 0.7071
    face.leader((at, at), 45, d.thread(size, thread.pitch), kind="thread")
    if d.chance(0.6):
        side.marks.append(Mark("datum", (0, -s * 0.4), 180, "A"))
        side.leader((m * 0.5, e / 2), 80, frame=d.gdt("⊥", d.pick(0.1, 0.2), "A"))
    side.marks.append(Mark("finish", (m * 0.5, e / 2), 90, d.roughness(3.2, 6.3)))
    solid = (s * s * 0.866 - pi / 4 * size**2) * m
    return Design({(0, 0): side, (0, 1): face}, solid)
