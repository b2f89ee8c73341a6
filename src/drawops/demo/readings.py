"""Readings of a page by several models, line beside line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from drawops.datasets import LabelledLine, LabelledPage, normalise
from drawops.drawings import open_drawing
from drawops.evaluation.report_data import ReadDrawing, ReadLine, picture


def compared_pages(
    path: Path,
    stock: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    labelled: Sequence[LabelledPage],
) -> list[ReadDrawing]:
    """The pages of a drawing with what the stock recogniser and two versions read there.

    Args:
        stock, before, after: readings in the form of `drawops read --format json`.
        labelled: the drawing's pages in its dataset version.
    """
    later = {page["page"]: page for page in after["pages"]}
    untaught = {page["page"]: page["lines"] for page in stock["pages"]}
    truth = {page.page: _as_opened(page) for page in labelled}
    pages = []
    with open_drawing(path) as drawing:
        for old in before["pages"]:
            number, new = old["page"], later.get(old["page"])
            if new is None:
                continue
            lines = pair_lines(old["lines"], new["lines"], truth.get(number, ()), stock=untaught.get(number))
            image = picture(drawing.page(number).image)
            size = {"width": new["width"], "height": new["height"]}
            pages.append(
                ReadDrawing(
                    name=path.name, page=number, picture=image, lines=lines, title_block=new.get("title_block"), **size
                )
            )
    return pages


def pair_lines(
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
    truth: Sequence[LabelledLine] = (),
    *,
    stock: Sequence[dict[str, Any]] | None = None,
) -> list[ReadLine]:
    """Lines of two readings of one page, paired by place. A line that only one of them has stands alone.

    Args:
        stock: a third reading, shown beside them where there is one.
    """
    rest = list(before)
    rows = []
    for line in after:
        old = _at(line["quad"], rest, lambda row: row["quad"])
        if old is not None:
            rest.remove(old)
        untaught = _at(line["quad"], stock or (), lambda row: row["quad"])
        label = _at(line["quad"], truth, lambda row: row.quad) if _holds_one(line["quad"], truth) else None
        rows.append(
            ReadLine(
                quad=line["quad"],
                stock=None if stock is None else untaught["text"] if untaught else "",
                before=old["text"] if old else None,
                after=line["text"],
                truth=normalise(label.text) if label else None,
                source=line["source"],
                dimension=line.get("dimension"),
            )
        )
    return rows + [ReadLine(quad=line["quad"], before=line["text"], source=line["source"]) for line in rest]


def _holds_one(quad: Any, labels: Sequence[LabelledLine]) -> bool:
    """Whether at most one label stands inside: a reading of several (a nominal with its deviations) has no label."""
    outline = np.asarray(quad, dtype=np.float32)
    centres = (np.asarray(label.quad, dtype=float).mean(0) for label in labels)
    return sum(cv2.pointPolygonTest(outline, (float(x), float(y)), False) >= 0 for x, y in centres) <= 1


def _as_opened(page: LabelledPage) -> list[LabelledLine]:
    """The labels in pixels of the page as it is opened; they are kept in those of the cleaned picture."""
    a, b, c, d, e, f = page.matrix
    back = np.linalg.inv(np.array([[a, b, c], [d, e, f], [0, 0, 1]]))
    moved = []
    for line in page.lines:
        corners = np.c_[np.asarray(line.quad), np.ones(4)] @ back.T
        moved.append(line.model_copy(update={"quad": tuple(map(tuple, corners[:, :2].tolist()))}))
    return moved


def _at(quad: Any, rows: Sequence[Any], quad_of: Any) -> Any:
    """The row at the same place: the nearest whose centre is less than half a line's height away across the line and
    half its length along it. None when there is none."""
    corners = np.asarray(quad, dtype=float)
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    length, height = np.linalg.norm(along) or 1.0, np.linalg.norm(across) or 1.0
    best, best_distance = None, np.inf
    for row in rows:
        offset = np.asarray(quad_of(row), dtype=float).mean(0) - corners.mean(0)
        x, y = abs(offset @ along) / length**2, abs(offset @ across) / height**2
        if x < 0.5 and y < 0.5 and x + y < best_distance:
            best, best_distance = row, x + y
    return best
