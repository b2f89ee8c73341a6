"""Title blocks: a short one, the one of GB/T 10609.1, and one as 3D CAD systems print it."""

from collections.abc import Callable

from drawops.drawings.synth.boxes import Box
from drawops.drawings.synth.drafting import Board
from drawops.drawings.synth.scene import LineType
from drawops.drawings.synth.sheet import Part
from drawops.drawings.synth.wording import FIELDS


class Form:
    """A table whose cells have a small caption and a value. `at` is its lower left corner."""

    def __init__(self, board: Board, at: tuple[float, float], width: float, height: float) -> None:
        self.board = board
        self._at = at
        self._column = 1 if board.style.language == "zh" else 0
        board.scene.rectangle(at[0], at[1], at[0] + width, at[1] + height)

    def word(self, field: str) -> str:
        return FIELDS[field][self._column]

    def cell(
        self, x: float, y: float, w: float, h: float, caption: str = "", value: str = "", size: float = 3.5
    ) -> None:
        """A cell at (x, y) from the form's corner: the caption small in its upper left, the value in the middle.

        A caption without a value stands in the middle of a low cell.
        """
        board, x0, y0 = self.board, self._at[0] + x, self._at[1] + y
        board.scene.rectangle(x0, y0, x0 + w, y0 + h, self._line)
        text = self.word(caption) if caption else ""
        small = 1.8
        if text and not value and h <= 9.0:
            size = self._shrunk(text, 2.4, w - 1.6)
            board.write(text, (x0 + w / 2, y0 + (h - size) / 2), size, anchor="middle", kind="title")
            return
        if text:
            board.write(text, (x0 + 1.0, y0 + h - small - 0.9), self._shrunk(text, small, w - 1.6), kind="title")
        if value:
            room = h - (small + 1.8 if text else 0.0)
            size = self._shrunk(value, min(size, room - 1.0), w - 2.0)
            board.write(value, (x0 + w / 2, y0 + (room - size) / 2), size, anchor="middle", kind="title")

    _line: LineType = "thin"

    def _shrunk(self, text: str, size: float, width: float) -> float:
        wide = self.board.scene.measure(text, size)
        return size if wide <= width else size * width / wide

    def lines(self, x: float, top: float, texts: list[str], size: float = 1.8) -> None:
        for i, text in enumerate(texts):
            self.board.write(text, (self._at[0] + x, self._at[1] + top - (i + 1) * size * 1.75), size, kind="title")

    def projection(self, x: float, y: float, w: float, h: float) -> None:
        """The sign of first-angle projection: a cone from the side, and from its end."""
        scene, x0, y0 = self.board.scene, self._at[0] + x, self._at[1] + y
        scene.rectangle(x0, y0, x0 + w, y0 + h, self._line)
        r, middle = min(h * 0.32, w * 0.14), y0 + h / 2
        left, right = x0 + w * 0.18, x0 + w * 0.46
        scene.polyline(
            [(left, middle - r / 2), (right, middle - r), (right, middle + r), (left, middle + r / 2)],
            "visible",
            closed=True,
        )
        eye = x0 + w * 0.74, middle
        scene.circle(eye, r)
        scene.circle(eye, r / 2)
        scene.line((left - 1.0, middle), (right + 1.0, middle), "thin")
        scene.line((eye[0] - r - 1.0, middle), (eye[0] + r + 1.0, middle), "thin")
        scene.line((eye[0], middle - r - 1.0), (eye[0], middle + r + 1.0), "thin")


def short_form(board: Board, corner: tuple[float, float], part: Part) -> Box:
    """180 × 40 mm: people on the left, material and firm, name and number."""
    form = Form(board, (corner[0] - 180.0, corner[1]), 180.0, 40.0)
    rows = (
        ("approved", "", ""),
        ("standard", "", ""),
        ("checked", part.checked, part.date),
        ("drawn", part.drawn, part.date),
    )
    for i, (field, who, when) in enumerate(rows):
        form.cell(0, i * 7.5, 18, 7.5, field)
        form.cell(18, i * 7.5, 24, 7.5, "", who, 2.5)
        form.cell(42, i * 7.5, 22, 7.5, "", when, 2.2)
    form.cell(0, 30, 18, 10, "revision", part.revision)
    form.cell(18, 30, 24, 10, "quantity", "1")
    form.cell(42, 30, 22, 10, "unit")
    form.cell(64, 26, 58, 14, "material", part.material_text)
    form.cell(64, 10, 58, 16, "", part.firm, 4.0)
    form.cell(64, 0, 20, 10, "scale", part.scale, 2.8)
    form.cell(84, 0, 22, 10, "weight", f"{part.weight_kg:.2f} kg", 2.8)
    form.cell(106, 0, 16, 10, "size", part.sheet, 2.8)
    form.cell(122, 18, 58, 22, "name", part.name, 5.0)
    form.cell(122, 0, 58, 18, "number", part.number, 4.5)
    return corner[0] - 180.0, corner[1], corner[0], corner[1] + 40.0


def gb_form(board: Board, corner: tuple[float, float], part: Part) -> Box:
    """180 × 56 mm after GB/T 10609.1."""
    form = Form(board, (corner[0] - 180.0, corner[1]), 180.0, 56.0)
    widths = (10.0, 10.0, 16.0, 16.0, 12.0, 16.0)
    for row in range(4):
        x = 0.0
        for width, field in zip(widths, ("mark", "places", "zone", "document", "who", "date"), strict=True):
            form.cell(x, 28 + row * 7, width, 7, field if row == 0 else "")
            x += width
    left = (("process", ""), ("checked", part.checked), ("proofread", ""), ("drawn", part.drawn))
    right = (("approved", ""), ("", ""), ("", ""), ("standard", ""))
    for row, ((field, who), (other, whom)) in enumerate(zip(left, right, strict=True)):
        y = row * 7.0
        form.cell(0, y, 12, 7, field)
        form.cell(12, y, 12, 7, "", who, 2.4)
        form.cell(24, y, 16, 7, "", part.date if who else "", 2.2)
        form.cell(40, y, 12, 7, other)
        form.cell(52, y, 12, 7, "", whom, 2.4)
        form.cell(64, y, 16, 7)
    form.cell(80, 28, 50, 28, "", part.material_text, 5.0)
    for x, width, field, value in ((80, 26, "stage", part.revision), (106, 12, "weight", f"{part.weight_kg:.2f}")):
        form.cell(x, 19, width, 9, field)
        form.cell(x, 10, width, 9, "", value, 3.0)
    form.cell(118, 19, 12, 9, "scale")
    form.cell(118, 10, 12, 9, "", part.scale, 3.0)
    form.cell(80, 0, 50, 10, "sheet")
    form.cell(130, 38, 50, 18, "", part.firm, 4.5)
    form.cell(130, 18, 50, 20, "", part.name, 5.5)
    form.cell(130, 0, 50, 18, "", part.number, 5.0)
    return corner[0] - 180.0, corner[1], corner[0], corner[1] + 56.0


def cad_form(board: Board, corner: tuple[float, float], part: Part) -> Box:
    """180 × 50 mm: general tolerances, people, projection, title and number."""
    form = Form(board, (corner[0] - 180.0, corner[1]), 180.0, 50.0)
    form.cell(0, 30, 62, 20)
    form.lines(1.5, 48.6, [form.word(f) for f in ("unless", "in_mm", "linear", "angular")])
    rows = (
        ("approved", "", ""),
        ("process", "", ""),
        ("checked", part.checked, part.date),
        ("drawn", part.drawn, part.date),
    )
    for i, (field, who, when) in enumerate(rows):
        form.cell(0, i * 6, 18, 6, field)
        form.cell(18, i * 6, 24, 6, "", who, 2.2)
        form.cell(42, i * 6, 20, 6, "", when, 2.0)
    form.cell(0, 24, 18, 6)
    form.cell(18, 24, 24, 6, "who")
    form.cell(42, 24, 20, 6, "date")
    form.projection(62, 30, 28, 20)
    form.cell(90, 30, 90, 20, "", part.firm, 5.0)
    form.cell(62, 14, 38, 16, "material", part.material_text)
    form.cell(62, 0, 38, 14, "weight", f"{part.weight_kg:.3f} kg", 3.0)
    form.cell(100, 14, 80, 16, "name", part.name, 5.0)
    form.cell(100, 6, 66, 8, "", part.number, 4.5)
    form.cell(166, 6, 14, 8, "revision", part.revision, 3.0)
    form.cell(100, 0, 20, 6, "", part.sheet, 3.0)
    form.cell(120, 0, 24, 6, "", f"{form.word('scale')} {part.scale}", 2.2)
    form.cell(144, 0, 36, 6, "sheet")
    return corner[0] - 180.0, corner[1], corner[0], corner[1] + 50.0


FORMS: dict[str, tuple[Callable[[Board, tuple[float, float], Part], Box], float]] = {
    "short": (short_form, 40.0),
    "gb": (gb_form, 56.0),
    "cad": (cad_form, 50.0),
}
"""Each with its height in mm; all are 180 mm wide."""
