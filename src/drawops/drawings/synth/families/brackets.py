"""Angled and forked parts: L-bracket, angle profile, clevis, bearing housing."""

from math import cos, pi, radians, sin

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.families.flat import hidden_hole, rounded
from drawops.drawings.synth.numbers import THREADS
from drawops.drawings.synth.view import Angular, Cut, Mark, Value, View
from drawops.drawings.synth.wording import CASTS, LIGHT, STEELS


@family
def bracket(d: Draughtsman) -> Design:
    """An L-bracket bent from sheet, with holes and often a gusset or a slot: side, face and top view."""
    wide = d.whole(30, 80, 5)
    t = d.pick(3, 4, 5, 6)
    inside = d.pick(2, 3, 4)
    bend = t + inside
    thread = THREADS[int(d.pick(5, 6, 8))]
    hole, edge = thread.clearance, round(thread.size * 1.8)
    pitch = wide - 2 * edge
    pairs = pitch >= 2.2 * hole
    rows = int(d.pick(1, 2))
    gap = d.whole(20, 40, 5)
    long = bend + (rows - 1) * gap + 2 * edge + d.whole(5, 20, 5)
    high = bend + 2 * edge + d.whole(15, 50, 5)
    side, face, top = View(), View(), View()
    side.line((bend, 0), (long, 0))
    side.line((long, 0), (long, t))
    side.line((long, t), (bend, t))
    side.arc((bend, bend), bend, 180, 270)
    side.arc((bend, bend), inside, 180, 270)
    side.line((0, bend), (0, high))
    side.line((0, high), (t, high))
    side.line((t, high), (t, bend))
    xs = [long - edge - i * gap for i in range(rows)]
    y = high - edge
    for x in xs:
        hidden_hole(side, x, 0, t, hole)
    slot = d.chance(0.4)
    run = hole + d.pick(8, 10, 12) if slot else hole
    for sign in (1, -1):
        side.line((0, y + sign * run / 2), (t, y + sign * run / 2), "hidden")
    side.line((-2, y), (t + 2, y), "centre")
    if d.chance(0.45):
        foot = round(min(long, high) * 0.55)
        side.line((t, t + foot), (t + foot, t))
        side.angles.append(Angular((t + foot, t), 135, 180, foot * 0.45, Value("45°")))
        face.line((-t / 2, t), (-t / 2, t + foot))
        face.line((t / 2, t), (t / 2, t + foot))
        face.line((-t / 2, t + foot), (t / 2, t + foot))
        top.line((t, t / 2), (t + foot, t / 2))
        top.line((t, -t / 2), (t + foot, -t / 2))
        top.line((t + foot, -t / 2), (t + foot, t / 2))
    side.dim((0, 0), (long, 0), d.value(long), "bottom")
    side.dim((0, 0), (0, high), d.value(high), "left")
    side.dim((long, 0), (long, t), d.plain(t, "t" if d.chance(0.3) else ""), "right")
    middle = bend * 0.293
    side.leader((middle, middle), 225, d.radius(bend))
    side.leader((t, high * 0.8), 30, frame=d.gdt("⊥", d.pick(0.1, 0.2, 0.3), "A"))
    side.marks.append(Mark("datum", (bend + (long - bend) * 0.35, 0), 270, "A"))
    w, r = wide / 2, d.pick(0, 3, 5)
    rounded(face, -w, 0, w, high, 0)
    face.line((-w, t), (w, t))
    across: tuple[float, ...] = (-pitch / 2, pitch / 2) if pairs else (0.0,)
    for x in across:
        if slot:
            face.slot((x, y), run, hole, 90)
            face.centre_mark((x, y), run / 2)
        else:
            face.hole((x, y), hole / 2)
    face.dim((-w, 0), (w, 0), d.value(wide), "bottom")
    face.dim((w, y), (w, high), d.plain(edge), "right")
    if pairs:
        face.dim((-pitch / 2, y), (pitch / 2, y), d.value(pitch), "top")
    if slot:
        text = d.style.counted(len(across), f"{d.style.number(hole)}×{d.style.number(run)}")
        face.leader((across[0] - hole / 2, y), 160, text)
    rounded(top, 0, -w, long, w, 0)
    top.line((t, -w), (t, w))
    for x in xs:
        for yy in across:
            top.hole((x, yy), hole / 2)
    if rows > 1:
        top.dim((xs[1], across[0]), (xs[0], across[0]), d.value(gap), "bottom")
    top.dim((xs[0], across[0]), (long, -w), d.plain(edge), "bottom")
    if pairs:
        top.dim((xs[0], across[0]), (xs[0], across[1]), d.value(pitch), "right")
    n = len(xs) * len(across) + (0 if slot else len(across))
    frame = d.gdt("⌖", d.pick(0.2, 0.3), "A", round_zone=True) if d.chance(0.5) else ()
    top.leader((xs[-1], across[-1] + hole / 2), 115, d.dia(hole, n), frame=frame)
    if r:
        top.leader((long, w), 45, d.radius(r, 4))
        _round_corners(top, long, w, r)
    solid = (long + high - t) * t * wide - n * pi / 4 * hole**2 * t
    views = {(0, 0): side, (0, 1): face, (1, 0): top}
    return Design(views, solid, (*STEELS[3:], *LIGHT[:2]), rest_finish=d.rest() if d.chance(0.4) else "")


def _round_corners(top: View, long: float, w: float, r: float) -> None:
    """Makes the two free corners of the top view round."""
    top.strokes = [s for s in top.strokes if not (s.closed and len(s.points) == 4)]
    top.polyline([(long - r, w), (0, w), (0, -w), (long - r, -w)])
    top.line((long, -w + r), (long, w - r))
    top.arc((long - r, w - r), r, 0, 90)
    top.arc((long - r, -w + r), r, 270, 360)


@family
def angle_profile(d: Draughtsman) -> Design:
    """A length of rolled angle with a row of holes, and its cross-section."""
    leg, t, root = d.rng.choice(((30, 3, 5), (40, 4, 6), (50, 5, 7), (60, 6, 8), (75, 7, 9), (80, 8, 10)))
    second = leg if d.chance(0.7) else round(leg * 0.65 / 5) * 5
    n, pitch, edge = int(d.whole(3, 7)), d.whole(40, 100, 10), d.whole(20, 40, 5)
    long = (n - 1) * pitch + 2 * edge
    thread = THREADS[int(d.pick(6, 8, 10))]
    gauge = round(leg * 0.55)
    face, end = View(), View()
    face.rectangle(0, 0, long, leg)
    face.line((0, t), (long, t))
    for i in range(n):
        face.hole((edge + i * pitch, gauge), thread.clearance / 2)
    face.line((-3, gauge), (long + 3, gauge), "centre")
    miter = d.chance(0.35)
    if miter:
        face.strokes = face.strokes[1:]
        cut = float(leg - t)
        face.polyline([(0, 0), (long, 0), (long, t), (long - cut, leg), (0, leg)], closed=True)
        face.angles.append(Angular((long, t), 135, 180, cut * 0.8, Value("45°")))
    chain = f"{n - 1}×{d.style.number(pitch)}={d.style.number((n - 1) * pitch)}"
    face.dim((edge, gauge), (edge + (n - 1) * pitch, gauge), Value(chain), "bottom")
    face.dim((0, 0), (edge, gauge), d.plain(edge), "bottom")
    face.dim((0, 0), (long, 0), d.value(long, p=0.5), "bottom")
    face.dim((0, 0), (0, gauge), d.value(gauge), "left")
    face.leader((edge + pitch, gauge + thread.clearance / 2), 70, d.dia(thread.clearance, n))
    if d.chance(0.5):
        face.leader((edge + pitch * 1.6, leg), 80, frame=d.gdt("∥", d.pick(0.5, 1), "A"))
        face.marks.append(Mark("datum", (long * 0.85, 0), 270, "A"))
    ring = [(0.0, 0.0), (float(second), 0.0), (float(second), t * 0.6), (second - t * 0.4, float(t))]
    ring += [(t + root * (1 - c), t + root * (1 - s)) for c, s in _quarter()]
    ring += [(float(t), leg - t * 0.4), (t * 0.6, float(leg)), (0.0, float(leg))]
    end.polyline(ring, closed=True)
    end.hatch(ring)
    end.dim((0, 0), (second, 0), d.plain(second), "bottom")
    end.dim((0, 0), (0, leg), d.plain(leg), "left")
    end.dim((0, leg), (t, leg), d.plain(t), "top")
    end.leader((t + root * 0.293, t + root * 0.293), 45, d.radius(root))
    solid = (leg + second - t) * t * long
    name = f"∠{leg}×{second}×{t}"
    note = d.style.say(f"STOCK {name}, L={d.style.number(long)}.", f"型材{name}，L={d.style.number(long)}。")
    return Design({(0, 0): face, (0, 1): end}, solid, (*STEELS[3:], LIGHT[0]), notes=[note], large=True)


def _quarter() -> list[tuple[float, float]]:
    """Points (sin a, cos a) of a concave quarter, from the foot to the leg."""
    return [(sin(radians(a)), cos(radians(a))) for a in range(0, 91, 10)]


@family
def clevis(d: Draughtsman) -> Design:
    """A fork with a cross hole and a thread in its shank."""
    pin = d.pick(8, 10, 12, 14, 16, 20)
    slot, wide = pin, pin * 2
    thread = THREADS[{8: 8, 10: 10, 12: 12, 14: 12, 16: 16, 20: 20}[int(pin)]]
    neck, long = round(thread.size * 1.6), round(pin * 4 + d.pick(2, 6, 10))
    deep = round(pin * 2)
    base = round(long * 0.42)
    front, side = View(), View()
    # The eye is at (0, 0); the shank points down.
    foot = -(long - wide / 2)
    floor = -(deep - wide / 2)
    w, s, k = wide / 2, slot / 2, neck / 2
    shoulder = foot + base - d.pick(4, 5, 6)
    step = w - k
    for sign in (1, -1):
        front.polyline(
            [(sign * s, floor), (sign * s, w), (sign * (w - 1), w), (sign * w, w - 1), (sign * w, shoulder + step)]
            + [(sign * k, shoulder), (sign * k, foot + 1), (sign * (k - 1), foot)]
        )
        front.line((sign * thread.size / 2, foot), (sign * thread.size / 2, foot + thread.size * 2), "hidden")
        front.line((sign * thread.core / 2, foot), (sign * thread.core / 2, foot + thread.size * 2.4), "hidden")
        for y in (pin / 2, -pin / 2):
            front.line((sign * s, y), (sign * w, y), "hidden")
    front.line((-s, floor), (s, floor))
    front.line((-k + 1, foot), (k - 1, foot))
    front.line((-k, foot + 1), (k, foot + 1))
    front.line((-k, shoulder), (k, shoulder))
    front.line((-w, shoulder + step), (w, shoulder + step))
    front.line((0, foot - 4), (0, w + 4), "centre")
    front.line((-w - 3, 0), (w + 3, 0), "centre")
    front.dim((-s, w), (s, w), d.fit(slot, d.rng.choice(("H9", "H11", "F8")), ""), "top")
    front.dim((-w, w), (w, w), d.value(wide), "top")
    front.dim((w, 0), (k, foot), d.value(-foot, p=0.4), "right")
    front.dim((-w, w), (-s, floor), d.plain(deep), "left")
    front.dim((-w, w), (-k, foot), d.plain(long), "left")
    front.dim((-k, foot), (k, foot), d.plain(neck, "⌀"), "bottom")
    text = d.thread(thread.size, thread.pitch) + d.depth(round(thread.size * 2))
    front.leader((thread.size / 2, foot + thread.size), 330, text, kind="thread")
    side.arc((0, 0), w, 0, 180)
    side.circle((0, 0), pin / 2)
    side.centre_mark((0, 0), w)
    for sign in (1, -1):
        side.polyline(
            [
                (sign * w, 0),
                (sign * w, shoulder + step),
                (sign * k, shoulder),
                (sign * k, foot + 1),
                (sign * (k - 1), foot),
            ]
        )
    side.line((-k + 1, foot), (k - 1, foot))
    side.line((-k, foot + 1), (k, foot + 1))
    side.line((-k, shoulder), (k, shoulder))
    side.line((-w, shoulder + step), (w, shoulder + step))
    side.line((-w, floor), (w, floor), "hidden")
    side.line((0, foot - 4), (0, w + 4), "centre")
    side.leader((pin / 2 * 0.7071, pin / 2 * 0.7071), 50, d.dia(pin) + d.rng.choice(("H9", "H7")))
    side.leader((-w * 0.7071, w * 0.7071), 140, d.radius(w))
    side.leader((k - 0.5, foot + 0.5), 320, d.chamfer(1))
    side.dim((-w, 0), (w, 0), d.plain(wide), "bottom")
    side.leader((w, floor * 0.5), 15, frame=d.gdt("⊥", d.pick(0.05, 0.1), "A"))
    side.marks.append(Mark("datum", (-k, (foot + shoulder) / 2), 180, "A"))
    front.marks.append(Mark("finish", (w * 0.75, w), 90, d.roughness(3.2, 6.3)))
    solid = wide * wide * (w - shoulder) - slot * wide * deep + pi / 4 * neck**2 * base
    return Design({(0, 0): front, (0, 1): side}, solid, STEELS, rest_finish=d.rest())


@family
def bearing_housing(d: Draughtsman) -> Design:
    """A pillow block: a round boss on a foot with two bolt slots; front view and section."""
    bore = d.pick(35, 40, 47, 52, 62, 72)
    boss = bore + d.pick(20, 24, 28, 30)
    thread = THREADS[int(d.pick(8, 10, 12))]
    foot = d.pick(12, 14, 16, 18)
    height = round(boss / 2 + foot + d.pick(4, 8, 12, 15))
    span = round((boss + 2 * thread.bore + d.pick(16, 20, 28)) / 5) * 5
    long = span + 2 * round(thread.bore * 0.9)
    deep = d.pick(26, 30, 34, 38, 42)
    wider = deep + d.pick(0, 6, 8, 10)
    front, cut, top = View(), View(title="A-A"), View()
    x, r = long / 2, boss / 2
    # The bore's axis is at (0, 0); the foot stands on y = -height.
    y = -height
    front.polyline([(-r, y + foot), (-x, y + foot), (-x, y), (x, y), (x, y + foot), (r, y + foot)])
    for sign in (1, -1):
        front.line((sign * r, y + foot), (sign * r, 0))
        hidden_hole(front, sign * span / 2, y, y + foot, thread.clearance)
    front.arc((0, 0), r, 0, 180)
    front.circle((0, 0), bore / 2)
    front.circle((0, 0), bore / 2 + 1)
    lip = round(bore / 2 - d.pick(3, 4))
    front.circle((0, 0), lip, "visible")
    front.centre_mark((0, 0), r)
    front.dim((-x, y), (x, y), d.value(long), "bottom")
    front.dim((-span / 2, y), (span / 2, y), d.value(span, p=0.5), "bottom")
    front.dim((-x, y), (0, 0), Value(f"{d.style.number(height)}±{d.style.number(d.pick(0.02, 0.05))}"), "left")
    front.dim((x, y), (x, y + foot), d.plain(foot), "right")
    front.leader((-r * 0.7071, r * 0.7071), 140, d.radius(r))
    front.marks.append(Mark("datum", (x * 0.35, y), 270, "A"))
    front.cuts.append(Cut((0, y), (0, r), 0.0, "A"))
    half, wide = deep / 2, wider / 2
    ledge = round(half - d.pick(3, 4, 5))
    cut.polyline([(-half, y + foot), (-wide, y + foot), (-wide, y), (wide, y), (wide, y + foot), (half, y + foot)])
    cut.polyline([(-half, y + foot), (-half, r), (half, r), (half, y + foot)])
    for sign in (1, -1):
        cut.polyline([(-half, sign * bore / 2), (ledge, sign * bore / 2), (ledge, sign * lip), (half, sign * lip)])
    cut.line((-half, -bore / 2), (-half, bore / 2))
    cut.line((ledge, -bore / 2), (ledge, bore / 2))
    upper = [(-half, bore / 2), (ledge, bore / 2), (ledge, lip), (half, lip), (half, r), (-half, r)]
    cut.hatch(upper)
    lower = [(-half, -bore / 2), (ledge, -bore / 2), (ledge, -lip), (half, -lip), (half, y + foot), (wide, y + foot)]
    cut.hatch([*lower, (wide, y), (-wide, y), (-wide, y + foot), (-half, y + foot)])
    cut.line((-half - 4, 0), (half + 4, 0), "centre")
    cut.dim((-half, -bore / 2), (-half, bore / 2), d.fit(bore, d.rng.choice(("H7", "H7", "JS7"))), "left")
    cut.dim((half, -lip), (half, lip), d.plain(2 * lip, "⌀"), "right")
    cut.dim((-half, r), (half, r), d.value(deep), "top")
    cut.dim((-half, r), (ledge, lip), d.value(ledge + half, p=0.6), "top")
    cut.dim((-wide, y), (wide, y), d.plain(wider), "bottom")
    cut.leader((ledge * 0.2, bore / 2), 40, frame=d.gdt("∥", d.pick(0.02, 0.03), "A"))
    rounded(top, -x, -wide, x, wide, d.pick(3, 5, 8))
    for sign in (1, -1):
        top.line((sign * r, -half), (sign * r, half))
        top.hole((sign * span / 2, 0), thread.clearance / 2)
        top.circle((sign * span / 2, 0), thread.bore / 2)
    for sign in (1, -1):
        if wider > deep:
            top.line((-r, sign * half), (r, sign * half))
    top.line((-x - 4, 0), (x + 4, 0), "centre")
    k = thread.bore / 2 * 0.7071
    spot = f"⌴⌀{d.style.number(thread.bore)}" + d.depth(d.pick(1, 2))
    frame = d.gdt("⌖", 0.2, "A", round_zone=True) if d.chance(0.5) else ()
    top.leader((span / 2 + k, k), 40, d.dia(thread.clearance, 2), spot, frame=frame)
    top.leader((-x + 2, wide - 2), 140, d.radius(d.pick(5, 8), 4))
    if d.chance(0.6):
        grease = d.thread(6, 1)
        front.leader((0, r), 60, grease, kind="thread")
        cut.line((-3, r), (-3, bore / 2), "hidden")
        cut.line((3, r), (3, bore / 2), "hidden")
        cut.line((0, r + 3), (0, bore / 2 - 3), "centre")
    front.marks.append(Mark("finish", (-x * 0.8, y + foot), 90, d.roughness(6.3, 12.5)))
    solid = long * wider * foot + (boss * (height - foot) + pi / 8 * boss**2 - pi / 4 * bore**2) * deep
    views = {(0, 0): front, (0, 1): cut, (1, 0): top}
    return Design(views, solid, CASTS, rest_finish=d.rest(), large=True)
