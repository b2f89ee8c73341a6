"""The sheet around the views: border with zones, notes, table of changes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from drawops.drawings.synth.boxes import Box
from drawops.drawings.synth.drafting import Board, finish_sign
from drawops.drawings.synth.scene import Point
from drawops.drawings.synth.wording import CHANGES, FIELDS, Material

SIZES: dict[str, tuple[float, float]] = {
    "A4": (297.0, 210.0),
    "A4 portrait": (210.0, 297.0),
    "A3": (420.0, 297.0),
}


REVISION_ROW = 6.0
"""Height of a row of the table of changes, mm."""


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
    scale: str = ""
    sheet: str = ""


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


def notes(board: Board, box: Box, heading: str, lines: Sequence[str]) -> float:
    """Numbered notes from the top left of a box, wrapped to its width; returns the height that they take."""
    x, y = box[0], box[3]
    height = min(board.style.text_height, 3.0)
    wrapped = wrap_notes(board, lines, box[2] - box[0], height)
    while height > 1.8 and (len(wrapped) + 1.5) * height * 1.8 > box[3] - box[1]:
        height *= 0.93
        wrapped = wrap_notes(board, lines, box[2] - box[0], height)
    board.write(heading, (x, y - height * 1.4), height * 1.2, kind="note")
    for i, (indent, line) in enumerate(wrapped):
        board.write(line, (x + indent, y - height * (1.4 + 1.8 * (i + 1))), height, kind="note")
    return height * (1.8 + 1.8 * len(wrapped))


def wrap_notes(board: Board, lines: Sequence[str], width: float, height: float) -> list[tuple[float, str]]:
    """Numbered lines with their indent in mm; a long note goes on below its own beginning."""
    wrapped = []
    for i, note in enumerate(lines):
        indent, line = 0.0, f"{i + 1}. "
        hang = board.scene.measure(line, height)
        for piece in re.findall(r"[ -~µ]+?(?: |$)|[^ ]", note):
            if board.scene.measure(line + piece.rstrip(), height) > width - indent and line.strip():
                wrapped.append((indent, line.rstrip()))
                indent, line = hang, ""
            line += piece
        wrapped.append((indent, line.rstrip()))
    return wrapped


def revisions(board: Board, inside: Box, part: Part) -> None:
    """The table of changes in the upper right corner."""
    column = 1 if board.style.language == "zh" else 0
    x1, y1, row = inside[2], inside[3], REVISION_ROW
    widths = (12.0, 38.0, 24.0)
    letters = "ABCDEF"[: "ABCDEF".index(part.revision) + 1]
    rows = [tuple(FIELDS[f][column] for f in ("revision", "change", "date"))]
    rows += [(letter, CHANGES[min(i, 3)][column], part.date) for i, letter in enumerate(letters)]
    for i, row_texts in enumerate(rows):
        x, top = x1 - sum(widths), y1 - i * row
        for text, width in zip(row_texts, widths, strict=True):
            board.scene.rectangle(x, top - row, x + width, top, "thin")
            board.write(text, (x + width / 2, top - row / 2 - 1.1), 2.2, anchor="middle", kind="title")
            x += width
    board.taken.append((x1 - sum(widths), y1 - row * len(rows), x1, y1))


def rest_finish(board: Board, corner: Point, finish: str) -> None:
    """`Ra 6.3` for all surfaces that carry no sign of their own, right-aligned at an upper corner."""
    h = board.style.text_height
    text = FIELDS["rest"][1 if board.style.language == "zh" else 0]
    sign = board.scene.measure(finish, h * 0.85) + h * 2.4 + 4.0
    foot = corner[0] - sign, corner[1] - h * 3.4
    board.write(text, (foot[0] - h * 1.2, foot[1] + h * 0.3), h, anchor="end", kind="finish")
    finish_sign(board, foot, finish, h)


def data_table(board: Board, corner: Point, rows: Sequence[tuple[str, str]]) -> float:
    """Data of a gear or the like below an upper right corner; returns its left edge."""
    size, tall = 2.5, 6.5
    names = max(board.scene.measure(name, size) for name, _ in rows) + 4.0
    values = max(max(board.scene.measure(value, size) for _, value in rows) + 4.0, 16.0)
    left = corner[0] - names - values
    for i, (name, value) in enumerate(rows):
        top = corner[1] - i * tall
        board.scene.rectangle(left, top - tall, left + names, top, "thin")
        board.scene.rectangle(left + names, top - tall, corner[0], top, "thin")
        board.write(name, (left + 2.0, top - (tall + size) / 2), size, kind="table")
        middle = left + names + values / 2
        board.write(value, (middle, top - (tall + size) / 2), size, anchor="middle", kind="table")
    return left
