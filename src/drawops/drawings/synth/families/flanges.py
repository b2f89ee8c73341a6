"""Round parts in section with their face: flange, cover, bushing, spacer."""

from math import cos, pi, radians, sin

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.numbers import THREADS
from drawops.drawings.synth.scene import Point
from drawops.drawings.synth.turned import section, steps, volume
from drawops.drawings.synth.view import Cut, Mark, Value, View
from drawops.drawings.synth.wording import BRONZES, CASTS, LIGHT, PLASTICS, STEELS


def bolt_circle(view: View, diameter: float, n: int, hole: float, bore: float = 0.0, start: float = 90.0) -> None:
    """Holes on a circle, counterbored if `bore`, with the circle and their radial centre lines."""
    view.circle((0, 0), diameter / 2, "centre")
    for i in range(n):
        a = radians(start + 360.0 * i / n)
        x, y = diameter / 2 * cos(a), diameter / 2 * sin(a)
        view.circle((x, y), hole / 2)
        if bore:
            view.circle((x, y), bore / 2)
        reach = max(hole, bore) / 2 + 2.0
        view.line((x - reach * cos(a), y - reach * sin(a)), (x + reach * cos(a), y + reach * sin(a)), "centre")


def cut_holes(
    view: View, radius: float, x0: float, x1: float, hole: float, bore: float = 0.0, depth: float = 0.0
) -> list[Point]:
    """A bolt hole in the upper and the lower half of a section; returns the ring that is not hatched.

    A counterbore of `bore` goes `depth` deep from x1.
    """
    inner = x1 - depth if bore else x1
    for sign in (1, -1):
        for edge in (-1, 1):
            y = sign * radius + edge * hole / 2
            view.line((x0, y), (inner, y))
            if bore:
                view.line((inner, sign * radius + edge * bore / 2), (x1, sign * radius + edge * bore / 2))
        if bore:
            view.line((inner, sign * radius - bore / 2), (inner, sign * radius + bore / 2))
        view.line((x0 - 3, sign * radius), (x1 + 3, sign * radius), "centre")
    low, high = radius - hole / 2, radius + hole / 2
    if not bore:
        return [(x0, low), (x1, low), (x1, high), (x0, high)]
    deep, wide = radius - bore / 2, radius + bore / 2
    return [(x0, low), (inner, low), (inner, deep), (x1, deep), (x1, wide), (inner, wide), (inner, high), (x0, high)]


@family
def flange(d: Draughtsman) -> Design:
    """A hub flange in full section with its face and bolt circle."""
    bore = d.pick(20, 25, 30, 35, 40, 45, 50)
    hub = bore + d.pick(14, 16, 20, 24)
    thread = THREADS[int(d.pick(6, 8, 10))]
    circle = hub + 2 * thread.size + d.pick(10, 14, 18, 20)
    outer = circle + 2 * thread.size + d.pick(6, 8, 10)
    thick, height = d.pick(10, 12, 14, 16), d.pick(32, 36, 40, 45, 50)
    n, chamfer = int(d.pick(4, 6, 8)), d.pick(1, 1.5, 2)
    cut, face = View(title="A-A"), View()
    outline = [(0, outer / 2 - 1), (1, outer / 2), (thick, outer / 2), (thick, hub / 2)]
    outline += [(height - chamfer, hub / 2), (height, hub / 2 - chamfer)]
    inner = [(0, bore / 2 + 1), (1, bore / 2), (height - 1, bore / 2), (height, bore / 2 + 1)]
    section(cut, outline, inner, [cut_holes(cut, circle / 2, 0, thick, thread.clearance)])
    cut.dim((0, -outer / 2), (thick, -outer / 2), d.value(thick), "bottom")
    cut.dim((0, -outer / 2), (height, -hub / 2), d.value(height), "bottom")
    cut.dim((0, -outer / 2), (0, outer / 2), d.fit(outer, "h9") if d.chance(0.3) else d.plain(outer, "⌀"), "left")
    cut.dim((height, -bore / 2), (height, bore / 2), d.fit(bore, d.rng.choice(("H7", "H7", "H8"))), "right")
    cut.dim((height, -hub / 2), (height, hub / 2), d.plain(hub, "⌀"), "right")
    cut.leader((height - chamfer / 2, hub / 2 - chamfer / 2), 55, d.chamfer(chamfer))
    cut.marks.append(Mark("datum", (thick + (height - thick) / 2, -hub / 2), 270, "A"))
    cut.marks.append(Mark("finish", (thick + (height - thick) * 0.3, hub / 2), 90, d.roughness(1.6, 3.2)))
    if d.chance(0.7):
        cut.leader((0, outer * 0.42), 165, frame=d.gdt(d.rng.choice("⊥↗"), d.pick(0.02, 0.03, 0.05), "A"))
    for r in (outer / 2, outer / 2 - 1, hub / 2, hub / 2 - chamfer, bore / 2 + 1, bore / 2):
        face.circle((0, 0), r)
    face.centre_mark((0, 0), outer / 2)
    bolt_circle(face, circle, n, thread.clearance)
    face.dim((-circle / 2, 0), (circle / 2, 0), d.value(circle, "⌀", p=0.3), "bottom")
    _holes_leader(d, face, circle, n, thread.clearance, ())
    face.cuts.append(Cut((0, -outer / 2), (0, outer / 2), 180.0, "A"))
    solid = volume(outline) - volume(inner) - n * pi / 4 * thread.clearance**2 * thick
    return Design({(0, 0): cut, (0, 1): face}, solid, (*CASTS, *STEELS), rest_finish=d.rest())


def _holes_leader(d: Draughtsman, face: View, circle: float, n: int, hole: float, more: tuple[str, ...]) -> None:
    """Names the holes of a bolt circle at the one to the right of the top."""
    a = radians(90.0 - 360.0 / n)
    x, y, r = circle / 2 * cos(a), circle / 2 * sin(a), hole / 2
    first = d.dia(hole, n)
    if not more and d.chance(0.4):
        first += d.style.say(" EQ SP", "均布")
    frame: tuple[str, ...] = ()
    if d.chance(0.5):
        frame = d.gdt("⌖", d.pick(0.1, 0.2, 0.3), "A", round_zone=True, modifier="Ⓜ" if d.chance(0.3) else "")
    face.leader((x + r * 0.7, y + r * 0.7), 45, first, *more, frame=frame)


@family
def cover(d: Draughtsman) -> Design:
    """A bearing cover with a spigot, counterbored holes and a seal bore."""
    spigot = d.pick(52, 62, 72, 80, 90, 100)
    thread = THREADS[int(d.pick(5, 6, 8))]
    circle = spigot + thread.bore + d.pick(4, 6, 8)
    outer = circle + thread.bore + d.pick(4, 6, 8)
    thick, reach = round(thread.bore_depth + d.pick(4, 5, 6)), d.pick(6, 8, 10, 12)
    through, wall = round(spigot * d.pick(0.35, 0.4, 0.5)), d.pick(6, 8)
    n = int(d.pick(4, 6))
    cut, face = View(title="A-A"), View()
    outline = [(0, spigot / 2 - 1), (1, spigot / 2), (reach, spigot / 2), (reach, outer / 2)]
    outline += [(reach + thick - 1, outer / 2), (reach + thick, outer / 2 - 1)]
    deep = reach + d.pick(1, 2, 3)
    inner = [(0, spigot / 2 - wall), (deep, spigot / 2 - wall), (deep, through / 2), (reach + thick, through / 2)]
    void = cut_holes(cut, circle / 2, reach, reach + thick, thread.clearance, thread.bore, thread.bore_depth)
    section(cut, outline, inner, [void])
    cut.dim((0, -spigot / 2), (reach, -outer / 2), d.value(reach, p=0.5), "bottom")
    cut.dim((0, -spigot / 2), (reach + thick, -outer / 2), d.value(reach + thick), "bottom")
    cut.dim((0, -spigot / 2), (0, spigot / 2), d.fit(spigot, d.rng.choice(("f7", "g6", "h7"))), "left")
    cut.dim((0, -spigot / 2 + wall), (0, spigot / 2 - wall), d.plain(spigot - 2 * wall, "⌀"), "left")
    end = reach + thick
    cut.dim((end, -through / 2), (end, through / 2), d.fit(through, "H8"), "right")
    cut.dim((end, -outer / 2), (end, outer / 2), d.plain(outer, "⌀"), "right")
    cut.marks.append(Mark("finish", (reach + thick / 2, outer / 2), 90, d.roughness(3.2, 6.3)))
    cut.marks.append(Mark("datum", (0, -spigot / 2 + wall / 2), 180, "A"))
    cut.leader((reach, spigot / 2 + 2), 140, frame=d.gdt("⊥", d.pick(0.02, 0.03, 0.05), "A"))
    for r in (outer / 2, outer / 2 - 1, through / 2):
        face.circle((0, 0), r)
    face.circle((0, 0), spigot / 2, "hidden")
    face.centre_mark((0, 0), outer / 2)
    bolt_circle(face, circle, n, thread.clearance, thread.bore)
    face.dim((-circle / 2, 0), (circle / 2, 0), d.plain(circle, "⌀"), "bottom")
    second = f"⌴⌀{d.style.number(thread.bore)}{d.depth(thread.bore_depth)}"
    _holes_leader(d, face, circle, n, thread.clearance, (second,))
    face.cuts.append(Cut((0, -outer / 2), (0, outer / 2), 180.0, "A"))
    solid = volume(outline) - volume(inner)
    return Design({(0, 0): cut, (0, 1): face}, solid, (*CASTS, *LIGHT, STEELS[3]), rest_finish=d.rest())


@family
def bushing(d: Draughtsman) -> Design:
    """A bush, mostly with a collar, at times with an oil hole."""
    bore = d.pick(12, 16, 20, 25, 30, 35, 40)
    outer = bore + d.pick(8, 10, 12, 14)
    length = round(bore * d.pick(1.0, 1.2, 1.5, 1.8))
    c = d.pick(0.5, 1, 1.5)
    collar, thick = outer + d.pick(8, 10, 12), d.pick(4, 5, 6)
    cut, face = View(), View()
    if d.chance(0.75):
        outline = [(0, collar / 2 - c), (c, collar / 2), (thick, collar / 2), (thick, outer / 2)]
        outline += [(length - c, outer / 2), (length, outer / 2 - c)]
        cut.dim((0, -collar / 2), (thick, -collar / 2), d.value(thick), "bottom")
        cut.dim((0, -collar / 2), (0, collar / 2), d.plain(collar, "⌀"), "left")
        face.circle((0, 0), collar / 2)
    else:
        collar = outer
        outline = steps([outer], [length], c)
    inner = [(0, bore / 2 + c), (c, bore / 2), (length - c, bore / 2), (length, bore / 2 + c)]
    section(cut, outline, inner)
    cut.dim((0, -collar / 2), (length, -outer / 2), d.value(length, p=0.5), "bottom")
    cut.dim((length, -bore / 2), (length, bore / 2), d.fit(bore, d.rng.choice(("H7", "H8", "F7", "E9"))), "right")
    cut.dim((length, -outer / 2), (length, outer / 2), d.fit(outer, d.rng.choice(("p6", "n6", "m6", "js7"))), "right")
    cut.leader((length - c / 2, outer / 2 - c / 2), 60, d.chamfer(c, int(d.pick(2, 4))))
    cut.leader((length * 0.55, outer / 2), 80, frame=d.gdt("◎", d.pick(0.01, 0.02, 0.03), "A", round_zone=True))
    cut.marks.append(Mark("datum", (length * 0.6, -outer / 2), 270, "A"))
    cut.marks.append(Mark("finish", (length * 0.45, bore / 2), 90, d.roughness(0.8, 1.6)))
    for r in (outer / 2, bore / 2 + c, bore / 2):
        face.circle((0, 0), r)
    face.centre_mark((0, 0), collar / 2)
    solid = volume(outline) - volume(inner)
    views = {(0, 0): cut, (0, 1): face} if d.chance(0.7) else {(0, 0): cut}
    return Design(views, solid, (*BRONZES, *PLASTICS, STEELS[0]), rest_finish=d.rest())


@family
def spacer_ring(d: Draughtsman) -> Design:
    """A plain ring with parallel faces, at times with set-screw threads."""
    bore = d.pick(20, 25, 30, 35, 40, 50, 60)
    outer = bore + d.pick(10, 12, 16, 20)
    width = d.pick(6, 8, 10, 12, 15, 18, 20)
    c = d.pick(0.5, 1)
    cut, face = View(title="A-A"), View()
    outline = steps([outer], [width], c)
    inner = [(0, bore / 2 + c), (c, bore / 2), (width - c, bore / 2), (width, bore / 2 + c)]
    section(cut, outline, inner)
    tolerance = d.pick(0.01, 0.02, 0.05)
    value = d.rng.choice((Value(f"{d.style.number(width)}±{d.style.number(tolerance)}"), d.fit(width, "h7", "")))
    cut.dim((0, -outer / 2), (width, -outer / 2), value, "bottom")
    cut.dim((width, -bore / 2), (width, bore / 2), d.fit(bore, d.rng.choice(("H7", "H8", "F8"))), "right")
    cut.dim((width, -outer / 2), (width, outer / 2), d.value(outer, "⌀"), "right")
    cut.leader((width, outer * 0.46), 35, frame=d.gdt("∥", d.pick(0.01, 0.02), "B"))
    cut.leader((c / 2, outer / 2 - c / 2), 140, d.chamfer(c, 4))
    cut.marks.append(Mark("datum", (0, -outer * 0.44), 180, "B"))
    cut.marks.append(Mark("finish", (width / 2, outer / 2), 90, d.roughness(0.8, 1.6, 3.2)))
    for r in (outer / 2, outer / 2 - c, bore / 2 + c, bore / 2):
        face.circle((0, 0), r)
    face.centre_mark((0, 0), outer / 2)
    if d.chance(0.5):
        thread = THREADS[int(d.pick(4, 5, 6))]
        for half in (thread.size / 2, thread.core / 2):
            for side in (1, -1):
                face.line((side * half, bore / 2), (side * half, outer / 2 - 0.3), "hidden")
        face.leader((thread.size / 2, outer / 2 - 1), 50, d.thread(thread.size, thread.pitch), kind="thread")
    face.cuts.append(Cut((0, -outer / 2), (0, outer / 2), 180.0, "A"))
    return Design({(0, 0): cut, (0, 1): face}, volume(outline) - volume(inner), rest_finish=d.rest())
