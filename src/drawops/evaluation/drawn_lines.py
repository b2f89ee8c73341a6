"""Text lines of drawings as the Reader meets them: what the file itself says is the truth, the picture is read.

A drawing with vector text (PDF, DXF) is rendered, made smaller and scanned badly, its lines are found by the
detector and cut as the Reader cuts them; so a recogniser is measured on the crops that it will get, with labels that
nobody had to write.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import cv2
import numpy as np

from drawops.datasets.text import normalise
from drawops.drawings import find_files, open_drawing
from drawops.drawings.model import Image, Page, TextLine
from drawops.drawings.synth.writers.scan import scan
from drawops.errors import DrawopsError
from drawops.ocr.boxes import Box, box_of_quad, overlap
from drawops.ocr.detector import Detector
from drawops.ocr.fitting import fit

SCALES = (1.0, 0.75, 0.6)  # of the rendered page: 200, 150 and 120 dpi


@dataclass(frozen=True)
class DrawnLine:
    """`image` is (H, W, 3) uint8 RGB, upright; `text` is normalised; `scan` is 0 for the page as rendered."""

    image: Image
    text: str
    drawing: str
    page: int
    scan: int


def drawn_lines(folder: Path, detector: Detector, *, scans: int = 2, seed: int = 0) -> Iterator[DrawnLine]:
    """Every line of the vector text of the drawings in `folder` that the detector finds whole, as it finds it.

    Args:
        scans: how many bad scans of each page are read beside the page as it is. seed: of the scans.
    """
    for path in find_files([folder]):
        try:
            with open_drawing(path) as drawing:
                for page in drawing.pages():
                    for number in range(scans + 1):
                        rng = Random(f"{seed}/{path.name}/{page.index}/{number}")
                        image, truth = _scanned(page, rng) if number else (page.image, page.lines)
                        for crop, text in _found(image, truth, detector):
                            yield DrawnLine(crop, text, path.name, page.index, number)
        except DrawopsError:
            continue  # a file that can't be opened has no lines


def _scanned(page: Page, rng: Random) -> tuple[Image, list[TextLine]]:
    scale = rng.choice(SCALES)
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    grey = cv2.cvtColor(cv2.resize(page.image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    grey, matrix = scan(np.asarray(grey, np.uint8), rng)
    moved = [(np.asarray(line.quad) * scale) @ matrix[:, :2].T + matrix[:, 2] for line in page.lines]
    lines = [replace(line, quad=tuple(map(tuple, quad))) for line, quad in zip(page.lines, moved, strict=True)]  # type: ignore[arg-type]
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8), lines


def _found(image: Image, truth: Sequence[TextLine], detector: Detector) -> Iterator[tuple[Image, str]]:
    """Crops of the lines for which there is one box of about their place and length."""
    boxes = [box_of_quad(line.quad) for line in truth]
    if not boxes:
        return
    found = detector.detect(image)
    for line, box in zip(truth, boxes, strict=True):
        text = normalise(line.text)
        near = [f for f in found if _holds(f, box) or _holds(box, f)]
        if not text or "\n" in line.text or len(near) != 1:
            continue
        fitted = fit(image, _turned_to(near[0], box.angle))
        shared = overlap(fitted.box, box)
        if shared > 0.6 * box.area and shared > 0.4 * fitted.box.area and fitted.box.length < 1.3 * box.length + 20:
            yield fitted.crop, text


def _holds(outer: Box, inner: Box) -> bool:
    """Does the middle of `inner` lie in `outer`?"""
    along, across = outer.axes
    gap = np.array([inner.x - outer.x, inner.y - outer.y])
    return bool(abs(gap @ along) < outer.length / 2 and abs(gap @ across) < outer.height / 2)


def _turned_to(box: Box, angle: float) -> Box:
    """The box read in that one of its four directions that is nearest to `angle`."""
    return min(
        (box.turned(t) for t in (0.0, 90.0, -90.0, 180.0)), key=lambda b: abs((b.angle - angle + 180) % 360 - 180)
    )
