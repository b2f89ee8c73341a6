"""A whole sheet: a part's views laid out, dimensioned and annotated, in its printed form."""

from dataclasses import dataclass, replace
from random import Random

from shapely import LineString, MultiLineString, Polygon, STRtree, box
from shapely.ops import unary_union

from drawops.drawings.synth.base import FAMILIES, Design, Draughtsman
from drawops.drawings.synth.boxes import bounds, overlap
from drawops.drawings.synth.drafting import Board, Placed
from drawops.drawings.synth.forms import FORMS
from drawops.drawings.synth.layout import arrange, scale_text
from drawops.drawings.synth.scene import Arc, Scene, Stroke
from drawops.drawings.synth.sheet import REVISION_ROW, SIZES, Part, border, data_table, notes, rest_finish, revisions
from drawops.drawings.synth.style import Style, draw_style
from drawops.drawings.synth.typeface import typeface
from drawops.drawings.synth.wording import (
    CASTS,
    FIRMS,
    HEADINGS,
    LIGHT,
    NAMES,
    NOTES_ANY,
    NOTES_CAST,
    NOTES_LIGHT,
    NOTES_STEEL,
    PEOPLE,
)


@dataclass(frozen=True)
class DrawnPage:
    """A finished sheet and what it shows."""

    scene: Scene
    part: Part
    scale: str
    language: str


MARKED = 0.25
"""The part of the dimensions that carry the plant's own mark, where there is one."""
TRIES = 4
"""Parts tried before a drawing on which two texts touch is taken as it is."""


def draw_page(family: str, rng: Random, serial: str, *, mark: str = "") -> DrawnPage:
    """Draws one part on the smallest sheet on which it stands well.

    Where two texts would touch, another part of the family is drawn instead.
    """
    best: tuple[int, DrawnPage] | None = None
    for _ in range(TRIES):
        page = _try_page(family, Random(rng.getrandbits(64)), serial, mark)
        touching = _touching(page.scene)
        if best is None or touching < best[0]:
            best = touching, page
        if not touching:
            break
    assert best is not None
    return best[1]


def _touching(scene: Scene) -> int:
    """How many pairs of labels touch or lie off the sheet."""
    shapes = [Polygon(t.quad(0.15)) for t in scene.texts if t.label] + [Polygon(g.quad) for g in scene.groups]
    sheet = box(0, 0, scene.width, scene.height)
    first, second = STRtree(shapes).query(shapes, predicate="intersects")
    return int((first < second).sum()) + sum(not sheet.contains(shape) for shape in shapes)


def _try_page(family: str, rng: Random, serial: str, mark: str) -> DrawnPage:
    style = draw_style(rng)
    design = FAMILIES[family](Draughtsman(rng, style))
    if mark:
        _put_mark(design, mark, rng)
    part = _part(family, design, rng, style, serial)
    seed = rng.random()
    small = [rng.choice(("A4", "A4", "A4 portrait")), "A3"]
    sizes = ["A3"] if design.large or rng.random() < 0.25 else small
    for size in sizes:
        page = _draw(design, part, style, size, Random(seed))
        if page is not None and (page[1] >= 0.4 or size == sizes[-1]):
            return DrawnPage(page[0], part, scale_text(page[1]), style.language)
    raise RuntimeError(f"The {family} does not fit on an A3 sheet at 1:20.")


def _put_mark(design: Design, mark: str, rng: Random) -> None:
    for view in design.views.values():
        view.dims = [
            replace(dim, value=replace(dim.value, text=mark + dim.value.text)) if rng.random() < MARKED else dim
            for dim in view.dims
        ]
        view.leaders = [
            replace(leader, lines=(mark + leader.lines[0], *leader.lines[1:]))
            if leader.lines and leader.kind == "dimension" and rng.random() < MARKED
            else leader
            for leader in view.leaders
        ]


def _draw(design: Design, part: Part, style: Style, size: str, rng: Random) -> tuple[Scene, float] | None:
    width, height = SIZES[size]
    face = typeface(style.face, vector_symbols=style.vector_symbols)
    scene = Scene(width, height, face, style.wide)
    board = Board(scene, style, (0, 0, width, height))
    inside = border(board, rng)
    lines = _notes(design, rng, style)
    form, form_height = FORMS[style.form]
    beside = inside[2] - inside[0] > 300.0
    tall = 0.0 if beside else 3.0 * 1.8 * (len(lines) + 2) + 4.0
    head = 14.0 if design.rest_finish else 3.0
    corner = inside[2] - 6, inside[3] - 2
    changes = size == "A3" and rng.random() < 0.4
    if changes:
        head = max(head, REVISION_ROW * (2 + "ABCDEF".index(part.revision)) + 3.0)
    board.area = (inside[0] + 4, inside[1] + form_height + 3 + tall, inside[2] - 4, inside[3] - head)
    if design.table:
        left = data_table(board, (inside[2], inside[3] - head), design.table)
        board.area = (*board.area[:2], left - 6, board.area[3])
    arranged = arrange(board, design.views, largest=2.0 if rng.random() < 0.8 else 5.0)
    if arranged is None:
        return None
    scale, placed = arranged
    part = replace(part, scale=scale_text(scale), sheet=size.split()[0])
    block = form(board, (inside[2], inside[1]), part)
    right, low, high = inside[2] - 4, block[3] + 1, block[3] + tall
    if beside:
        right, low, high = block[0] - 4, inside[1] + 2, inside[1] + form_height - 2
    notes(board, (inside[0] + 6, low, right, high), HEADINGS[style.language == "zh"], lines)
    if changes:
        revisions(board, inside, part)
        corner = corner[0] - 78, corner[1]
    if design.rest_finish:
        rest_finish(board, corner, design.rest_finish)
    for view in placed:
        _geometry(board, view, rng)
    for view in placed:  # what has a fixed place comes first
        for cut in view.view.cuts:
            board.cut(view, cut)
        if view.view.title:
            _title(board, view)
        for mark in view.view.marks:
            board.mark(view, mark)
    for view in placed:
        board.linear(view)
        for angle in view.view.angles:
            board.angular(view, angle)
    for view in placed:
        for leader in view.view.leaders:
            board.leader(view, leader)
    _break_lines(scene)
    return scene, scale


def _geometry(board: Board, placed: Placed, rng: Random) -> None:
    """The view's lines on the sheet, cut areas hatched at 45°."""
    scene, k = board.scene, placed.scale
    for stroke in placed.view.strokes:
        scene.polyline([placed.at(p) for p in stroke.points], stroke.line, closed=stroke.closed)
    for arc in placed.view.arcs:
        scene.arcs.append(Arc(placed.at(arc.centre), arc.radius * k, arc.start, arc.end, arc.line))
    pitch = rng.choice((2.0, 2.5, 3.0, 3.5))
    for rings in placed.view.sections:
        outer, *holes = [[placed.at(p) for p in ring] for ring in rings]
        area = Polygon(outer).buffer(0).difference(unary_union([Polygon(hole) for hole in holes]))
        x0, y0, x1, y1 = area.bounds
        lines, start = [], x0 - (y1 - y0) - (x0 - y0) % (pitch * 1.4142)
        while start < x1:
            lines.append(LineString([(start, y0), (start + y1 - y0, y1)]))
            start += pitch * 1.4142
        for part in _parts(MultiLineString(lines).intersection(area)):
            scene.line(part.coords[0], part.coords[-1], "hatch")


def _title(board: Board, placed: Placed) -> None:
    x0, _, x1, _ = placed.box
    h = board.style.text_height * 1.3
    top = placed.origin[1] + placed.room - 7.5
    board.write(placed.view.title, ((x0 + x1) / 2, top), h, anchor="middle", kind="section")


def _break_lines(scene: Scene) -> None:
    """Breaks narrow lines where a text stands: no line may cross a dimension text (GB/T 4458.4)."""
    places = [(bounds(t.quad(0.5)), Polygon(t.quad(0.5))) for t in scene.texts if t.kind != "zone"]
    places += [(group.outline, box(*group.outline)) for group in scene.groups]
    kept: list[Stroke] = []
    for stroke in scene.strokes:
        if stroke.line not in ("centre", "hatch", "dimension", "hidden", "phantom"):
            kept.append(stroke)
            continue
        points = stroke.points + stroke.points[:1] if stroke.closed else stroke.points
        here = bounds(points)
        near = [
            shape for b, shape in places if overlap(b, (here[0] - 0.1, here[1] - 0.1, here[2] + 0.1, here[3] + 0.1))
        ]
        line = LineString(points)
        near = [shape for shape in near if line.intersects(shape)]
        if not near:
            kept.append(stroke)
            continue
        for shape in near:
            line = line.difference(shape)
        kept += [Stroke(list(part.coords), stroke.line) for part in _parts(line)]
    scene.strokes = kept


def _parts(shape: object) -> list[LineString]:
    if isinstance(shape, LineString):
        return [] if shape.is_empty else [shape]
    return [g for part in getattr(shape, "geoms", ()) for g in _parts(part)]


def _notes(design: Design, rng: Random, style: Style) -> list[str]:
    column = 1 if style.language == "zh" else 0
    special: tuple[tuple[str, str], ...] = NOTES_STEEL
    if any(m in CASTS for m in design.materials):
        special = NOTES_CAST
    elif any(m in LIGHT for m in design.materials):
        special = NOTES_LIGHT
    chosen = rng.sample(NOTES_ANY, rng.randint(2, 3)) + rng.sample(special, rng.randint(0, 1))
    lines = [pair[column].format(c=rng.choice((0.5, 1)), r=rng.choice((2, 3, 5))) for pair in chosen]
    return lines + design.notes


def _part(family: str, design: Design, rng: Random, style: Style, serial: str) -> Part:
    column = 1 if style.language == "zh" else 0
    material = rng.choice(tuple(design.materials))
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(2014, 2025)
    date = rng.choice((f"{year}-{month:02d}-{day:02d}", f"{year}.{month:02d}.{day:02d}"))
    if style.language == "en" and rng.random() < 0.5:
        date = f"{day:02d}.{month:02d}.{year}"
    people = rng.sample(PEOPLE, 2)
    return Part(
        family,
        rng.choice(NAMES[family][column]),
        f"{rng.choice(('DW', 'HX', 'MT', 'KV', 'B', 'ZJ'))}{serial[:2]}-{serial[2:]}",
        material,
        material.chinese if column else material.english,
        design.volume * material.density * 1e-6,
        date,
        rng.choice("ABCD"),
        people[0][column],
        people[1][column],
        rng.choice(FIRMS)[column],
    )
