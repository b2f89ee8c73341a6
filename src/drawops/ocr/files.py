"""Reading whole files: a drawing in, what `drawops read --format json` prints out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from drawops.dimensions import parse_dimension
from drawops.drawings import open_drawing
from drawops.drawings.cleaning import move_lines, turn_page
from drawops.drawings.model import Page, TextLine
from drawops.drawings.orientation import turns_to_upright
from drawops.drawings.paper import legible
from drawops.errors import InputRefused
from drawops.ocr.reader import Reader
from drawops.ocr.recogniser import SURE
from drawops.ocr.title_block import TitleBlock, read_title_block
from drawops.ocr.zones import zone_marks

_MOSTLY = 0.5
_LEGIBLE = 8, 12  # pixels of a page's shorter and longer side that one legible character takes


@dataclass(frozen=True)
class PageReading:
    """`lines` in pixels of the page as it was opened; `others` are the indices of those that belong to the title block
    or to the border, and so are no dimensions."""

    lines: tuple[TextLine, ...]
    title_block: TitleBlock | None
    others: frozenset[int]


def read_upright(page: Page, reader: Reader, *, use_vector_text: bool = True) -> PageReading:
    """Read a page the way up that its text asks for: scans lie on their side or on their head. One on dark ground is read
    as if it stood on white."""
    page = replace(page, image=legible(page.image))
    lines = reader.read_page(page, use_vector_text=use_vector_text)
    if turns := _turns_needed(lines, page):
        page, matrix = turn_page(page, turns)
        lines = reader.read_page(page, use_vector_text=use_vector_text)
    block = read_title_block(lines, page.image)
    others = zone_marks(lines, page.width, page.height) | (block.members if block else frozenset())
    back = cv2.invertAffineTransform(matrix) if turns else None
    return PageReading(tuple(lines) if back is None else move_lines(tuple(lines), np.asarray(back)), block, others)


def _turns_needed(lines: Sequence[TextLine], page: Page) -> int:
    """Counter-clockwise quarter turns that put the page upright. Most pages read well and level, and are not looked at
    again."""
    characters = sum(len(line.text) for line in lines)
    level = sum(len(line.text) for line in lines if abs(line.angle) < 20 and line.score >= SURE)
    return 0 if characters and level > _MOSTLY * characters else turns_to_upright(page.image)[0]


def read_file(path: Path | str, reader: Reader, *, model: str, use_vector_text: bool = True) -> dict[str, Any]:
    """Read every page of a drawing.

    Args:
        model: the label of the reader's model version, as it is to stand in the result.
    Returns:
        {"file", "model", "pages": [{"page" (from 0), "width", "height" (pixels), "dpi", "detector", "title_block", "lines":
        [{"text", "quad": [[x, y] * 4], "angle", "score", "source": "ocr" | "vector"}]}]}.
        A line that is a dimension also has "dimension": {"kind", "count", "nominal", "upper", "lower", "fit", "unit"},
        see `drawops.dimensions`; numbers in the title block and of the border's zones are none.
        "detector" is what found the lines: {"name", "sha256"}.
        "title_block" is {"name", "number", "material", "scale", "weight", "date", "revision"}, each a text or None;
        it is None for a page without a title block.
    Raises:
        InputRefused: the file can't be read as a drawing, or a page is too small for anything legible.
    """
    pages = []
    with open_drawing(path) as drawing:
        for page in drawing.pages():
            _refuse_if_tiny(drawing.name, page)
            pages.append(page_reading(page, reader, use_vector_text=use_vector_text))
    return {"file": str(path), "model": model, "pages": pages}


def _refuse_if_tiny(name: str, page: Page) -> None:
    sides = sorted((page.width, page.height))
    if sides[0] < _LEGIBLE[0] or sides[1] < _LEGIBLE[1]:
        raise InputRefused(
            name,
            f"page {page.index} has {page.width} x {page.height} pixels, too few for a legible character; "
            "scan or export the drawing at 200 dpi or more",
        )


def page_reading(page: Page, reader: Reader, *, use_vector_text: bool = True) -> dict[str, Any]:
    """One entry of "pages" of `read_file`."""
    read = read_upright(page, reader, use_vector_text=use_vector_text)
    return {
        "page": page.index,
        "width": page.width,
        "height": page.height,
        "dpi": round(float(page.dpi), 2),
        "detector": dict(reader.found_by),
        "title_block": read.title_block.fields if read.title_block else None,
        "lines": [_entry(line, measures=i not in read.others) for i, line in enumerate(read.lines)],
    }


def _entry(line: TextLine, *, measures: bool) -> dict[str, Any]:
    dimension = parse_dimension(line.text) if measures else None
    return line.to_dict() | ({"dimension": dimension.to_dict()} if dimension else {})
