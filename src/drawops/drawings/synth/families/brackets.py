"""Bent and angled parts."""

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.numbers import THREADS
from drawops.drawings.synth.view import View
from drawops.drawings.synth.wording import LIGHT, STEELS


@family
def bracket(d: Draughtsman) -> Design:
    """An L-bracket bent from sheet: side, face and top view."""
    long, high, wide = d.whole(50, 110, 5), d.whole(40, 90, 5), d.whole(30, 70, 5)
    t = d.pick(3, 4, 5, 6)
    bend = t + d.pick(2, 3)
    thread = THREADS[int(d.pick(5, 6, 8))]
    hole, edge = thread.clearance, thread.size * 2.0
    side, face, top = View(), View(), View()
    side.line((bend, 0), (long, 0))
    side.line((long, 0), (long, t))
    side.line((long, t), (bend, t))
    side.arc((bend, bend), bend, 180, 270)
    side.arc((bend, bend), bend - t, 180, 270)
    side.line((0, bend), (0, high))
    side.line((0, high), (t, high))
    side.line((t, high), (t, bend))
    xs = (long - edge, long - edge - d.whole(15, max(15, long - 2 * edge - bend - 5), 5))
    for x in xs:
        for e in (-1, 1):
            side.line((x + e * hole / 2, 0), (x + e * hole / 2, t), "hidden")
        side.line((x, -3), (x, t + 3), "centre")
    y = high - edge
    for e in (-1, 1):
        side.line((0, y + e * hole / 2), (t, y + e * hole / 2), "hidden")
    side.line((-3, y), (t + 3, y), "centre")
    side.dim((0, 0), (long, 0), d.value(long), "bottom")
    side.dim((0, 0), (0, high), d.value(high), "left")
    side.dim((long, 0), (long, t), d.plain(t, "t" if d.chance(0.3) else ""), "right")
    middle = bend - bend * 0.7071
    side.leader((middle, middle), 225, d.radius(bend))
    w = wide / 2
    face.rectangle(-w, 0, w, high)
    face.line((-w, t), (w, t))
    pitch = wide - 2 * edge
    for x in (-pitch / 2, pitch / 2):
        face.hole((x, y), hole / 2)
    face.dim((-pitch / 2, y), (pitch / 2, y), d.value(pitch), "top")
    face.dim((-w, 0), (w, 0), d.value(wide), "bottom")
    face.dim((w, y), (w, high), d.plain(edge), "right")
    top.rectangle(0, -w, long, w)
    top.line((t, -w), (t, w))
    for x in xs:
        for yy in (-pitch / 2, pitch / 2):
            top.hole((x, yy), hole / 2)
    top.dim((xs[1], -pitch / 2), (xs[0], -pitch / 2), d.value(xs[0] - xs[1]), "bottom")
    top.dim((xs[0], -pitch / 2), (long, -w), d.plain(edge), "bottom")
    top.dim((xs[1], -pitch / 2), (xs[1], pitch / 2), d.value(pitch), "right")
    top.leader((xs[1], pitch / 2 + hole / 2), 115, d.dia(hole, 6))
    solid = (long + high - t) * t * wide - 6 * 0.785 * hole**2 * t
    return Design({(0, 0): side, (0, 1): face, (1, 0): top}, solid, (*STEELS, *LIGHT))
