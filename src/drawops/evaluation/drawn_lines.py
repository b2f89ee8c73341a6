"""Text lines of drawings as the Reader meets them: what the file itself says is the truth, the picture is read.

A drawing with vector text (PDF, DXF) is rendered, made smaller and scanned badly, its lines are found by the
detector and cut as the Reader cuts them; so a recogniser is measured on the crops that it will get, with labels that
nobody had to write.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from drawops.datasets.text import normalise
from drawops.dimensions import parse_dimension
from drawops.drawings import find_files, open_drawing
from drawops.drawings.model import Image, TextLine
from drawops.drawings.symbols import PARTIAL
from drawops.drawings.synth.lines import drawing_lines, general_lines
from drawops.drawings.synth.surroundings import placed_lines
from drawops.drawings.synth.texts import rare_text
from drawops.errors import DrawopsError
from drawops.evaluation.conditions import resized, scanned
from drawops.evaluation.text import cer, exact_match, symbol_recall
from drawops.ocr.boxes import Box, box_of_quad, overlap
from drawops.ocr.detector import Detector
from drawops.ocr.fitting import fit
from drawops.ocr.recogniser import Recogniser

TAUGHT = frozenset("⌀⌖⏥⌭◎⌯⌒⌓⌰↗⌴⌵↧ⓂⒺⓁⓅ")  # symbols that the stock recogniser reads as something else or not at all
SCALES = (1.0, 0.75, 0.6)  # of the rendered page: 200, 150 and 120 dpi


@dataclass(frozen=True)
class DrawnLine:
    """`image` is (H, W, 3) uint8 RGB, upright; `text` is normalised; `scan` is 0 for the page as rendered."""

    image: Image
    text: str
    drawing: str
    page: int
    scan: int


@dataclass(frozen=True)
class DrawnScore:
    """How a model reads lines: exact match and CER, spaces aside, of all lines and of those that are dimensions; and
    how many of the drawing symbols (⌀, GD&T, depths …) in them it reads."""

    model: str
    lines: int
    exact: float
    cer: float
    dimensions: int
    dimensions_exact: float
    symbols: int
    symbols_read: int
    misread: tuple[tuple[str, str], ...]
    """(what stands there, what is read)"""


def score(model: str, recogniser: Recogniser, lines: Sequence[DrawnLine]) -> DrawnScore:
    truth = [line.text.replace(" ", "") for line in lines]
    read = [normalise(r.text).replace(" ", "") for r in recogniser.read([line.image for line in lines])]
    measures = [i for i, text in enumerate(truth) if parse_dimension(text)]
    places = [counts for symbol, counts in symbol_recall(truth, read).items() if symbol in TAUGHT]
    return DrawnScore(
        model,
        len(lines),
        exact_match(truth, read),
        cer(truth, read),
        len(measures),
        exact_match([truth[i] for i in measures], [read[i] for i in measures]) if measures else 0.0,
        sum(seen for _, seen in places),
        sum(right for right, _ in places),
        tuple((a, b) for a, b in zip(truth, read, strict=True) if a != b),
    )


def generated_lines(n: int, seed: int) -> dict[str, list[DrawnLine]]:
    """`n` generated lines of each kind in fonts that nothing is trained on, by kind; those among what surrounds them on
    a drawing cut out as the Reader cuts."""
    placed = ((fit(x.image, box_of_quad(x.quad)).crop, x.text) for x in placed_lines(n, seed=seed, fonts="held_out"))
    drawing = ((x.image, x.text) for x in drawing_lines(n, seed=seed, fonts="held_out"))
    general = ((x.image, x.text) for x in general_lines(n, seed=seed, fonts="held_out"))
    rare = ((x.image, x.text) for x in general_lines(n, seed=seed, fonts="held_out", text=rare_text))
    kinds = {"drawing": drawing, "drawing, in place": placed, "general": general, "seldom Chinese": rare}
    return {
        kind: [DrawnLine(image, normalise(text), "", 0, 0) for image, text in found] for kind, found in kinds.items()
    }


def drawn_lines(folder: Path, detector: Detector, *, scans: int = 2, seed: int = 0) -> Iterator[DrawnLine]:
    """Every line of the vector text of the drawings in `folder` that the detector finds whole, as it finds it.

    Lines beside which the picture shows a symbol that the text lacks are left out, and so is a file that can't be read.

    Args:
        scans: how many bad scans of each page are read beside the page as it is. seed: of the scans.
    """
    for path in find_files([folder]):
        try:
            with open_drawing(path) as drawing:
                for page in drawing.pages():
                    for number in range(scans + 1):
                        rng = Random(f"{seed}/{path.name}/{page.index}/{number}")
                        seen = scanned(resized(page, rng.choice(SCALES)), rng) if number else page
                        for crop, text in _found(seen.image, seen.lines, detector):
                            yield DrawnLine(crop, text, path.name, page.index, number)
        except DrawopsError:
            continue  # a file that can't be opened has no lines


def _found(image: Image, truth: Sequence[TextLine], detector: Detector) -> Iterator[tuple[Image, str]]:
    """Crops of the lines for which there is one box of about their place and length."""
    boxes = [box_of_quad(line.quad) for line in truth]
    if not boxes:
        return
    found = detector.detect(image)
    for line, box in zip(truth, boxes, strict=True):
        text = normalise(line.text)
        near = [f for f in found if _holds(f, box) or _holds(box, f)]
        if not text or "\n" in line.text or line.kind == PARTIAL or len(near) != 1:
            continue
        fitted = fit(image, _turned_to(near[0], box.angle))
        shared = overlap(fitted.box, box)
        if shared > 0.6 * box.area and shared > 0.15 * fitted.box.area and fitted.box.length < 1.3 * box.length + 20:
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
