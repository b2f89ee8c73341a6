"""Flat parts: plates and levers."""

from math import acos, cos, degrees, pi, radians, sin

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.numbers import THREADS
from drawops.drawings.synth.view import Angular, Cut, Mark, Value, View
from drawops.drawings.synth.wording import LIGHT, STEELS


def rounded(view: View, x0: float, y0: float, x1: float, y1: float, r: float) -> None:
    """A rectangle with round corners (r = 0: sharp)."""
    if r <= 0:
        view.rectangle(x0, y0, x1, y1)
        return
    view.line((x0 + r, y0), (x1 - r, y0))
    view.line((x1, y0 + r), (x1, y1 - r))
    view.line((x1 - r, y1), (x0 + r, y1))
    view.line((x0, y1 - r), (x0, y0 + r))
    view.arc((x1 - r, y0 + r), r, 270, 360)
    view.arc((x1 - r, y1 - r), r, 0, 90)
    view.arc((x0 + r, y1 - r), r, 90, 180)
    view.arc((x0 + r, y0 + r), r, 180, 270)


def hidden_hole(view: View, x: float, low: float, high: float, diameter: float) -> None:
    """A drilled hole from the side, standing upright."""
    for sign in (1, -1):
        view.line((x + sign * diameter / 2, low), (x + sign * diameter / 2, high), "hidden")
    view.line((x, low - 2), (x, high + 2), "centre")


@family
def base_plate(d: Draughtsman) -> Design:
    """A plate with counterbored corner holes, a centre bore and tapped holes; section through the middle."""
    long, wide, t = d.whole(80, 180, 10), d.whole(60, 120, 10), d.pick(12, 15, 16, 18, 20)
    big = THREADS[int(d.pick(6, 8, 10))]
    edge = round(big.bore / 2 + d.pick(4, 5, 6))
    small = THREADS[int(d.pick(5, 6, 8))]
    bore = d.pick(20, 25, 30, 35, 40)
    while bore > wide - 2 * edge - big.bore:
        bore -= 5
    r = d.pick(0, 5, 8, 10)
    top, cut = View(), View(title="A-A")
    x, y = long / 2, wide / 2
    rounded(top, -x, -y, x, y, r)
    for sx in (-1, 1):
        for sy in (-1, 1):
            centre = sx * (x - edge), sy * (y - edge)
            top.hole(centre, big.bore / 2)
            top.circle(centre, big.clearance / 2)
    top.hole((0, 0), bore / 2)
    pitch = round((long / 2 - edge + bore / 2) / 2) * 2
    for sx in (-1, 1):
        top.thread((sx * pitch / 2, 0), small.size, small.core)
    top.line((-x - 4, 0), (x + 4, 0), "centre")
    top.dim((-x, -y), (x, -y), d.value(long), "bottom")
    top.dim((-x + edge, -y + edge), (x - edge, -y + edge), d.value(long - 2 * edge, p=0.5), "bottom")
    top.dim((-x, -y), (-x, y), d.value(wide), "left")
    top.dim((-x + edge, -y + edge), (-x + edge, y - edge), d.value(wide - 2 * edge, p=0.5), "left")
    top.dim((-pitch / 2, 0), (pitch / 2, 0), Value(f"{d.style.number(pitch)}±{d.style.number(0.05)}"), "top")
    k = 0.7071
    cx, cy = x - edge, y - edge
    depth = f"⌴⌀{d.style.number(big.bore)}{d.depth(big.bore_depth)}"
    frame = d.gdt("⌖", d.pick(0.1, 0.2), "A", round_zone=True) if d.chance(0.6) else ()
    top.leader((cx + big.bore / 2 * k, cy + big.bore / 2 * k), 40, d.dia(big.clearance, 4), depth, frame=frame)
    tapped = pitch / 2
    top.leader(
        (tapped + small.size / 2 * k, -small.size / 2 * k), 320, d.thread(small.size, small.pitch, 2), kind="thread"
    )
    if r:
        top.leader((-x + r * (1 - k), y - r * (1 - k)), 135, d.radius(r, 4))
    top.cuts.append(Cut((-x, 0), (x, 0), 90.0, "A"))
    cut.rectangle(-x, 0, x, t)
    ring = [(-x, 0.0), (x, 0.0), (x, float(t)), (-x, float(t))]
    voids = []
    for middle, hole in ((0.0, bore), (-tapped, small.core), (tapped, small.core)):
        for sign in (1, -1):
            cut.line((middle + sign * hole / 2, 0), (middle + sign * hole / 2, t))
            if hole == small.core:
                cut.line((middle + sign * small.size / 2, 0), (middle + sign * small.size / 2, t), "thin")
        cut.line((middle, -3), (middle, t + 3), "centre")
        voids.append(
            [
                (middle - hole / 2, -1.0),
                (middle + hole / 2, -1.0),
                (middle + hole / 2, t + 1.0),
                (middle - hole / 2, t + 1.0),
            ]
        )
    cut.hatch(ring, voids)
    cut.dim((x, 0), (x, t), d.value(t, p=0.6), "right")
    cut.dim((-bore / 2, 0), (bore / 2, 0), d.fit(bore, "H7"), "bottom")
    cut.marks.append(Mark("finish", (-x * 0.75, t), 90, d.roughness(1.6, 3.2)))
    cut.marks.append(Mark("datum", (x * 0.7, 0), 270, "A"))
    cut.leader((x * 0.62, t), 60, frame=d.gdt("∥", d.pick(0.02, 0.05), "A") if d.chance(0.5) else d.gdt("⏥", 0.05))
    solid = long * wide * t - pi / 4 * t * (bore**2 + 4 * big.clearance**2 + 2 * small.core**2)
    return Design({(0, 0): cut, (1, 0): top}, solid, (*STEELS[3:5], STEELS[0], *LIGHT), rest_finish=d.rest())


@family
def slotted_plate(d: Draughtsman) -> Design:
    """A thin plate with adjusting slots and a row of holes."""
    long, wide, t = d.whole(90, 200, 10), d.whole(40, 80, 5), d.pick(3, 4, 5, 6, 8)
    thread = THREADS[int(d.pick(5, 6, 8))]
    slot = round(thread.clearance + 0.4, 0)
    run = d.whole(20, 45, 5)
    edge = round(slot + d.pick(4, 6, 8))
    r = d.pick(0, 3, 5, 10)
    face, side = View(), View()
    x, y = long / 2, wide / 2
    rounded(face, -x, -y, x, y, r)
    upright = d.chance(0.35) and wide > run + 14
    sx = x - edge - (0 if upright else run / 2 - slot / 2)
    for sign in (-1, 1):
        face.slot((sign * sx, 0), run, slot, 90 if upright else 0)
        face.line(
            (sign * sx - (slot if upright else run / 2 + 3), 0),
            (sign * sx + (slot if upright else run / 2 + 3), 0),
            "centre",
        )
        for off in (0,) if upright else (-(run - slot) / 2, (run - slot) / 2):
            reach = run / 2 + 3 if upright else slot / 2 + 3
            face.line((sign * sx + off, -reach), (sign * sx + off, reach), "centre")
    face.dim((-sx, 0), (sx, 0), d.value(2 * sx, p=0.5), "bottom")
    face.dim((-x, -y), (x, -y), d.value(long), "bottom")
    face.dim((-x, -y), (-x, y), d.value(wide), "left")
    if upright:
        face.dim((sx, -run / 2 + slot / 2), (sx, run / 2 - slot / 2), d.plain(run - slot), "right")
    else:
        face.dim((sx - (run - slot) / 2, 0), (sx + (run - slot) / 2, 0), d.plain(run - slot), "top")
    at = (-sx - slot / 2, run * 0.2) if upright else (-sx - run * 0.1, slot / 2)
    face.leader(at, 120, d.style.counted(2, f"{d.style.number(slot)}×{d.style.number(run)}"))
    free = sx - (slot if upright else run / 2) - 8
    n = int(min(5, max(1, free * 2 // 14)))
    pitch = 5 * round(free * 2 / max(1, n) / 5) if n > 1 else 0
    tapped = d.chance(0.5)
    hole = thread.core if tapped else thread.clearance
    for i in range(n):
        px = (i - (n - 1) / 2) * pitch
        if tapped:
            face.thread((px, 0), thread.size, thread.core)
        else:
            face.hole((px, 0), hole / 2)
        hidden_hole(side, px, 0, t, hole)
    if n > 1:
        chain = Value(f"{n - 1}×{d.style.number(pitch)}={d.style.number((n - 1) * pitch)}") if n > 2 else d.value(pitch)
        face.dim((-(n - 1) / 2 * pitch, 0), ((n - 1) / 2 * pitch, 0), chain, "top")
    px = (n - 1) / 2 * pitch
    text = d.thread(thread.size, thread.pitch, n) if tapped else d.dia(hole, n)
    face.leader((px + hole / 2 * 0.7, -hole / 2 * 0.7), 310, text, kind="thread" if tapped else "dimension")
    if r:
        face.leader((x - r * 0.293, y - r * 0.293), 45, d.radius(r, 4))
    side.rectangle(-x, 0, x, t)
    for sign in (-1, 1):
        half = (slot if upright else run) / 2
        for edge_x in (-half, half):
            side.line((sign * sx + edge_x, 0), (sign * sx + edge_x, t), "hidden")
    side.dim((x, 0), (x, t), d.plain(t, d.rng.choice(("", "t="))), "right")
    if d.chance(0.5):
        side.leader((-x * 0.4, t), 70, frame=d.gdt("⏥", d.pick(0.1, 0.2)))
    solid = (long * wide - 2 * run * slot) * t
    return Design({(0, 0): side, (1, 0): face}, solid, (*STEELS[3:], *LIGHT[:2]), rest_finish=d.rest())


@family
def lever(d: Draughtsman) -> Design:
    """A lever with two or three eyes joined by arms, straight or bent; section along one arm."""
    long = d.whole(70, 140, 5)
    big, small = d.pick(20, 22, 25, 30), d.pick(10, 12, 14, 16)
    eye, head = round(big * 1.7), round(small * 1.8)
    third = d.chance(0.5)
    bend, short = d.pick(90, 105, 120, 135), d.whole(45, 70, 5)
    t, thick = d.pick(8, 10, 12), d.pick(18, 20, 22, 25)
    face, cut = View(), View()
    _arm(face, 0.0, long, eye / 2, head / 2)
    face.hole((0, 0), big / 2)
    face.hole((long, 0), small / 2)
    _eye(
        face,
        eye / 2,
        [0.0, bend] if third else [0.0],
        [(long, head / 2), (short, head / 2)] if third else [(long, head / 2)],
    )
    tip_angle = degrees(acos((eye - head) / 2 / long))
    face.arc((long, 0), head / 2, -tip_angle, tip_angle)
    face.dim((0, 0), (long, 0), Value(f"{d.style.number(long)}±{d.style.number(d.pick(0.05, 0.1))}"), "bottom")
    if third:
        a = radians(bend)
        end = short * cos(a), short * sin(a)
        _arm(face, bend, short, eye / 2, head / 2)
        face.hole(end, small / 2)
        turn = degrees(acos((eye - head) / 2 / short))
        face.arc(end, head / 2, bend - turn, bend + turn)
        face.line((0, 0), (end[0] * 1.2, end[1] * 1.2), "centre")
        limit = f"±{d.style.number(0.5)}°" if d.chance(0.5) else ""
        face.angles.append(Angular((0, 0), 0.0, bend, eye / 2 + 9, Value(f"{bend}°{limit}")))
        if bend == 90:
            face.dim((0, 0), (0, short), d.value(short, p=0.6), "left")
        else:
            face.dim((end[0], end[1]), (0, 0), d.plain(round(-end[0], 2)), "top")
            face.dim((0, 0), (end[0], end[1]), d.plain(round(end[1], 2)), "left")
    k = 0.7071
    face.leader((-big / 2 * k, -big / 2 * k), 225, d.dia(big) + d.rng.choice(("H7", "H8")))
    face.leader((long + head / 2 * k, -head / 2 * k), 320, d.radius(head / 2, 2 if third else 1))
    face.leader((long + small / 2 * k, small / 2 * k), 45, d.dia(small, 2 if third else 1) + "H7")
    face.leader((-eye / 2 * k, eye / 2 * k), 150, d.radius(eye / 2))
    half, thin = thick / 2, t / 2
    cut.rectangle(-eye / 2, -half, eye / 2, half)
    cut.polyline([(eye / 2, thin), (long - head / 2, thin)])
    cut.polyline([(eye / 2, -thin), (long - head / 2, -thin)])
    cut.rectangle(long - head / 2, -half, long + head / 2, half)
    for x, hole, boss in ((0.0, big, eye), (long, small, head)):
        for sign in (1, -1):
            cut.line((x + sign * hole / 2, -half), (x + sign * hole / 2, half))
            low, high = sorted((x + sign * hole / 2, x + sign * boss / 2))
            cut.hatch([(low, -half), (high, -half), (high, half), (low, half)])
        cut.line((x, -half - 3), (x, half + 3), "centre")
    cut.dim((-eye / 2, -half), (-eye / 2, half), d.value(thick, p=0.5), "left")
    cut.dim((long - head / 2, -thin), (long - head / 2, thin), d.plain(t), "right")
    cut.leader((big / 2, half), 60, d.chamfer(1, 4))
    cut.leader((long + head * 0.3, half), 60, frame=d.gdt("∥", d.pick(0.02, 0.05), "A"))
    cut.marks.append(Mark("datum", (0, -half), 270, "A"))
    cut.marks.append(Mark("finish", (-eye * 0.35, half), 90, d.roughness(1.6, 3.2)))
    solid = pi / 4 * thick * (eye**2 + head**2 - big**2 - small**2) + (eye + head) / 2 * t * (long - eye / 2 - head / 2)
    return Design({(0, 0): face, (1, 0): cut}, solid, rest_finish=d.rest())


def _arm(view: View, angle: float, length: float, r0: float, r1: float) -> None:
    """The two tangents of the eyes of an arm from the origin."""
    a, turn = radians(angle), acos((r0 - r1) / length)
    for sign in (1, -1):
        t = a + sign * turn
        end = length * cos(a), length * sin(a)
        view.line((r0 * cos(t), r0 * sin(t)), (end[0] + r1 * cos(t), end[1] + r1 * sin(t)))


def _eye(view: View, r: float, angles: list[float], arms: list[tuple[float, float]]) -> None:
    """The free arcs of the eye at the origin, between its arms."""
    spans = []
    for angle, (length, r1) in zip(angles, arms, strict=True):
        turn = degrees(acos((r - r1) / length))
        spans.append((angle - turn, angle + turn))
    if len(spans) == 1 or spans[0][1] >= spans[1][0]:
        view.arc((0, 0), r, spans[-1][1], spans[0][0] + 360)
        return
    view.arc((0, 0), r, spans[0][1], spans[1][0])
    view.arc((0, 0), r, spans[1][1], spans[0][0] + 360)
