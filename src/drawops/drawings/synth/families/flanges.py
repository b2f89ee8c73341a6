"""Round parts with a bolt circle."""

from math import cos, radians, sin

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.numbers import THREADS
from drawops.drawings.synth.turned import section, steps, volume
from drawops.drawings.synth.view import Cut, View
from drawops.drawings.synth.wording import CASTS, STEELS


def bolt_circle(view: View, diameter: float, n: int, hole: float, start: float = 90.0) -> None:
    """Holes on a circle, with the circle and their radial centre lines."""
    view.circle((0, 0), diameter / 2, "centre")
    for i in range(n):
        a = radians(start + 360.0 * i / n)
        x, y = diameter / 2 * cos(a), diameter / 2 * sin(a)
        view.circle((x, y), hole / 2)
        reach = hole / 2 + 2.0
        view.line(
            (x - reach * cos(a), y - reach * sin(a)),
            (x + reach * cos(a), y + reach * sin(a)),
            "centre",
        )


@family
def flange(d: Draughtsman) -> Design:
    """A hub flange in full section with its face and bolt circle."""
    bore = d.pick(25, 30, 35, 40, 45, 50)
    hub = bore + d.pick(16, 20, 24)
    thread = THREADS[int(d.pick(6, 8, 10))]
    circle = hub + 2 * thread.size + d.pick(10, 14, 18, 20)
    outer = circle + 2 * thread.size + d.pick(6, 8, 10)
    thick, height = d.pick(12, 14, 16), d.pick(32, 36, 40, 45)
    n = int(d.pick(4, 6, 8))
    chamfer = d.pick(1, 1.5)
    cut, face = View(title="A-A"), View()
    outline = [*steps([outer], [thick]), (thick, hub / 2), (height - chamfer, hub / 2), (height, hub / 2 - chamfer)]
    inner = steps([bore], [height])
    section(cut, outline, inner)
    for sign in (1, -1):
        y = sign * circle / 2
        for edge in (-1, 1):
            cut.line((0, y + edge * thread.clearance / 2), (thick, y + edge * thread.clearance / 2))
        cut.line((-3, y), (thick + 3, y), "centre")
    cut.dim((0, -outer / 2), (thick, -outer / 2), d.value(thick), "bottom")
    cut.dim((0, -outer / 2), (height, -hub / 2), d.value(height), "bottom")
    cut.dim((0, -outer / 2), (0, outer / 2), d.fit(outer, "h9") if d.chance(0.3) else d.plain(outer, "⌀"), "left")
    cut.dim((height, -bore / 2), (height, bore / 2), d.fit(bore, "H7"), "right")
    cut.dim((height, -hub / 2), (height, hub / 2), d.plain(hub, "⌀"), "right")
    cut.leader((height - chamfer / 2, hub / 2 - chamfer / 2), 55, d.chamfer(chamfer))
    for r in (outer / 2, hub / 2, hub / 2 - chamfer, bore / 2):
        face.circle((0, 0), r)
    face.centre_mark((0, 0), outer / 2)
    bolt_circle(face, circle, n, thread.clearance)
    face.dim((-circle / 2, 0), (circle / 2, 0), d.value(circle, "⌀", p=0.4), "bottom")
    a = radians(90.0 - 360.0 / n)
    tip = circle / 2 * cos(a), circle / 2 * sin(a)
    r = thread.clearance / 2
    face.leader((tip[0] + r * cos(a), tip[1] + r * sin(a)), 45, d.dia(thread.clearance, n))
    face.cuts.append(Cut((0, -outer / 2), (0, outer / 2), 180.0, "A"))
    solid = volume(outline) - volume(inner) - n * 0.785 * thread.clearance**2 * thick
    return Design({(0, 0): cut, (0, 1): face}, solid, (*CASTS, *STEELS), rest_finish=d.roughness(6.3, 12.5))
