"""The printed form: border with zones, title block, notes, revision table."""

from dataclasses import dataclass
from random import Random

from drawops.drawings.synth.drafting import Board, Box
from drawops.drawings.synth.wording import FIELDS, Material

SIZES: dict[str, tuple[float, float]] = {
    "A4": (297.0, 210.0),
    "A4 portrait": (210.0, 297.0),
    "A3": (420.0, 297.0),
}


@dataclass(frozen=True)
class Part:
    """What the title block says of the part."""

    family: str
    name: str
    number: str
    material: Material
    material_text: str
    weight_kg: float
    date: str
    revision: str
    drawn: str
    checked: str
    firm: str


def border(board: Board, rng: Random) -> Box:
    """Draws the border, with zones on most sheets; returns the inside of it."""
    scene = board.scene
    w, h = scene.width, scene.height
    left = 20.0 if rng.random() < 0.4 else 10.0
    box = (left, 10.0, w - 10.0, h - 10.0)
    scene.rectangle(0.0, 0.0, w, h, "thin")
    scene.rectangle(*box)
    if rng.random() < 0.7:
        _zones(board, box)
    return box


def _zones(board: Board, box: Box) -> None:
    x0, y0, x1, y1 = box
    columns, rows, d = round((x1 - x0) / 50.0 / 2) * 2, max(2, round((y1 - y0) / 50.0 / 2) * 2), 5.0
    scene = board.scene
    scene.rectangle(x0 - d, y0 - d, x1 + d, y1 + d, "thin")
    for i in range(columns):
        a, b = x0 + (x1 - x0) * i / columns, x0 + (x1 - x0) * (i + 1) / columns
        for y, near in ((y0 - d, y0), (y1, y1 + d)):
            board.write(str(i + 1), ((a + b) / 2, y + 1.25), 2.5, anchor="middle", kind="zone")
            if i:
                scene.line((a, y), (a, near), "thin")
    for i in range(rows):
        a, b = y1 - (y1 - y0) * (i + 1) / rows, y1 - (y1 - y0) * i / rows
        for x, near in ((x0 - d, x0), (x1, x1 + d)):
            board.write("ABCDEFGH"[i], (x + d / 2, (a + b) / 2 - 1.25), 2.5, anchor="middle", kind="zone")
            if i:
                scene.line((x, b), (near, b), "thin")


class Form:
    """A table whose cells have a small caption and a value."""

    def __init__(self, board: Board, language: str) -> None:
        self.board = board
        self._column = 1 if language == "zh" else 0

    def cell(self, box: Box, caption: str = "", value: str = "", size: float = 3.5, line: str = "thin") -> None:
        x0, y0, x1, y1 = box
        self.board.scene.rectangle(x0, y0, x1, y1, line)  # type: ignore[arg-type]
        if caption:
            text = FIELDS[caption][self._column] if caption in FIELDS else caption
            height = 1.8
            if value:
                self.board.write(text, (x0 + 1.0, y1 - height - 1.0), height, kind="title")
            else:
                self.board.write(text, (x0 + 1.0, (y0 + y1 - 2.0) / 2), 2.0, kind="title")
        if value:
            while size > 1.6 and self.board.scene.measure(value, size) > x1 - x0 - 2.0:
                size *= 0.92
            middle = (y0 + y1 - size) / 2 - (1.0 if caption and y1 - y0 > size + 5 else 0.0)
            start = "start" if caption and y1 - y0 < size + 5 else "middle"
            at = (x0 + x1) / 2
            if start == "start":
                text = FIELDS[caption][self._column] if caption in FIELDS else caption
                used = self.board.scene.measure(text, 1.8) + 3.0
                at = (x0 + used + x1) / 2
                while size > 1.4 and self.board.scene.measure(value, size) > x1 - x0 - used - 1.0:
                    size *= 0.92
            self.board.write(value, (at, middle), size, anchor="middle", kind="title")


def title_block(board: Board, inside: Box, part: Part, scale: str, sheet: str) -> Box:
    """Draws the title block in the lower right corner; returns its box."""
    x1, y0 = inside[2], inside[1]
    width = min(180.0, x1 - inside[0])
    x0, y1 = x1 - width, y0 + 40.0
    form = Form(board, board.style.language)
    rows = (
        ("drawn", part.drawn, part.date),
        ("checked", part.checked, part.date),
        ("standard", "", ""),
        ("approved", "", ""),
    )
    board.scene.rectangle(x0, y0, x1, y1)
    for i, (field, who, when) in enumerate(rows):
        top = y1 - 10.0 - i * 7.5
        form.cell((x0, top - 7.5, x0 + 18, top), field)
        form.cell((x0 + 18, top - 7.5, x0 + 42, top), "", who, 2.5)
        form.cell((x0 + 42, top - 7.5, x0 + 64, top), "", when, 2.2)
    form.cell((x0, y1 - 10, x0 + 18, y1), "revision")
    form.cell((x0 + 18, y1 - 10, x0 + 42, y1), "", part.revision, 3.0)
    form.cell((x0 + 42, y1 - 10, x0 + 64, y1), "unit")
    form.cell((x0 + 64, y1 - 14, x0 + 122, y1), "material", part.material_text, 3.5)
    form.cell((x0 + 64, y0 + 10, x0 + 122, y1 - 14), "", part.firm, 3.5)
    form.cell((x0 + 64, y0, x0 + 84, y0 + 10), "scale", scale, 2.8)
    form.cell((x0 + 84, y0, x0 + 108, y0 + 10), "weight", f"{part.weight_kg:.2f} kg", 2.8)
    form.cell((x0 + 108, y0, x0 + 122, y0 + 10), "", sheet.split()[0], 3.5)
    form.cell((x0 + 122, y1 - 22, x1, y1), "name", part.name, 5.0)
    form.cell((x0 + 122, y0, x1, y1 - 22), "number", part.number, 4.5)
    return x0, y0, x1, y1


def notes(board: Board, box: Box, heading: str, lines: list[str]) -> None:
    """Numbered notes from the top left of a box."""
    x, y = box[0], box[3]
    height = min(board.style.text_height, 3.0)
    board.write(heading, (x, y - height * 1.3), height * 1.25, kind="note")
    for i, line in enumerate(lines):
        board.write(f"{i + 1}. {line}", (x, y - height * 1.3 - (i + 1) * height * 1.9), height, kind="note")
