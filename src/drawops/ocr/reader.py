"""The Reader: a page in, its text lines out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from drawops.datasets.text import normalise
from drawops.drawings.model import Image, Page, TextLine
from drawops.ocr.boxes import SQUARE, Box, box_of_quad, levelled, overlap, taken, touching, wrap
from drawops.ocr.detector import Detector
from drawops.ocr.detectors import find_detector
from drawops.ocr.engine_choice import choose_backend
from drawops.ocr.fitting import Fitted, fit, tightened, usual_height
from drawops.ocr.frames import read_frames
from drawops.ocr.ink import ink_parts
from drawops.ocr.joining import join_lines, without_lone_symbols
from drawops.ocr.model_files import base_recogniser
from drawops.ocr.recogniser import Reading, Recogniser
from drawops.ocr.stacks import read_stacks
from drawops.ocr.vector import combine
from drawops.ocr.zones import at_edge
from drawops.settings import Settings

MIN_SCORE = 0.5
SURE = 0.9  # a reading at least this good, the right way round by convention, is not questioned
LARGEST = 6.0  # of the usual height: a higher box is no text but part of the drawing, and costs as much as forty lines
OVERWHELMING = 8  # how many times smaller the doubt (1 - score) of the other way round must be to win
MARKS = frozenset("+-—=|/\\.,'、…·:>⊕丨")  # a stroke or a centre mark of the drawing is read as one of these
HOLES = frozenset("0Oo○〇⌖申中口日田回十一二工")  # circles and rectangles
DASHES = frozenset("1IlL|/↗一丨")  # dashes of hidden edges, also where two meet, or of a pitch circle
_SENTENCE = re.compile("[\u4e00-\u9fff].*。$")  # a Chinese note may end with a number
_LAST_ALONE = re.compile(r"(?<=\s)[COPSUVWXZ×]$")
_TICK = re.compile(r"^[/↗′'\\√\s-]+(?=Ra\s*\d)")  # of the symbol for surface texture, over which the roughness stands
_TICK_BEHIND = re.compile(r"(?<=[^\W\d])\s*[⌵∇▽∏]$")  # the same behind words: a countersink would have a size
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])′(?=[A-Za-z])")  # APPV'D
_ZERO = re.compile(r"(?<=(?<![A-Za-z])[CR⌀])[Oo](?=[.,]\d)")  # of C0.5, R0.2
_UNFINISHED = re.compile(r"(?:^|[\s°×x(])S?[R⌀]$")  # a radius or a diameter without its number
_NUMBER = re.compile(r"\s*\d[\d.,]*")
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
        found, readings = self._at_full_size(image, found, readings)
        found, readings = self._other_ways_round(image, found, readings)
        found, readings = self._with_their_numbers(image, found, readings)
        found, readings = read_frames(image, found, readings, self.recogniser.read)
        found, readings = read_stacks(image, found, readings, self.recogniser.read)
        usual = usual_height(found)
        return [
            TextLine(text, line.box.quad(), line.box.angle, "ocr", reading.score)
            for line, reading in _without_doubles(found, readings)
            if reading.score >= _least_score(line, reading.text)
            and (text := _tidy(_as_high_as_it_is(reading.text, line.crop)))
            and (line.certain or not _is_shape(text, reading.score, line, usual, image.shape))
        ]

    def _at_full_size(
        self, image: Image, found: list[Fitted], readings: list[Reading]
    ) -> tuple[list[Fitted], list[Reading]]:
        """Where a box was drawn in to what does not read well, the whole of it: a dot of a Chinese character looks like a
        small character among lines."""
        found, readings = list(found), list(readings)
        doubtful = [i for i, line in enumerate(found) if line.shrunk and readings[i].score < SURE]
        whole = [fit(image, box, shrink=False) for i in doubtful if (box := found[i].shrunk)]
        for i, line, reading in zip(doubtful, whole, self.recogniser.read([w.crop for w in whole]), strict=True):
            if reading.score >= SURE:
                found[i], readings[i] = line, reading
        return found, readings

    def _other_ways_round(
        self, image: Image, found: list[Fitted], readings: list[Reading]
    ) -> tuple[list[Fitted], list[Reading]]:
        """Score the other reading direction of doubtful lines and take it where it is overwhelmingly better.

        A drawing is read from the bottom or from the right, so the convention decides and not confidence alone:
        a reader is sure of 09 where ⌀60 stands on its head.
        """
        found, readings = list(found), list(readings)
        boxes = [line.box for line in found]
        lying = {i for i, line in enumerate(found) if _lies_on_its_side(line, readings[i].text)}
        largest = LARGEST * usual_height(found)
        doubtful = [
            i
            for i, line in enumerate(found)
            if line.ink and boxes[i].height < largest and (i in lying or _is_doubtful(line, readings[i]))
        ]
        turned: set[int] = set()
        for way in (_other_way, _downwards):
            tried = [fit(image, way(boxes[i])) for i in doubtful]
            for i, other, reading in zip(doubtful, tried, self.recogniser.read([t.crop for t in tried]), strict=True):
                shorter = len(reading.text.strip()) < len(readings[i].text.strip())
                least = max(MIN_SCORE, readings[i].score) if shorter or i in turned else MIN_SCORE
                stands = i in lying and not _lies_on_its_side(other, reading.text) and reading.score > least
                better = (1 - reading.score) * OVERWHELMING < 1 - readings[i].score and not shorter
                if stands or better:
                    found[i], readings[i] = other, reading
                    turned.add(i)
            doubtful = [i for i in doubtful if i in lying and readings[i].score < SURE]
        return found, readings

    def _with_their_numbers(
        self, image: Image, found: list[Fitted], readings: list[Reading]
    ) -> tuple[list[Fitted], list[Reading]]:
        """Lines that end with an R or ⌀ with the number that follows further away than characters do: R  1."""
        found, readings = list(found), list(readings)
        unfinished = [i for i, reading in enumerate(readings) if _UNFINISHED.search(reading.text)]
        tried = [
            fit(image, found[i].box.part(0, 0, found[i].box.length + found[i].box.height, found[i].box.height))
            for i in unfinished
        ]
        for i, line, reading in zip(unfinished, tried, self.recogniser.read([t.crop for t in tried]), strict=True):
            before = readings[i].text
            if reading.text.startswith(before) and _NUMBER.fullmatch(reading.text.removeprefix(before)):
                found[i], readings[i] = line, reading
        return found, readings


def _fitted(image: Image, boxes: Sequence[Box]) -> list[Fitted]:
    """The boxes, fitted; of those that the network did not find (score 0) only what no other has taken in."""
    found = [fit(image, _by_convention(box)) for box in boxes if box.score]
    fitted = [line.box for line in found]
    lone = [box for box in boxes if not box.score and not taken(box, fitted, share=0.5)]
    return found + [fit(image, _by_convention(box)) for box in lone]


def _least_score(line: Fitted, text: str) -> float:
    """From which score a reading counts. What stands among arrows and strokes, what only has the size of a character,
    and a Chinese character by itself, must read well: strokes of the drawing look like them."""
    doubtful = line.shrunk or not line.box.score or (len(text) == 1 and text >= "\u4e00")
    return SURE if doubtful else MIN_SCORE


def _is_doubtful(line: Fitted, reading: Reading) -> bool:
    """May a line read better the other way round? Which way a square one runs its box does not tell, and figures that
    lie on their side look like other writing."""
    strange = line.box.length < SQUARE * line.box.height and not re.search(r"[0-9A-Za-z]", reading.text)
    return strange or reading.score < SURE


def _tidy(text: str) -> str:
    """Normalised; what can only be a degree sign, or a zero, where it stands becomes one."""
    text = _ZERO.sub("0", _APOSTROPHE.sub("'", _WALLS.sub("", normalise(text))))
    text = _TICK_BEHIND.sub("", _TICK.sub("", text))
    return (text if _SENTENCE.search(text) else re.sub(r"(?<=\d)。", "°", text)).replace("℃", "°C")


def _are_bars(crop: Image) -> bool:
    """Is all ink in upright bars, without the flag of a 1?"""
    parts = ink_parts(crop)
    pixels = np.bincount(parts.labels.ravel())[1:]
    large = pixels > 0.2 * pixels.max(initial=0)
    return bool(np.all(pixels[large] > 0.8 * (parts.widths * parts.heights)[large]))


def _as_high_as_it_is(text: str, crop: Image) -> str:
    """A last letter by itself that stands lower than the capitals before it is a small one: TEETH z. The network goes by
    those before it, and these letters look the same large and small."""
    if not (alone := _LAST_ALONE.search(text)):
        return text
    parts = ink_parts(crop)
    characters = np.flatnonzero(parts.heights > 0.4 * parts.heights.max(initial=0))
    if len(characters) < 2:
        return text
    last = characters[np.argmax(parts.right[characters])]
    others = characters[characters != last]
    top, height = float(np.median(parts.top[others])), float(np.median(parts.heights[others]))
    small = parts.top[last] > top + 0.15 * height
    return text[:-1] + alone[0].replace("×", "x").lower() if small else text


def _is_shape(text: str, score: float, line: Fitted, usual_height: float, page: tuple[int, ...]) -> bool:
    """Is what was read a hole, a stroke, dashes or an arrow of the drawing? `page` is (height, width, …)."""
    if DASHES.issuperset(text) and (not line.box.score or (len(text) > 1 and _are_bars(line.crop))):
        return not at_edge(line.box.x, line.box.y, page[1], page[0])  # where zones have numbers
    if len(text) != 1 or (line.ink and text not in MARKS and text not in HOLES):
        return False
    if not line.ink or text in MARKS:
        return True
    round_zero = text in "0Oo○〇" and line.aspect > 0.85  # a figure is narrower than a circle
    return round_zero or score < 0.9 or not 0.6 < line.box.height / usual_height < 1.5


def _lies_on_its_side(line: Fitted, text: str) -> bool:
    """Does the ink of a short text say that it was read across its lines? Two characters are wider than high,
    one is higher than wide."""
    count = len(text.strip())
    return bool(line.ink) and (
        line.stacked or (count >= 2 and line.aspect < 0.9) or (count == 1 and line.aspect > 1.15 and text not in "MWmw")
    )


def _by_convention(box: Box) -> Box:
    """Turn a box so that it reads from the bottom or from the right of the sheet: horizontal text is not upside
    down, vertical text reads upwards."""
    if box.length < SQUARE * box.height:
        for turn in (-90.0, 90.0):  # a short text most likely stands upright
            if abs(box.turned(turn).angle) < abs(box.angle):
                return box.turned(turn)
        return box
    return box.turned(180.0) if wrap(box.angle) <= -75.0 else box


def _other_way(box: Box) -> Box:
    """The box read the other way round; a short one along its other side."""
    return box.turned(180.0) if box.length > SQUARE * box.height else _across(box)


def _downwards(box: Box) -> Box:
    """The box read along its other side, against the convention."""
    return _across(box).turned(180.0)


def _across(box: Box) -> Box:
    """The box read along its other side, the way round that the convention allows."""
    turned = box.turned(90.0)
    return turned if -75.0 < turned.angle <= 105.0 else turned.turned(180.0)


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
