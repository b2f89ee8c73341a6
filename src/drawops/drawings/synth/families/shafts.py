"""Shafts, studs, pistons: turned parts seen from outside."""

from math import asin, degrees, sqrt

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.numbers import THREADS, Key, key_for, keyway_deviation
from drawops.drawings.synth.scene import Point
from drawops.drawings.synth.turned import axis, outside, steps, volume
from drawops.drawings.synth.view import Cut, Mark, Value, View
from drawops.drawings.synth.wording import LIGHT, STEELS


def key_section(d: Draughtsman, x: float, diameter: float, key: Key, letter: str) -> View:
    """The cut through a key seat, drawn below its place on the shaft."""
    view, r, half = View(title=f"{letter}-{letter}"), diameter / 2, key.width / 2
    floor, foot = r - key.shaft, sqrt(r * r - half * half)
    angle = degrees(asin(half / r))
    view.arc((x, 0), r, 90 + angle, 450 - angle)
    view.polyline([(x - half, foot), (x - half, floor), (x + half, floor), (x + half, foot)])
    ring = [(x + r * px, r * py) for px, py in _unit_circle()]
    view.hatch(ring, [[(x - half, floor), (x + half, floor), (x + half, r + 1), (x - half, r + 1)]])
    view.centre_mark((x, 0), r)
    deviation = d.style.number(keyway_deviation(key.width))
    width = d.style.number(key.width)
    value = Value(f"{width}N9") if d.chance(0.5) else Value(width, "0", f"-{deviation}")
    view.dim((x - half, foot), (x + half, foot), value, "top")
    depth = Value(d.style.number(diameter - key.shaft), "0", f"-{d.style.number(0.2)}")
    view.dim((x, -r), (x + half, floor), depth, "right")
    return view


def _unit_circle() -> list[Point]:
    from drawops.drawings.synth.scene import Arc

    return Arc((0.0, 0.0), 1.0, 0.0, 360.0, "visible").points(3.0)


@family
def shaft(d: Draughtsman) -> Design:
    """A stepped shaft with bearing seats, a key seat with its section, chamfers, a relief groove."""
    seat = d.pick(20, 25, 30, 35, 40, 45, 50)
    shoulder = seat + d.pick(6, 8, 10)
    end = seat - d.pick(5, 6, 8)
    diameters = [seat, shoulder, seat, end]
    lengths = [d.whole(18, 32), d.whole(40, 90, 5), d.whole(18, 32), d.whole(35, 65, 5)]
    if d.chance(0.5):  # a collar in front of the shoulder
        diameters.insert(1, shoulder + d.pick(8, 10, 12))
        lengths.insert(1, d.whole(6, 12))
    chamfer, groove = d.pick(1, 1.5, 2), d.pick(2, 3)
    profile = steps(diameters, lengths, chamfer)
    xs = [0.0]
    for length in lengths:
        xs.append(xs[-1] + length)
    last = len(lengths) - 1
    x, depth = xs[last - 1], d.pick(0.5, 1)
    i = profile.index((x, seat / 2))
    profile[i : i + 1] = [(x, seat / 2 - depth), (x + groove, seat / 2 - depth), (x + groove, seat / 2)]
    view = View()
    outside(view, profile)
    for i in range(last):
        y = -min(diameters[i], diameters[i + 1]) / 2
        value = d.value(lengths[i]) if i != last - 1 else d.plain(lengths[i])
        view.dim((xs[i], y), (xs[i + 1], y), value, "bottom")
    view.dim((0, -diameters[0] / 2), (xs[-1], -end / 2), d.value(xs[-1]), "bottom")
    fits = d.rng.choice((("k6", "k6"), ("m6", "m6"), ("js6", "h6"), ("k6", "h6")))
    view.dim((0, -seat / 2), (0, seat / 2), d.fit(seat, fits[0]), "left")
    view.dim((xs[-1], -end / 2), (xs[-1], end / 2), d.fit(end, fits[1]), "right")
    key = key_for(end)
    slot = round(lengths[last] * d.pick(0.6, 0.7))
    centre = xs[last] + lengths[last] / 2
    view.slot((centre, 0), slot, key.width)
    view.dim((centre - slot / 2, 0), (centre + slot / 2, 0), d.value(slot, p=0.1), "top")
    view.leader((chamfer / 2, seat / 2 - chamfer / 2), 120, d.chamfer(chamfer, 2))
    view.leader((x + groove / 2, seat / 2 - depth), 75, f"{d.style.number(groove)}×{d.style.number(depth)}")
    wide = max(range(len(diameters)), key=lambda k: lengths[k] if diameters[k] == shoulder else 0)
    at = xs[wide] + lengths[wide] * 0.55
    runout = d.gdt(d.rng.choice(("↗", "⌰", "◎")), d.pick(0.01, 0.02, 0.03, 0.05), "A-B")
    if runout[0] == "◎":
        runout = d.gdt("◎", d.pick(0.01, 0.02), "A-B", round_zone=True)
    view.leader((at, shoulder / 2), 70, d.style.counted(1, "⌀" + d.style.number(shoulder)), frame=runout)
    view.marks.append(Mark("datum", (lengths[0] * 0.6, -seat / 2), 270, "A"))
    view.marks.append(Mark("datum", (xs[last - 1] + lengths[last - 1] * 0.6, -seat / 2), 270, "B"))
    view.marks.append(Mark("finish", (lengths[0] * 0.35, seat / 2), 90, d.roughness(0.8, 1.6)))
    letter = d.rng.choice("ABC") if d.chance(0.5) else "C"
    view.cuts.append(Cut((centre, -end / 2), (centre, end / 2), 0.0, letter))
    section = key_section(d, centre, end, key, letter)
    return Design({(0, 0): view, (1, 0): section}, volume(profile), STEELS[:3], rest_finish=d.rest())


def thread_lines(view: View, x0: float, x1: float, size: float, core: float) -> None:
    """The core lines of an outside thread and its end line."""
    for sign in (1, -1):
        view.line((x0, sign * core / 2), (x1, sign * core / 2), "thin")
    view.line((x1, -size / 2), (x1, size / 2))


@family
def stud(d: Draughtsman) -> Design:
    """A rod threaded at both ends, with a plain or a hexagonal middle."""
    thread = THREADS[int(d.pick(8, 10, 12, 16, 20))]
    size, core = thread.size, thread.core
    left, right = round(size * d.pick(1.5, 2, 2.5)), round(size * d.pick(2, 2.5, 3))
    length = left + right + d.whole(20, 90, 5)
    middle = size if d.chance(0.5) else size + d.pick(2, 4, 6)
    c = round(thread.pitch * 0.75 * 2) / 2 or 0.5
    profile = [(0, size / 2 - c), (c, size / 2), (left, size / 2), (left, middle / 2), (length - right, middle / 2)]
    profile += [(length - right, size / 2), (length - c, size / 2), (length, size / 2 - c)]
    profile = list(dict.fromkeys(profile))
    view, end = View(), View()
    outside(view, profile)
    thread_lines(view, 0, left, size, core)
    for sign in (1, -1):
        view.line((length - right, sign * core / 2), (length, sign * core / 2), "thin")
    view.line((length - right, -size / 2), (length - right, size / 2))
    view.dim((0, -size / 2), (left, -size / 2), d.value(left), "bottom")
    view.dim((length - right, -size / 2), (length, -size / 2), d.value(right), "bottom")
    view.dim((0, -size / 2), (length, -size / 2), d.value(length, p=0.5), "bottom")
    view.dim((0, -size / 2), (0, size / 2), Value(d.thread(size, thread.pitch, tolerance="6g"), kind="thread"), "left")
    view.dim(
        (length, -size / 2),
        (length, size / 2),
        Value(d.thread(size, thread.pitch, tolerance="6g"), kind="thread"),
        "right",
    )
    if middle > size:
        x = left + (length - left - right) * 0.5
        view.leader((x, middle / 2), 65, d.dia(middle))
    view.leader((length - c / 2, size / 2 - c / 2), 55, d.chamfer(c, 2))
    view.marks.append(Mark("finish", (left + (length - left - right) * 0.25, middle / 2), 90, d.roughness(3.2, 6.3)))
    end.circle((0, 0), middle / 2)
    if middle > size:
        end.circle((0, 0), size / 2)
    end.circle((0, 0), size / 2 - c)
    end.arc((0, 0), core / 2, 100, 370, "thin")
    end.centre_mark((0, 0), middle / 2)
    if middle > size and d.chance(0.7):
        flat = round(middle * 0.85)
        end.dim((-flat / 2, 0), (flat / 2, 0), d.plain(flat), "bottom")
        for sign in (1, -1):
            end.line(
                (sign * flat / 2, -(sqrt(middle**2 - flat**2)) / 2), (sign * flat / 2, sqrt(middle**2 - flat**2) / 2)
            )
    return Design({(0, 0): view, (0, 1): end}, volume(profile), (*STEELS, *LIGHT[:1]), rest_finish=d.rest())


@family
def piston(d: Draughtsman) -> Design:
    """A piston with ring grooves, a pin bore and a hollow skirt."""
    bore = d.pick(40, 50, 63, 80, 100)
    height = round(bore * d.pick(0.8, 0.9, 1.0, 1.1))
    pin = round(bore * d.pick(0.22, 0.25, 0.3))
    groove, deep, land = d.pick(2, 2.5, 3, 4), d.pick(2, 3, 4), d.pick(3, 4, 5)
    n, first = int(d.pick(2, 3)), d.pick(5, 6, 8)
    r = bore / 2
    profile: list[Point] = [(0, r - 1), (1, r)]
    starts = [first + i * (groove + land) for i in range(n)]
    for x in starts:
        profile += [(x, r), (x, r - deep), (x + groove, r - deep), (x + groove, r)]
    profile += [(height - 1, r), (height, r - 1)]
    view, face = View(), View()
    outside(view, profile)
    wall, crown = round(bore * 0.11), starts[-1] + groove + d.pick(3, 4)
    for sign in (1, -1):
        view.line((crown, sign * (r - wall)), (height, sign * (r - wall)), "hidden")
    view.line((crown, -(r - wall)), (crown, r - wall), "hidden")
    pin_x = round((crown + height) / 2 + bore * 0.02)
    view.circle((pin_x, 0), pin / 2)
    view.centre_mark((pin_x, 0), pin / 2)
    view.dim((0, -r), (height, -r), d.value(height), "bottom")
    view.dim((0, -r), (pin_x, 0), d.value(pin_x, p=0.5), "bottom")
    view.dim((0, -r), (starts[0], -r), d.plain(first), "bottom")
    groove_value = Value(d.style.number(groove), f"+{d.style.number(0.02)}", "0")
    view.dim((starts[-1], r), (starts[-1] + groove, r), groove_value, "top")
    view.dim((0, -r), (0, r), d.fit(bore, d.rng.choice(("f7", "g6", "f8"))), "left")
    view.dim((height, -(r - wall)), (height, r - wall), d.plain(bore - 2 * wall, "⌀"), "right")
    view.leader((pin_x + pin * 0.35, pin * 0.35), 40, d.dia(pin) + d.rng.choice(("H7", "H6")))
    view.leader((starts[0] + groove / 2, r - deep), 110, d.style.counted(n, f"⌀{d.style.number(bore - 2 * deep)}"))
    view.marks.append(Mark("finish", (height * 0.8, r), 90, d.roughness(0.8, 1.6)))
    for radius in (r, r - 1, r - wall):
        face.circle((0, 0), radius)
    for sign in (1, -1):
        face.line((-sqrt((r - wall) ** 2 - (pin / 2) ** 2), sign * pin / 2), (-r, sign * pin / 2), "hidden")
        face.line((sqrt((r - wall) ** 2 - (pin / 2) ** 2), sign * pin / 2), (r, sign * pin / 2), "hidden")
    face.centre_mark((0, 0), r)
    face.leader((-r * 0.7071, r * 0.7071), 135, frame=d.gdt(d.rng.choice("○⌭"), d.pick(0.005, 0.01, 0.02)))
    axis(view, profile)
    solid = volume(profile) - 3.1416 * (r - wall) ** 2 * (height - crown)
    return Design({(0, 0): view, (0, 1): face}, solid, LIGHT[2:] + STEELS[:2], rest_finish=d.rest())
