"""Wheels with a keyed hub: V-belt pulley, spur gear, chain sprocket."""

from math import cos, pi, radians, sin, tan

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.numbers import key_for, keyway_deviation
from drawops.drawings.synth.scene import Point
from drawops.drawings.synth.turned import hub_bore, section, volume
from drawops.drawings.synth.view import Mark, Value, View
from drawops.drawings.synth.wording import CASTS, LIGHT, STEELS


def keyed_bore(d: Draughtsman, cut: View, face: View, width: float, bore: float) -> list[Point]:
    """A bore with its keyway in both views, dimensioned in the face; returns the bore's profile."""
    key = key_for(bore)
    hub_bore(face, bore, key)
    depth = bore + key.hub
    deviation = d.style.number(keyway_deviation(key.width) / 2)
    number = d.style.number(key.width)
    value = Value(f"{number}JS9") if d.chance(0.5) else Value(f"{number}±{deviation}")
    face.dim((-key.width / 2, bore / 2 + key.hub), (key.width / 2, bore / 2 + key.hub), value, "top")
    face.dim(
        (0, -bore / 2), (0, bore / 2 + key.hub), Value(d.style.number(depth), f"+{d.style.number(0.2)}", "0"), "right"
    )
    cut.line((0, bore / 2 + key.hub), (width, bore / 2 + key.hub))
    cut.dim((width, -bore / 2), (width, bore / 2), d.fit(bore, "H7"), "right")
    return [(0, bore / 2 + 1), (1, bore / 2), (width - 1, bore / 2), (width, bore / 2 + 1)]


def keyway_void(width: float, bore: float) -> list[Point]:
    """The part of the upper half of a section that the keyway takes away."""
    top = bore / 2 + key_for(bore).hub
    return [(0, bore / 2 - 1), (width, bore / 2 - 1), (width, top), (0, top)]


@family
def pulley(d: Draughtsman) -> Design:
    """A V-belt pulley in section with its face."""
    name, pitch, edge, deep, top = d.rng.choice(
        (("SPZ", 12.0, 8.0, 11.0, 9.7), ("SPA", 15.0, 10.0, 13.8, 12.7), ("SPB", 19.0, 12.5, 17.5, 16.3))
    )
    n = int(d.pick(1, 2, 2, 3, 4))
    datum = d.pick(80, 90, 100, 112, 125, 140, 160)
    angle = 34 if datum <= 118 else 38
    add = {"SPZ": 2.0, "SPA": 2.8, "SPB": 3.5}[name]
    outer, width = datum + 2 * add, 2 * edge + (n - 1) * pitch
    bore = d.pick(20, 24, 25, 28, 30, 35)
    hub = round(bore * 1.8)
    cut, face = View(), View()
    half = tan(radians(angle / 2)) * deep
    r = outer / 2
    outline: list[Point] = [(0, r)]
    for i in range(n):
        x = edge + i * pitch
        outline += [(x - top / 2, r), (x - top / 2 + half, r - deep), (x + top / 2 - half, r - deep), (x + top / 2, r)]
        cut.line((x, r + 3), (x, r - deep - 3), "centre")
    outline += [(width, r)]
    long = max(width, d.whole(width, width + 12, 4))
    rim = r - deep - d.pick(6, 7, 8)
    voids: list[list[Point]] = []
    web = rim - hub / 2 > 12 and width > 24
    if web:
        t = round(width * 0.36)
        a, b = (width - t) / 2, (width + t) / 2
        for x0, x1 in ((0.0, a), (b, width)):
            voids.append([(x0, hub / 2), (x1, hub / 2), (x1, rim), (x0, rim)])
        for sign in (1, -1):
            cut.polyline([(0, sign * rim), (a, sign * rim), (a, sign * hub / 2), (0, sign * hub / 2)])
            cut.polyline([(width, sign * rim), (b, sign * rim), (b, sign * hub / 2), (width, sign * hub / 2)])
        cut.dim((a, -rim), (b, -rim), d.plain(t), "bottom")
        face.circle((0, 0), rim)
    if long > width:
        outline += [(width, hub / 2), (long - 1, hub / 2), (long, hub / 2 - 1)]
        cut.dim((0, -r), (long, -hub / 2), d.value(long), "bottom")
    inner = keyed_bore(d, cut, face, long, bore)
    section(cut, outline, inner, voids, keyway_void(long, bore))
    cut.dim((0, -r), (width, -r), d.value(width), "bottom")
    cut.dim((0, r), (edge, r), d.plain(edge), "top")
    if n > 1:
        cut.dim((edge, r), (edge + pitch, r), Value(f"{d.style.number(pitch)}±{d.style.number(0.3)}"), "top")
    cut.dim((0, -r), (0, r), d.plain(outer, "⌀"), "left")
    cut.dim((edge, -datum / 2), (edge, datum / 2), d.value(datum, "⌀", p=0.2), "left")
    cut.dim((long, -hub / 2), (long, hub / 2), d.plain(hub, "⌀"), "right")
    x = edge + (n - 1) * pitch
    cut.leader((x + top / 2 - half * 0.6, r - deep * 0.6), 45, f"{angle}°±{d.style.number(0.5)}°")
    cut.marks.append(Mark("datum", (long, -(hub + bore) / 4), 0, "A"))
    cut.leader((0, r * 0.85), 150, frame=d.gdt("↗", d.pick(0.1, 0.2), "A"))
    cut.marks.append(Mark("finish", (edge / 4, r), 90, d.roughness(3.2)))
    for radius in (r, hub / 2):
        face.circle((0, 0), radius)
    face.circle((0, 0), datum / 2, "centre")
    face.centre_mark((0, 0), r)
    solid = volume(outline) - volume(inner)
    return Design({(0, 0): cut, (0, 1): face}, solid, (*CASTS, *LIGHT[:1]), rest_finish=d.rest())


def gear_table(d: Draughtsman, rows: list[tuple[str, str, str, str]]) -> list[tuple[str, str]]:
    """Rows (English, sign, Chinese, value) in the office's language."""
    return [
        (d.style.say(f"{english} {sign}".strip(), f"{chinese} {sign}".strip()), value)
        for english, sign, chinese, value in rows
    ]


@family
def spur_gear(d: Draughtsman) -> Design:
    """A spur gear: section with teeth uncut, face, table of data."""
    module = d.pick(1.5, 2, 2.5, 3, 4)
    z = int(d.whole(22, 60))
    pitch, outer, root = module * z, module * (z + 2), module * (z - 2.5)
    width = round(module * d.pick(8, 9, 10))
    bore = max(12.0, min(50.0, 5 * round(pitch * 0.28 / 5)))
    hub = round(bore * 1.7)
    r, c = outer / 2, 1.0 if module < 3 else 1.5
    cut, face = View(), View()
    outline = [(0, r - c), (c, r), (width - c, r), (width, r - c)]
    voids: list[list[Point]] = [[(0, root / 2), (width, root / 2), (width, r + 1), (0, r + 1)]]
    rim = root / 2 - 3 * module
    if rim - hub / 2 > 10 and width > 14:
        a = round(width * 0.3)
        for x0, x1 in ((0.0, a), (width - a, width)):
            voids.append([(x0, hub / 2), (x1, hub / 2), (x1, rim), (x0, rim)])
        for sign in (1, -1):
            cut.polyline([(0, sign * rim), (a, sign * rim), (a, sign * hub / 2), (0, sign * hub / 2)])
            cut.polyline(
                [(width, sign * rim), (width - a, sign * rim), (width - a, sign * hub / 2), (width, sign * hub / 2)]
            )
        face.circle((0, 0), rim)
        if rim - hub / 2 > 18:
            place, hole = (rim + hub / 2) / 2, round((rim - hub / 2) * 0.55)
            n = int(d.pick(4, 6))
            face.circle((0, 0), place, "centre")
            for i in range(n):
                angle = radians(360 * i / n)
                face.circle((place * cos(angle), place * sin(angle)), hole / 2)
            at = radians(360 / n)
            tip = place * cos(at) + hole / 2 * 0.7, place * sin(at) + hole / 2 * 0.7
            face.leader(tip, 40, d.dia(hole, n))
            face.dim((-place, 0), (place, 0), d.plain(2 * place, "⌀"), "bottom")
        cut.dim((width, -hub / 2), (width, hub / 2), d.plain(hub, "⌀"), "right")
        cut.dim((width, -rim), (width, rim), d.plain(round(2 * rim, 1), "⌀"), "right")
    inner = keyed_bore(d, cut, face, width, bore)
    section(cut, outline, inner, voids, keyway_void(width, bore))
    for sign in (1, -1):
        cut.line((0, sign * root / 2), (width, sign * root / 2))
        cut.line((-3, sign * pitch / 2), (width + 3, sign * pitch / 2), "centre")
    cut.dim((0, -r), (width, -r), d.value(width), "bottom")
    cut.dim((0, -r), (0, r), d.fit(outer, "h9") if outer <= 250 else d.plain(outer, "⌀"), "left")
    cut.dim((0, -pitch / 2), (0, pitch / 2), d.plain(pitch, "⌀"), "left")
    cut.leader((width - c / 2, r - c / 2), 50, d.chamfer(c, 2))
    cut.marks.append(Mark("datum", (width, -(root / 2 + rim) / 2), 0, "A"))
    cut.leader((0, (root / 2 + hub / 2) / 2), 155, frame=d.gdt(d.rng.choice("↗⊥"), d.pick(0.02, 0.03), "A"))
    cut.marks.append(Mark("finish", (width * 0.5, r), 90, d.roughness(1.6, 3.2)))
    face.circle((0, 0), r)
    face.circle((0, 0), pitch / 2, "centre")
    if rim - hub / 2 > 10:
        face.circle((0, 0), hub / 2)
    face.centre_mark((0, 0), r)
    span = round(z / 9 + 0.5)
    wk = module * (1.476 * (2 * span - 1) + 0.01387 * z)
    rows = [
        ("MODULE", "m", "模数", d.style.number(module)),
        ("TEETH", "z", "齿数", str(z)),
        ("PRESSURE ANGLE", "α", "压力角", "20°"),
        ("ACCURACY", "", "精度等级", d.rng.choice(("7", "8-7-7", "8", "7FL"))),
        ("PROFILE SHIFT", "x", "变位系数", "0"),
        (f"SPAN OVER {span} TEETH", "W", f"跨{span}齿公法线长度", d.style.number(wk)),
    ]
    solid = volume([(0, pitch / 2), (width, pitch / 2)]) - volume(inner)
    return Design(
        {(0, 0): cut, (0, 1): face}, solid, STEELS[:3], table=gear_table(d, rows), rest_finish=d.rest(), large=True
    )


@family
def sprocket(d: Draughtsman) -> Design:
    """A roller-chain sprocket: all teeth drawn, with a hub on one side."""
    chain, p, roller, tooth = d.rng.choice(
        (
            ("06B-1", 9.525, 6.35, 5.3),
            ("08B-1", 12.7, 8.51, 7.2),
            ("10B-1", 15.875, 10.16, 9.1),
            ("12B-1", 19.05, 12.07, 11.1),
        )
    )
    z = int(d.whole(13, 32))
    pitch = p / sin(pi / z)
    outer = round(p * (0.6 + 1 / tan(pi / z)), 1)
    root = pitch - roller
    bore = max(10.0, min(40.0, 5 * round(pitch * 0.22 / 5)))
    hub, long = round(bore * 1.75), round(tooth + d.pick(14, 18, 22, 25))
    hub = min(hub, round(root - 6))
    cut, face = View(), View()
    r, c = outer / 2, min(1.5, tooth * 0.15)
    outline = [(0, r - 2.5 * c), (c, r), (tooth - c, r), (tooth, r - 2.5 * c), (tooth, hub / 2)]
    outline += [(long - 1, hub / 2), (long, hub / 2 - 1)]
    inner = keyed_bore(d, cut, face, long, bore)
    teeth = [(0, root / 2), (tooth, root / 2), (tooth, r + 1), (0, r + 1)]
    section(cut, outline, inner, [teeth], keyway_void(long, bore))
    for sign in (1, -1):
        cut.line((0, sign * root / 2), (tooth, sign * root / 2))
        cut.line((-3, sign * pitch / 2), (tooth + 3, sign * pitch / 2), "centre")
    cut.dim((0, -r), (tooth, -r), d.value(tooth, p=0.6), "bottom")
    cut.dim((0, -r), (long, -hub / 2), d.value(long), "bottom")
    cut.dim((0, -r), (0, r), d.plain(outer, "⌀"), "left")
    cut.dim((long, -hub / 2), (long, hub / 2), d.plain(hub, "⌀"), "right")
    cut.dim((0, -root / 2), (0, root / 2), Value("⌀" + d.style.number(root, 2), "0", f"-{d.style.number(0.2)}"), "left")
    cut.marks.append(Mark("datum", (long, -(hub + bore) / 4), 0, "A"))
    cut.leader((tooth, r * 0.85), 35, frame=d.gdt("↗", d.pick(0.1, 0.15, 0.2), "A"))
    cut.marks.append(Mark("finish", (tooth + (long - tooth) * 0.4, hub / 2), 90, d.roughness(3.2, 6.3)))
    face.polyline(_teeth(z, pitch / 2, roller / 2, outer / 2), closed=True)
    face.circle((0, 0), pitch / 2, "centre")
    face.circle((0, 0), hub / 2)
    face.centre_mark((0, 0), r)
    rows = [
        ("CHAIN NO.", "", "链号", chain),
        ("PITCH", "p", "节距", d.style.number(p)),
        ("TEETH", "z", "齿数", str(z)),
        ("ROLLER DIAMETER", "", "滚子直径", d.style.number(roller)),
        ("PITCH DIAMETER", "d", "分度圆直径", d.style.number(pitch, 2)),
    ]
    solid = volume([(0, pitch / 2), (tooth, pitch / 2), (tooth, hub / 2), (long, hub / 2)]) - volume(inner)
    return Design(
        {(0, 0): cut, (0, 1): face}, solid, STEELS[:3], table=gear_table(d, rows), rest_finish=d.rest(), large=True
    )


def _teeth(z: int, pitch: float, roller: float, outer: float) -> list[Point]:
    """The outline of a sprocket: roller seats joined by teeth; all radii in mm."""
    points: list[Point] = []
    for i in range(z):
        middle = 2 * pi * i / z
        cx, cy = pitch * cos(middle), pitch * sin(middle)
        for step in range(-5, 6):  # the seat, from its left flank over the root to its right flank
            a = middle + pi - radians(step * 12)
            points.append((cx + roller * cos(a), cy + roller * sin(a)))
        tip, thin = middle + pi / z, 0.08 * 2 * pi / z
        points += [
            (outer * cos(tip - thin), outer * sin(tip - thin)),
            (outer * cos(tip + thin), outer * sin(tip + thin)),
        ]
    return points
