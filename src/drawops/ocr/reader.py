"""The Reader: a page in, its text lines out."""

from collections.abc import Sequence
from pathlib import Path

from drawops.drawings.model import Image, Page, TextLine
from drawops.ocr.boxes import Box, overlap, wrap
from drawops.ocr.detector import Detector
from drawops.ocr.fitting import fit
from drawops.ocr.model_files import base_detector, base_recogniser
from drawops.ocr.recogniser import Reading, Recogniser
from drawops.settings import Settings

MIN_SCORE = 0.5
SURE = 0.85  # a reading at least this good, the right way round by convention, is not questioned
OVERWHELMING = 0.3  # by how much the other way round must be better to win against the convention
SQUARE = 1.5  # below this aspect the longer side does not tell the reading direction


class Reader:
    """Finds, orients and reads the text lines of a page."""

    def __init__(self, recogniser: Recogniser, detector: Detector) -> None:
        self.recogniser = recogniser
        self.detector = detector

    def read_page(self, page: Page, *, use_vector_text: bool = True) -> list[TextLine]:
        """The lines of a page, from the top; with `use_vector_text` the file's own text is taken where it has any."""
        if use_vector_text and page.lines:
            return list(page.lines)
        return _in_reading_order(self._read_picture(page.image))

    def _read_picture(self, image: Image) -> list[TextLine]:
        boxes = [_by_convention(box) for box in self.detector.detect(image)]
        fitted = [fit(image, box) for box in boxes]
        boxes, crops = [box for box, _ in fitted], [crop for _, crop in fitted]
        readings = self.recogniser.read(crops)
        boxes, readings = self._other_ways_round(image, boxes, crops, readings)
        lines = [
            TextLine(reading.text.strip(), box.quad(), box.angle, "ocr", reading.score)
            for box, reading in _without_doubles(boxes, readings)
            if reading.score >= MIN_SCORE and reading.text.strip()
        ]
        return lines

    def _other_ways_round(
        self, image: Image, boxes: list[Box], crops: Sequence[Image], readings: list[Reading]
    ) -> tuple[list[Box], list[Reading]]:
        """Score the other reading direction of doubtful lines and take it where it is overwhelmingly better.

        A drawing is read from the bottom or from the right, so the convention decides and not confidence alone:
        a reader is sure of 09 where ⌀60 stands on its head.
        """
        doubtful = [i for i, reading in enumerate(readings) if reading.score < SURE or len(reading.text) <= 1]
        turns = {i: 180.0 if boxes[i].length > SQUARE * boxes[i].height else 90.0 for i in doubtful}
        other_boxes: dict[int, Box] = {}
        other_crops: dict[int, Image] = {}
        for i, turn in turns.items():
            other_boxes[i], other_crops[i] = fit(image, boxes[i].turned(turn))
        others = self.recogniser.read([other_crops[i] for i in doubtful])
        boxes, readings = list(boxes), list(readings)
        for i, other in zip(doubtful, others, strict=True):
            if len(other.text.strip()) >= len(readings[i].text.strip()) and (
                other.score > readings[i].score + OVERWHELMING
            ):
                boxes[i], readings[i] = other_boxes[i], other
        return boxes, readings


def _by_convention(box: Box) -> Box:
    """Turn a box so that it reads from the bottom or from the right of the sheet: horizontal text is not upside
    down, vertical text reads upwards."""
    if box.length < SQUARE * box.height:
        for turn in (-90.0, 90.0):  # a short text most likely stands upright
            if abs(box.turned(turn).angle) < abs(box.angle):
                return box.turned(turn)
        return box
    return box.turned(180.0) if wrap(box.angle) <= -75.0 else box


def _without_doubles(boxes: Sequence[Box], readings: Sequence[Reading]) -> list[tuple[Box, Reading]]:
    """After fitting, boxes of the same text may have met: the one with more text of good score stays."""
    order = sorted(range(len(boxes)), key=lambda i: -readings[i].score * len(readings[i].text))
    kept: list[int] = []
    for i in order:
        if all(overlap(boxes[i], boxes[k]) < 0.5 * min(boxes[i].area, boxes[k].area) for k in kept):
            kept.append(i)
    return [(boxes[i], readings[i]) for i in sorted(kept)]


def _in_reading_order(lines: list[TextLine]) -> list[TextLine]:
    return sorted(lines, key=lambda line: (round(min(y for _, y in line.quad) / 20), min(x for x, _ in line.quad)))


def open_reader(model: Path | None, settings: Settings) -> Reader:
    """A Reader with the recogniser of a model directory (None: the base model) and the base detector."""
    recogniser = Recogniser(model or base_recogniser(), threads=settings.threads)
    return Reader(recogniser, Detector(base_detector(), threads=settings.threads))
