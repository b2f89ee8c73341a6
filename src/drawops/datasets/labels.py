"""Label files beside drawings: PPOCRLabel's `Label.txt`, and `parts.csv` with the family of each part.

`Label.txt` has one picture a line, in UTF-8: its name, a tab, and a JSON list of lines
`{"transcription", "points": [[x, y] x 4], "difficult": false}`, points in reading order, in pixels of the page as
`open_drawing` gives it. Optional keys are `kind` (or PPOCRLabel's `key_cls`) and `angle`. The name is a file name or
`folder/file` (only the last part counts); `file.pdf#page=1` is page 1 of several, counted from 0.
Of `parts.csv` (`drawings.parts_list`) the column `family` is taken.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drawops.drawings.model import Quad, TextLine, quad_angle
from drawops.drawings.parts_list import PARTS_FILE, read_parts
from drawops.errors import InputRefused

LABEL_FILE = "Label.txt"

PageName = tuple[str, int]
"""File name and page number from 0."""


@dataclass(frozen=True)
class Labels:
    """What the label files of one folder say."""

    pages: Mapping[PageName, tuple[TextLine, ...]] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)

    def of(self, file: str, page: int) -> tuple[TextLine, ...] | None:
        """The labels of a page; None where the label file doesn't have it."""
        return self.pages.get((file, page))


def read_labels(folder: Path) -> Labels:
    """The labels beside the drawings of `folder`; empty where there are none.

    Raises:
        InputRefused: a label file is there and can't be read; it says which line.
    """
    pages: dict[PageName, tuple[TextLine, ...]] = {}
    parts: dict[str, dict[str, str]] = {}
    if (file := folder / LABEL_FILE).is_file():
        pages = parse_label_file(file)
    if (file := folder / PARTS_FILE).is_file():
        parts = read_parts(file)
    return Labels(pages, {name: family for name, row in parts.items() if (family := row.get("family", "").strip())})


def parse_label_file(file: Path) -> dict[PageName, tuple[TextLine, ...]]:
    """Lines marked `difficult` and transcriptions `###` (PaddleOCR's "don't care") are left out."""
    pages: dict[PageName, tuple[TextLine, ...]] = {}
    for number, row in enumerate(_text(file).splitlines(), start=1):
        if not row.strip():
            continue
        name, tab, content = row.partition("\t")
        try:
            items = json.loads(content) if tab else None
            if not isinstance(items, list):
                raise ValueError("no tab and list of lines")
            lines = tuple(_line(item) for item in items if _is_ground_truth(item))
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise InputRefused(
                f"{file}, line {number}", f"is not in PPOCRLabel's form ({exc}); mend or remove it"
            ) from exc
        pages[page_name(name)] = lines
    return pages


def write_label_file(file: Path, pages: Iterable[tuple[str, Iterable[TextLine]]]) -> None:
    """Write (name, lines) as PPOCRLabel reads them."""
    rows = []
    for name, lines in pages:
        items = [
            {
                "transcription": line.text,
                "points": [[round(x, 1), round(y, 1)] for x, y in line.quad],
                "difficult": False,
                "angle": round(line.angle, 1),
                **({"kind": line.kind} if line.kind else {}),
            }
            for line in lines
        ]
        rows.append(f"{name}\t{json.dumps(items, ensure_ascii=False)}\n")
    partial = file.with_name(file.name + ".partial")
    partial.write_text("".join(rows), encoding="utf-8")
    partial.replace(file)


def page_name(name: str) -> PageName:
    """`folder/file.pdf#page=1` -> ("file.pdf", 1)."""
    last = name.strip().replace("\\", "/").rpartition("/")[2]
    file, mark, page = last.rpartition("#page=")
    return (file, int(page)) if mark and page.isdigit() else (last, 0)


def _is_ground_truth(item: Mapping[str, Any]) -> bool:
    return not item.get("difficult") and item["transcription"] not in ("", "###")


def _line(item: Mapping[str, Any]) -> TextLine:
    points = [(float(x), float(y)) for x, y in item["points"]]
    if len(points) < 4:
        raise ValueError(f"'{item['transcription']}' has {len(points)} points instead of 4")
    quad = as_quad(points)
    return TextLine(
        text=str(item["transcription"]),
        quad=quad,
        angle=round(quad_angle(quad), 2),
        source="annotator",
        kind=str(item.get("kind") or item.get("key_cls") or "").replace("None", ""),
    )


def as_quad(points: list[tuple[float, float]]) -> Quad:
    """Four points as they are; of a polygon with more, the smallest rectangle around it, beginning near its first."""
    if len(points) == 4:
        return (points[0], points[1], points[2], points[3])
    import cv2
    import numpy as np

    corners = cv2.boxPoints(cv2.minAreaRect(np.array(points, np.float32)))
    if np.cross(corners[1] - corners[0], corners[2] - corners[1]) < 0:
        corners = corners[::-1]  # clockwise as seen, like the text
    start = int(np.argmin(np.linalg.norm(corners - np.array(points[0]), axis=1)))
    a, b, c, d = ((float(x), float(y)) for x, y in np.roll(corners, -start, axis=0))
    return (a, b, c, d)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InputRefused(str(file), "is not UTF-8 text; save it as UTF-8") from exc
