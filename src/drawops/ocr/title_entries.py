"""The lines of a page with the cells that they stand in, as the search for title-block fields sees them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from drawops.drawings.model import Image, Quad, TextLine
from drawops.ocr.cells import Cell, Cells, usual_height
from drawops.ocr.title_words import label_of
from drawops.ocr.zones import zone_marks


@dataclass(frozen=True)
class Entry:
    """A line of the page, or the piece of it in one cell; `index` is the line's, pixels of the page."""

    index: int
    text: str
    left: float
    top: float
    right: float
    bottom: float
    cell: Cell | None
    label: tuple[str, int] | None

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> float:
        return self.bottom - self.top


def entries_of(lines: Sequence[TextLine], image: Image) -> tuple[list[Entry], Cells]:
    """The upright lines of a page (H, W, 3) from the top, but for the names of its zones, and its cells."""
    zones = zone_marks(lines, image.shape[1], image.shape[0])
    upright = [(i, line) for i, line in enumerate(lines) if abs(line.angle) < 10 and i not in zones]
    cells = Cells(image, usual_height([line.quad for _, line in upright]))
    found = []
    for i, line in upright:
        for text, quad in _by_cell(line, cells):
            corners = np.array(quad)
            (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
            found.append(Entry(i, text, left, top, right, bottom, cells.at(quad), label_of(text)))
    return sorted(found, key=lambda e: (e.top, e.left)), cells


def _by_cell(line: TextLine, cells: Cells) -> list[tuple[str, Quad]]:
    """A line in pieces where it was read across a rule, `0.13 1:1.5` of two cells; else as it is."""
    text = line.text.strip()
    (left, top), (right, bottom) = np.min(line.quad, axis=0), np.max(line.quad, axis=0)
    step = (right - left) / max(1, len(text))
    pieces: list[tuple[str, Quad, Cell | None]] = []
    for word in re.finditer(r"\S+", text):
        x0, x1 = left + word.start() * step, left + word.end() * step
        quad: Quad = ((x0, top), (x1, top), (x1, bottom), (x0, bottom))
        cell = cells.at(quad)
        if pieces and (cell is None or pieces[-1][2] == cell):
            before, (start, *_), _ = pieces.pop()
            quad = (start, (x1, top), (x1, bottom), (start[0], bottom))
            pieces.append((f"{before} {word.group()}", quad, cell))
        else:
            pieces.append((word.group(), quad, cell))
    return [(words, quad) for words, quad, _ in pieces] if len(pieces) > 1 else [(text, line.quad)]
