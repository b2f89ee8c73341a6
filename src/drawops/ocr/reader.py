"""The Reader: a page in, its text lines out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from drawops.datasets.text import normalise
from drawops.drawings.model import Image, Page, TextLine
from drawops.ocr.boxes import Box, box_of_quad, levelled, overlap, taken, touching
from drawops.ocr.detector import Detector
from drawops.ocr.detectors import find_detector
from drawops.ocr.engine_choice import choose_backend
from drawops.ocr.fitting import Fitted, fit, tightened, usual_height
from drawops.ocr.frames import read_frames
from drawops.ocr.ink import Parts, ink_parts
from drawops.ocr.joining import join_lines, without_lone_symbols
from drawops.ocr.model_files import base_recogniser
from drawops.ocr.recogniser import MIN_SCORE, SURE, Reading, Recogniser
from drawops.ocr.second_looks import (
    along_their_ink,
    at_full_size,
    by_convention,
    close_up,
    in_one_piece,
    other_ways_round,
    with_their_numbers,
)
from drawops.ocr.stacks import read_stacks
from drawops.ocr.vector import combine
from drawops.ocr.zones import at_edge
from drawops.settings import Settings

_LOOKS = (
    at_full_size,
    close_up,
    other_ways_round,
    along_their_ink,
    with_their_numbers,
    in_one_piece,
    read_frames,
    read_stacks,
)
MARKS = frozenset("+-—=|/\\.,'、…·:>⊕丨十")  # strokes and centre marks of the drawing are read as these
HOLES = frozenset("0Oo○〇⌖申中口日田回一二工")  # circles and rectangles
DASHES = frozenset("1IlL|/↗一丨")  # dashes of hidden edges, also where two meet, or of a pitch circle
CORNERS = frozenset("1L7")  # lines that meet, where they are larger than text
PROJECTION = re.compile("[日丑□][④Ⓜ宙◎]")  # the sign of the method of projection: a cone, two circles and their axes
OUTLINES = re.compile(r"[日口中申田回宙⌖◎⊕⌭ニ二三¬:=\s-]+[0:\s]*")  # that sign too, hidden edges side by side
_SENTENCE = re.compile("[\u4e00-\u9fff].*。$")  # a Chinese note may end with a number
_LAST_ALONE = re.compile(r"(?<=\s)[COPSUVWXZ×]$")
_RING = re.compile(r"\d°$")
_TICK = re.compile(r"^[/↗′'\\√\s-]+(?=Ra\s*\d)")  # of the symbol for surface texture, over which the roughness stands
_TICK_BEHIND = re.compile(r"(?<=[^\W\d])\s*[⌵∇▽∏]$")  # the same behind words: a countersink would have a size
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])′(?=[A-Za-z])")  # APPV'D
_ZERO = re.compile(r"(?<=(?<![A-Za-z])[CR⌀])[Oo](?=[.,]\d)")  # of C0.5, R0.2
_ALUMINIUM = re.compile(r"(?<![A-Za-z])(Z?)AI(?=(?:Si|Mg|Cu|Zn|Mn)(?![a-z]))")  # AlSi10Mg: I and l look alike
_WALLS = re.compile(r"^[_|\s]+(?=.)|(?<=.)[_|\s]+$")  # of frames and cells, and ends of lines under the text


class LineReader(Protocol):
    def read(self, images: Sequence[Image]) -> list[Reading]:
        """One Reading an upright (H, W, 3) RGB line crop, in order."""


class LineFinder(Protocol):
    def detect(self, image: Image) -> list[Box]:
        """Boxes of the text lines of an (H, W, 3) RGB page, in page pixels, along their longer side."""


class Reader:
    """Finds, orients and reads the text lines of a page."""

    def __init__(
        self, recogniser: LineReader, detector: LineFinder, *, found_by: Mapping[str, str] | None = None
    ) -> None:
        """`found_by` names the detector in every reading: {"name", "sha256"}, see `DetectorFile`."""
        self.recogniser = recogniser
        self.detector = detector
        self.found_by = found_by or {"name": "unknown"}

    def read_page(self, page: Page, *, use_vector_text: bool = True) -> list[TextLine]:
        """The lines of a page, from the top; with `use_vector_text` the file's own text is taken where it has any."""
        lines = self._read_picture(page.image)
        if use_vector_text and page.lines:  # such a file writes its ones: others are dashes
            lines = combine(page.lines, [line for line in lines if not DASHES.issuperset(line.text)], page.image)
        lines = join_lines([_tightened(page.image, line) for line in lines])
        return _in_reading_order(without_lone_symbols(lines))

    def _read_picture(self, image: Image) -> list[TextLine]:
        found = _fitted(image, levelled(self.detector.detect(image)))
        readings = self.recogniser.read([line.crop for line in found])
        for look in _LOOKS:
            found, readings = look(image, found, readings, self.recogniser.read)
        usual = usual_height(found)
        return [
            TextLine(text, line.box.quad(), line.box.angle, "ocr", reading.score)
            for line, reading in _without_doubles(found, readings)
            if reading.score >= _least_score(line, reading.text)
            and (text := _tidy(_as_large_as_they_are(reading.text, line.crop)))
            and (line.certain or not _is_shape(text, reading.score, line, usual, image.shape))
        ]


def _fitted(image: Image, boxes: Sequence[Box]) -> list[Fitted]:
    """The boxes, fitted; of those that the network did not find (score 0) only what no other has taken in."""
    found = [fit(image, by_convention(box)) for box in boxes if box.score]
    fitted = [line.box for line in found]
    lone = [box for box in boxes if not box.score and not taken(box, fitted, share=0.5)]
    return found + [fit(image, by_convention(box)) for box in lone]


def _least_score(line: Fitted, text: str) -> float:
    """From which score a reading counts. What stands among arrows and strokes, what only has the size of a character,
    and a Chinese character by itself, must read well: strokes of the drawing look like them."""
    doubtful = line.shrunk or not line.box.score or (len(text) == 1 and text >= "\u4e00")
    return SURE if doubtful else MIN_SCORE


def _tidy(text: str) -> str:
    """Normalised; what can only be a degree sign, a zero or the l of aluminium where it stands becomes one."""
    text = _ZERO.sub("0", _APOSTROPHE.sub("'", _WALLS.sub("", normalise(text))))
    text = _ALUMINIUM.sub(r"\1Al", _TICK_BEHIND.sub("", _TICK.sub("", text)))
    return (text if _SENTENCE.search(text) else re.sub(r"(?<=\d)。", "°", text)).replace("℃", "°C")


def _are_bars(crop: Image) -> bool:
    """Is all ink in upright bars, without the flag of a 1?"""
    parts = ink_parts(crop)
    pixels = np.bincount(parts.labels.ravel())[1:]
    large = pixels > 0.2 * pixels.max(initial=0)
    return bool(np.all(pixels[large] > 0.8 * (parts.widths * parts.heights)[large]))


def _as_large_as_they_are(text: str, crop: Image) -> str:
    """The text with its last character as its ink says, where the network goes by those before it: a letter by itself that
    stands lower than the capitals is a small one (TEETH z), for these look the same large and small, and a ring as high
    as the figures is no degree sign but a zero."""
    alone, ring = _LAST_ALONE.search(text), _RING.search(text)
    if not (alone or ring):
        return text
    parts = ink_parts(crop)
    size = parts.heights / parts.heights.max(initial=1)
    characters = np.flatnonzero(size > 0.25)
    last = characters[np.argmax(parts.right[characters])] if len(characters) else 0
    others = characters[(characters != last) & (size[characters] > 0.4)]
    if not len(others):
        return text
    top, height = float(np.median(parts.top[others])), float(np.median(parts.heights[others]))
    if ring:
        return text[:-1] + "0" if parts.heights[last] > 0.8 * height and _is_ring(parts, int(last)) else text
    small = parts.top[last] > top + 0.15 * height
    return text[:-1] + text[-1].replace("×", "x").lower() if small else text


def _is_ring(parts: Parts, n: int) -> bool:
    """Does a piece of ink enclose paper, and is it no wider than high?"""
    ink = parts.labels[parts.top[n] : parts.bottom[n], parts.left[n] : parts.right[n]] == n + 1
    outline, _ = cv2.findContours(ink.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return ink.shape[1] <= 1.1 * ink.shape[0] and cv2.contourArea(outline[0]) > 1.2 * ink.sum()


def _is_shape(text: str, score: float, line: Fitted, usual_height: float, page: tuple[int, ...]) -> bool:
    """Is what was read a hole, a stroke, dashes, a corner or an arrow of the drawing? `page` is (height, width, …)."""
    doubtful_outlines = score < SURE and len(text) > 1 and OUTLINES.fullmatch(text)
    if PROJECTION.match(text) or MARKS.issuperset(text) or doubtful_outlines:
        return True
    size = line.box.height / usual_height
    if DASHES.issuperset(text):
        doubtful = text == "1" and score < 0.8  # the head of an arrow
        bars = (len(text) > 1 or text == "1") and _are_bars(line.crop)
        if not line.box.score or bars or doubtful:
            return not at_edge(line.box.x, line.box.y, page[1], page[0])  # where zones have numbers
    if text in CORNERS and score < 0.98 and size > 1.7:
        return True
    if len(text) != 1 or (line.ink and text not in HOLES):
        return False
    if not line.ink:
        return True
    round_zero = text in "0Oo○〇" and line.aspect > 0.85  # a figure is narrower than a circle
    return round_zero or score < 0.9 or not 0.6 < size < 1.5


def _without_doubles(found: Sequence[Fitted], readings: Sequence[Reading]) -> list[tuple[Fitted, Reading]]:
    """After fitting, boxes of the same text may have met: the one with more text of good score stays."""
    boxes = [line.box for line in found]
    near = touching(boxes)
    order = sorted(range(len(boxes)), key=lambda i: (not found[i].certain, -readings[i].score * len(readings[i].text)))
    kept: set[int] = set()
    for i in order:
        if all(overlap(boxes[i], boxes[k]) < 0.5 * min(boxes[i].area, boxes[k].area) for k in kept & near[i]):
            kept.add(i)
    return [(found[i], readings[i]) for i in sorted(kept)]


def _tightened(image: Image, line: TextLine) -> TextLine:
    return line if line.source == "vector" else replace(line, quad=tightened(image, box_of_quad(line.quad)).quad())


def _in_reading_order(lines: list[TextLine]) -> list[TextLine]:
    return sorted(lines, key=lambda line: (round(min(y for _, y in line.quad) / 20), min(x for x, _ in line.quad)))


def open_reader(model: Path | None, settings: Settings, *, detector: str | None = None) -> Reader:
    """A Reader with the recogniser of a model directory (None: the base model).

    Args:
        detector: see `find_detector`; default: the one in use in this home.
    """
    threads, backend = settings.threads, choose_backend(settings)
    recogniser = Recogniser(model or base_recogniser(), threads=threads, backend=backend)
    found = find_detector(detector, settings)
    finder = Detector(found.path, threads=threads, backend=backend)
    return Reader(recogniser, finder, found_by={"name": found.name, "sha256": found.sha256})
